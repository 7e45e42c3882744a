"""``sparkalbert plan``: what embedding some texts will take, told from a sample and a short calibration.

Work is counted in floating point operations, which follow from the shape of the model and the lengths of
the sequences; how many of them this machine does a second is measured on the sample's own text. What comes
before the first vector is measured too, by whoever has started Spark and read the sample; where there is
little to do, it is nearly all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.bench.machine import available_cores, cpu_features
from sparkalbert.bench.sequences import EncodedTexts, encode_texts
from sparkalbert.bundle import Bundle
from sparkalbert.config import AlbertConfig
from sparkalbert.errors import InputError, ParamError
from sparkalbert.inference import WordEmbedder
from sparkalbert.ml.job.sample import TextSample

__all__ = ["PlanOptions", "gflop_of", "plan"]

Int64Array = npt.NDArray[np.int64]

_FLOAT_BYTES: Final = 4
_TASK_S: Final = 60
"""A task that takes about a minute: short enough to lose little with a machine, long beside its start."""

_CLUSTER_CORES: Final = 100
_EXECUTOR_CORES: Final = 4
_WARM_UP_TEXTS: Final = 2
_CHARACTERS_A_PART: Final = 8000
"""Some 2000 pieces of English."""

_WORKER_MB: Final = 300
_MB_A_WEIGHTS_MB: Final = 1.5
_JVM_OVERHEAD_MB: Final = 512


@dataclass(frozen=True)
class PlanOptions:
    """How the plan is made.

    Attributes
    ----------
    calibration_s
        Seconds for which the sample is embedded to see how fast this machine is.
    cores
        Cores to use here; 0 for all of this process.
    start_s
        Seconds that it took to start Spark and read the sample: a run begins with the same.
    """

    calibration_s: float = 10.0
    cores: int = 0
    start_s: float = 0.0


def plan(bundle: Bundle, sample: TextSample, options: PlanOptions | None = None) -> dict[str, Any]:
    """Return what embedding all texts will take.

    Parameters
    ----------
    bundle
        The model.
    sample
        Some of the texts, and how many there are.
    options
        How the plan is made.

    Returns
    -------
    dict
        ``rows``, ``tokens``, ``tokens_a_row`` (mean, median, 95 %, longest), ``pieces``, ``windows``,
        ``gflop``, ``machine`` (cores, features, ``gflop_per_s``, ``pieces_per_s``), ``start_s`` (Spark and
        the model), ``work_s`` here, ``expected_s`` here (both) and with 100 cores, ``output_bytes`` and
        ``spark`` (settings with their values).

    Raises
    ------
    InputError
        When the sample holds no words.
    ParamError
        When the model is an imported graph, whose work is not known.
    """
    options = options or PlanOptions()
    if bundle.manifest.num_layers == 0:
        msg = f"The bundle {bundle.manifest.name!r} is an imported graph, whose work is not known."
        raise ParamError(msg)
    encoded = encode_texts(bundle, sample.texts)
    if not sum(encoded.words):
        msg = f"The sample of {len(sample.texts)} rows holds no words, so there is nothing to plan."
        raise InputError(msg)
    cores = options.cores or available_cores()
    load_s, gflop_per_s, pieces_per_s = _calibrated(bundle, sample.texts, cores, options.calibration_s)
    start_s = options.start_s + load_s
    scale = sample.scale
    gflop = scale * gflop_of(bundle.config, encoded)
    work_s = gflop / gflop_per_s
    words = np.array(encoded.words)
    tokens = round(scale * int(words.sum()))
    return {
        "rows": sample.rows,
        "sampled_rows": len(sample.texts),
        "tokens": tokens,
        "tokens_a_row": {
            "mean": float(words.mean()),
            "median": float(np.median(words)),
            "95%": float(np.percentile(words, 95)),
            "longest": int(words.max()),
        },
        "pieces": round(scale * encoded.pieces),
        "windows": round(scale * len(encoded.sequences)),
        "gflop": gflop,
        "machine": {
            "cores": cores,
            "cpu_features": cpu_features(),
            "gflop_per_s": gflop_per_s,
            "pieces_per_s": pieces_per_s,
        },
        "start_s": start_s,
        "work_s": work_s,
        "expected_s": start_s + work_s,
        "expected_s_100_cores": start_s + work_s * cores / _CLUSTER_CORES,
        "output_bytes": tokens * bundle.manifest.dimension * _FLOAT_BYTES,
        "spark": spark_settings(bundle, work_s * cores, cores),
    }


def gflop_of(config: AlbertConfig, encoded: EncodedTexts) -> float:
    """Return the billions of multiplications and additions that sequences take, padding not counted.

    Parameters
    ----------
    config
        Shape of the model.
    encoded
        The sequences.

    Examples
    --------
    A piece of ALBERT xlarge takes 2.42 GFLOP beside attention:

    >>> shape = {"hidden_size": 2048, "num_attention_heads": 16, "intermediate_size": 8192}
    >>> config = AlbertConfig(num_hidden_layers=24, **shape)
    >>> round(gflop_of(config, EncodedTexts([np.zeros(1, dtype=np.int64)], [1])), 2)
    2.42
    """
    hidden, wide, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    depth = layers * config.inner_group_num
    linear = depth * 2 * (4 * hidden * hidden + 2 * hidden * wide) + 2 * config.embedding_size * hidden
    attention = depth * 4 * hidden
    lengths = np.array([len(sequence) for sequence in encoded.sequences], dtype=np.float64)
    return float((linear * lengths + attention * lengths**2).sum()) / 1e9


def spark_settings(bundle: Bundle, core_seconds: float, cores: int) -> Mapping[str, str]:
    """Return Spark settings for a cluster: memory for the workers, and parts of at most about a minute.

    Parameters
    ----------
    bundle
        The model.
    core_seconds
        All the work, on one core.
    cores
        Cores that want a part each, however short.
    """
    weights_mb = bundle.manifest.size_bytes / 1e6
    worker_mb = _WORKER_MB + _MB_A_WEIGHTS_MB * weights_mb
    overhead_mb = math.ceil((_EXECUTOR_CORES * worker_mb + _JVM_OVERHEAD_MB) / 256) * 256
    return {
        "spark.executor.cores": str(_EXECUTOR_CORES),
        "spark.task.cpus": "1",
        "spark.executor.memoryOverhead": f"{overhead_mb}m",
        "--partitions": str(max(cores, math.ceil(core_seconds / _TASK_S))),
    }


def _calibrated(
    bundle: Bundle, texts: Sequence[str], cores: int, seconds: float
) -> tuple[float, float, float]:
    """Return seconds to load the model, and GFLOP and pieces a second.

    The texts are embedded part by part until the time is up.
    """
    started_s = time.perf_counter()
    embedder = WordEmbedder.load(bundle.path, threads=cores)
    load_s = time.perf_counter() - started_s
    embedder.embed(texts[:_WARM_UP_TEXTS])
    gflop, pieces, spent_s = 0.0, 0, 0.0
    for part in _parts(texts, _CHARACTERS_A_PART):
        encoded = encode_texts(bundle, part)
        started_s = time.perf_counter()
        embedder.embed(part)
        spent_s += time.perf_counter() - started_s
        gflop += gflop_of(bundle.config, encoded)
        pieces += encoded.pieces
        if spent_s >= seconds:
            break
    return load_s, gflop / spent_s, pieces / spent_s


def _parts(texts: Sequence[str], characters: int) -> list[list[str]]:
    """Cut texts into parts that fill some calls each; small ones would measure calls that are not full.

    Examples
    --------
    >>> _parts(["abcd", "ef", "gh"], 5)
    [['abcd', 'ef'], ['gh']]
    """
    parts: list[list[str]] = [[]]
    for text in texts:
        if sum(map(len, parts[-1])) >= characters:
            parts.append([])
        parts[-1].append(text)
    return parts
