"""Estimates what embedding some texts takes, from a sample and a short calibration.

Work is counted in floating-point operations, which follow from the shape of the model and the lengths of the
sequences. How many of them this machine does per second is measured on texts of the sample. Starting Spark, reading
the sample and loading the model are measured too; for a small input they are most of the time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sparkalbert.bundle import Bundle
from sparkalbert.config import AlbertConfig
from sparkalbert.errors import InputError, ParamError
from sparkalbert.inference import BatchingOptions, VectorOptions
from sparkalbert.inference.memory import worker_memory
from sparkalbert.inference.sequences import EncodedTexts, encode_texts
from sparkalbert.machine import available_cores, cpu_features
from sparkalbert.ml.job.sample import TextSample
from sparkalbert.ml.stages.python_pass import annotator_workers_bytes
from sparkalbert.models.sizes import linear_flop
from sparkalbert.word_embedder import WordEmbedder

__all__ = ["PlanOptions", "gflop_of", "plan", "spark_settings"]

_FLOAT_BYTES: Final = 4
_MIB: Final = 1 << 20

_TASK_S: Final = 60
"""Seconds of work per task: little is lost if a machine fails, and the start of a task is negligible."""

_CLUSTER_CORES: Final = 100
_EXECUTOR_CORES: Final = 4
_JVM_OVERHEAD_MIB: Final = 512
_OVERHEAD_STEP_MIB: Final = 256

_WARM_UP_TEXTS: Final = 2
_CHARACTERS_PER_PART: Final = 8000
"""About 2000 pieces of English text."""


@dataclass(frozen=True)
class PlanOptions:
    """How the estimate is made.

    Attributes
    ----------
    calibration_s
        Seconds for which texts of the sample are embedded to measure the speed of this machine.
    cores
        Number of cores to use here; 0 for all cores that this process may use.
    start_s
        Seconds that it took to start Spark and read the sample; a run starts the same way.
    """

    calibration_s: float = 10.0
    cores: int = 0
    start_s: float = 0.0


def plan(
    bundle: Bundle,
    sample: TextSample,
    options: PlanOptions | None = None,
    report: Callable[[float, float], None] | None = None,
) -> dict[str, Any]:
    """Return what embedding all texts takes, with default options of the stage.

    Parameters
    ----------
    bundle
        The model.
    sample
        Some of the texts, and the size of all of them.
    options
        How the estimate is made.
    report
        Called during the measurement, with the seconds spent and the pieces per second so far.

    Returns
    -------
    dict
        ``rows``, ``sampled_rows``, ``tokens``, ``tokens_per_row`` (mean, median, 95%, longest), ``pieces``,
        ``windows``, ``gflop``, ``machine`` (``cores``, ``cpu_features``, ``gflop_per_s``, ``pieces_per_s``),
        ``start_s`` (Spark and the model), ``work_s`` on this machine, ``expected_s`` on this machine (both together)
        and ``expected_s_100_cores``, ``output_bytes``, ``worker_bytes`` (memory of one Python worker) and ``spark``
        (settings and their values).

    Raises
    ------
    InputError
        If the sample contains no words.
    ParamError
        If the model is an imported graph, whose work is not known.
    """
    options = options or PlanOptions()
    if bundle.manifest.num_layers == 0:
        msg = (
            f"The model {bundle.manifest.name!r} is an imported graph, whose work is not known. Plan with the "
            "checkpoint that it was exported from."
        )
        raise ParamError(msg)
    encoded = encode_texts(bundle, sample.texts)
    if not encoded.sequences:
        msg = f"The sample of {len(sample.texts)} rows contains no words, so there is nothing to plan."
        raise InputError(msg)
    cores = options.cores or available_cores()
    load_s, gflop_per_s, pieces_per_s = _calibrate(bundle, sample.texts, cores, options.calibration_s, report)
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
        "tokens_per_row": {
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
        "worker_bytes": _worker_bytes(bundle),
        "spark": spark_settings(bundle, work_s * cores, cores),
    }


def gflop_of(config: AlbertConfig, encoded: EncodedTexts) -> float:
    """Return the billions of multiplications and additions that sequences take, without padding.

    Parameters
    ----------
    config
        Shape of the model.
    encoded
        The sequences.

    Examples
    --------
    A piece of ALBERT xlarge takes 2.42 GFLOP without attention:

    >>> shape = {"hidden_size": 2048, "num_attention_heads": 16, "intermediate_size": 8192}
    >>> config = AlbertConfig(num_hidden_layers=24, **shape)
    >>> round(gflop_of(config, EncodedTexts([np.zeros(1, dtype=np.int64)], [1])), 2)
    2.42
    """
    linear = linear_flop(config)
    attention = config.num_hidden_layers * config.inner_group_num * 4 * config.hidden_size
    lengths = np.array([len(sequence) for sequence in encoded.sequences], dtype=np.float64)
    return float((linear * lengths + attention * lengths**2).sum()) / 1e9


def spark_settings(bundle: Bundle, core_seconds: float, cores: int) -> Mapping[str, str]:
    """Return Spark settings for a cluster: memory for the workers, and tasks of about a minute.

    Parameters
    ----------
    bundle
        The model.
    core_seconds
        All the work, in seconds on one core.
    cores
        Number of cores; each gets at least one task.
    """
    per_core = _worker_bytes(bundle) + annotator_workers_bytes()
    overhead_mib = _EXECUTOR_CORES * per_core / _MIB + _JVM_OVERHEAD_MIB
    rounded_mib = math.ceil(overhead_mib / _OVERHEAD_STEP_MIB) * _OVERHEAD_STEP_MIB
    return {
        "spark.executor.cores": str(_EXECUTOR_CORES),
        "spark.task.cpus": "1",
        "spark.executor.memoryOverhead": f"{rounded_mib}m",  # Spark's m is MiB
        "--partitions": str(max(cores, math.ceil(core_seconds / _TASK_S))),
    }


def _worker_bytes(bundle: Bundle) -> int:
    """Return the memory of a worker as the stage computes it, with default options, in bytes."""
    return worker_memory(bundle, VectorOptions(), BatchingOptions()).total


def _calibrate(
    bundle: Bundle,
    texts: Sequence[str],
    cores: int,
    seconds: float,
    report: Callable[[float, float], None] | None,
) -> tuple[float, float, float]:
    """Return the seconds to load the model, GFLOP per second and pieces per second.

    The texts are embedded part by part until the time is over.
    """
    started_s = time.perf_counter()
    embedder = WordEmbedder.load(bundle.path, threads=cores)
    load_s = time.perf_counter() - started_s
    embedder.embed(texts[:_WARM_UP_TEXTS])
    gflop, pieces, spent_s = 0.0, 0, 0.0
    for part in _parts(texts, _CHARACTERS_PER_PART):
        encoded = encode_texts(bundle, part)
        started_s = time.perf_counter()
        embedder.embed(part)
        spent_s += time.perf_counter() - started_s
        gflop += gflop_of(bundle.config, encoded)
        pieces += encoded.pieces
        if report is not None:
            report(spent_s, pieces / spent_s)
        if pieces and spent_s >= seconds:
            break
    return load_s, gflop / spent_s, pieces / spent_s


def _parts(texts: Sequence[str], characters: int) -> list[list[str]]:
    """Cut texts into parts that fill several batches each, because batches that are not full would be measured.

    Examples
    --------
    >>> _parts(["abcd", "ef", "gh"], 5)
    [['abcd', 'ef'], ['gh']]
    """
    parts: list[list[str]] = [[]]
    length = 0
    for text in texts:
        if length >= characters:
            parts.append([])
            length = 0
        parts[-1].append(text)
        length += len(text)
    return parts
