"""A whole run: it prepares the text and the models, runs the systems in rounds and returns the record."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sparkalbert.bench.materials import Materials, prepare_materials
from sparkalbert.bench.news_text import news_paragraphs
from sparkalbert.bench.record import SPARK_NLP_DEFAULTS, prefix_counts, text_facts, whole_record
from sparkalbert.bench.rounds import Notify, Schedule, run_rounds
from sparkalbert.bench.system import Spec
from sparkalbert.bundle import Precision
from sparkalbert.convert.spark_nlp_export import export_spark_nlp
from sparkalbert.errors import ParamError
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.machine import available_cores, machine_facts

__all__ = ["KINDS", "BenchOptions", "run_benchmark"]

KINDS: Final = ("bare", "product", "embedder", "pipeline", "naive_udf", "spark_nlp")
"""Of those that are chosen, the first one is the reference that runs between the others."""

_WORDS_PER_CORE: Final = 100_000
_MIN_ROWS_PER_CORE: Final = 8
_WARM_UP_ROWS_PER_CORE: Final = 2
_TRIAL_PART: Final = 1 / 30
"""Part of a round that bare ONNX Runtime spends on each setting that it tries: one second of the default round."""


@dataclass(frozen=True)
class BenchOptions:
    """What to compare, and how often.

    Attributes
    ----------
    model
        The model, see :func:`~sparkalbert.bench.materials.prepare_materials`.
    precisions
        ``fp32``, ``int8`` or both. The naive UDF runs in fp32 only.
    words
        Length of the built-in text; 0 for 100,000 words per core, of which slow models use the first rows only.
    texts
        Texts to use instead of the built-in text.
    rounds
        Number of rounds, of which the median counts.
    seconds
        Seconds of each system in a round, about; a slice takes a sixth of them. A first round is not measured.
    cores
        Number of cores to use; 0 for all cores that this process may use.
    kinds
        The systems, of :data:`KINDS`.
    bare_split
        ``(processes, threads, pieces per batch)`` of bare ONNX Runtime; None to search for the fastest.
    spark_nlp_python, spark_nlp_jars
        Interpreter of an environment with Spark NLP, and a folder with its jars (empty: from Maven).
    spark_nlp_settings
        Pairs of batch size and ONNX threads to try in addition to Spark NLP's defaults.

    Raises
    ------
    ParamError
        If an option is invalid.
    """

    model: str
    precisions: Sequence[Precision] = ("fp32", "int8")
    words: int = 0
    texts: Sequence[str] = ()
    rounds: int = 3
    seconds: float = 30.0
    cores: int = 0
    kinds: Sequence[str] = KINDS
    bare_split: Sequence[int] | None = None
    spark_nlp_python: str = ""
    spark_nlp_jars: str = ""
    spark_nlp_settings: Sequence[tuple[int, int]] = field(default=((32, 1),))

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            msg = f"systems is {', '.join(self.kinds) or 'empty'}, expected some of {', '.join(KINDS)}."
            raise ParamError(msg)
        for name, minimum in (("rounds", 1), ("words", 0), ("cores", 0)):
            if getattr(self, name) < minimum:
                msg = f"{name} is {getattr(self, name)}, expected at least {minimum}."
                raise ParamError(msg)
        if not 0 < self.seconds < math.inf:
            msg = f"seconds is {self.seconds}, expected a positive number."
            raise ParamError(msg)


def run_benchmark(options: BenchOptions, notify: Notify) -> dict[str, Any]:
    """Run a comparison and return its record, see :func:`~sparkalbert.bench.record.whole_record`.

    Parameters
    ----------
    options
        What to compare.
    notify
        Called with a description of each step.

    Raises
    ------
    InferenceError
        If a system fails.
    ModelNotFoundError
        If no such model exists.
    ParamError
        If the model is an imported graph, or if no text contains a word.
    """
    with tempfile.TemporaryDirectory(prefix="sparkalbert-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        notify(f"preparing {options.model}", 0, 0)
        materials = prepare_materials(options.model, options.precisions, options.kinds, folder)
        cores = options.cores or available_cores()
        texts = list(options.texts) or news_paragraphs(options.words or _WORDS_PER_CORE * cores)
        encoded = encode_texts(materials.bundles[options.precisions[0]], texts)
        if not encoded.sequences:
            msg = f"texts holds {len(texts)} texts without a word, expected at least one text with words."
            raise ParamError(msg)
        warm_up = _warm_up_texts(texts, encoded.words, cores)
        work = {"texts": texts, "warm_up_texts": warm_up, "cores": cores}
        schedule = Schedule(options.rounds, options.seconds, len(texts), _MIN_ROWS_PER_CORE * cores)
        results = []
        for precision in options.precisions:  # one after the other, because each is compared with itself only
            specs = list(_specs(options, materials, precision, work, folder))
            results += run_rounds(specs, schedule, notify)
        counts = prefix_counts(materials.bundles[options.precisions[0]], texts, results)
        return whole_record(machine_facts(), cores, materials.name, text_facts(texts, encoded), results, counts)


def _warm_up_texts(texts: Sequence[str], words: Sequence[int], cores: int) -> list[str]:
    """Return texts of about the median length, of those that contain words.

    Examples
    --------
    >>> _warm_up_texts(["", "a b c", "", "a", "a b"], [0, 3, 0, 1, 2], cores=1)
    ['a b', 'a b c']
    """
    ascending = sorted((text for text, count in zip(texts, words, strict=True) if count), key=len)
    return ascending[len(ascending) // 2 :][: _WARM_UP_ROWS_PER_CORE * cores]


def _specs(
    options: BenchOptions, materials: Materials, precision: Precision, work: Mapping[str, Any], folder: Path
) -> Iterator[Spec]:
    """Yield the systems of one precision, of the kinds that were chosen."""
    looped = str(materials.bundles[precision].path)
    limit = {**work, "split": options.bare_split, "trial_s": options.seconds * _TRIAL_PART}
    if "bare" in options.kinds:
        graphs = {"loop": looped, "unrolled": str(materials.unrolled[precision].path)}
        yield Spec(f"bare-{precision}", "bare", precision, "bare ONNX Runtime", {**limit, "bundles": graphs})
    if "product" in options.kinds:
        products = {"products": str(materials.products[precision].path)}
        yield Spec(f"product-{precision}", "product", precision, "lone matrix products", {**limit, "bundles": products})
    ours = {**work, "bundle": looped}
    if "embedder" in options.kinds:
        yield Spec(f"embedder-{precision}", "embedder", precision, "WordEmbedder", ours)
    if "pipeline" in options.kinds:
        for sink in ("noop", "parquet"):
            yield Spec(
                f"pipeline-{sink}-{precision}",
                "pipeline",
                precision,
                f"Spark pipeline, {sink}",
                {**ours, "sink": sink, "folder": str(folder / f"vectors-{precision}")},
                process=f"pipeline-{precision}",
            )
    if "naive_udf" in options.kinds:
        arguments = {**work, "checkpoint": str(materials.checkpoint)}
        missing = "" if precision == "fp32" else "it runs in fp32 only"
        title = "pandas UDF around torch"
        yield Spec(f"naive_udf-{precision}", "naive_udf", precision, title, arguments, missing=missing)
    if "spark_nlp" in options.kinds:
        yield from _spark_nlp(options, materials, precision, work, folder)


def _spark_nlp(
    options: BenchOptions, materials: Materials, precision: Precision, work: Mapping[str, Any], folder: Path
) -> Iterator[Spec]:
    """Yield Spark NLP with its defaults and with every other setting."""
    name = f"{SPARK_NLP_DEFAULTS}-{precision}"
    if not options.spark_nlp_python:
        missing = "no Python with spark-nlp was given (--spark-nlp)"
        yield Spec(name, "spark_nlp", precision, "Spark NLP, defaults", {}, missing=missing)
        return
    exported = export_spark_nlp(materials.checkpoint, folder / f"spark-nlp-{precision}", precision=precision)
    arguments = {
        **work,
        "model": str(exported),
        "dimension": materials.dimension,
        "jars": options.spark_nlp_jars,
    }
    python = options.spark_nlp_python
    yield Spec(name, "spark_nlp", precision, "Spark NLP, defaults", arguments, python=python)
    for batch_size, threads in options.spark_nlp_settings:
        yield Spec(
            f"spark_nlp-{batch_size}x{threads}-{precision}",
            "spark_nlp",
            precision,
            f"Spark NLP, batch {batch_size}, threads {threads}",
            {**arguments, "batch_size": batch_size, "onnx_threads": threads},
            python=python,
        )
