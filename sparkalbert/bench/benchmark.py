"""A whole run: it prepares the text and the models, runs the systems in rounds and returns the record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sparkalbert.bench.materials import Materials, prepare_materials
from sparkalbert.bench.news_text import news_paragraphs
from sparkalbert.bench.record import SPARK_NLP_DEFAULTS, text_facts, whole_record
from sparkalbert.bench.rounds import Notify, run_rounds
from sparkalbert.bench.system import Spec
from sparkalbert.bundle import Precision
from sparkalbert.convert.spark_nlp_export import export_spark_nlp
from sparkalbert.errors import ParamError
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.machine import available_cores, machine_facts

__all__ = ["KINDS", "BenchOptions", "run_benchmark"]

KINDS: Final = ("bare", "embedder", "pipeline", "naive_udf", "spark_nlp")
_WARM_UP_ROWS_PER_CORE: Final = 2


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
        Length of the built-in text.
    texts
        Texts to use instead of the built-in text.
    rounds
        How often each system runs; the median counts.
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
    words: int = 4000
    texts: Sequence[str] = ()
    rounds: int = 3
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
        for name, minimum in (("rounds", 1), ("words", 1), ("cores", 0)):
            if getattr(self, name) < minimum:
                msg = f"{name} is {getattr(self, name)}, expected at least {minimum}."
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
        materials = prepare_materials(options.model, options.precisions, folder)
        texts = list(options.texts) or news_paragraphs(options.words)
        encoded = encode_texts(materials.bundles[options.precisions[0]], texts)
        if not encoded.sequences:
            msg = f"texts holds {len(texts)} texts without a word, expected at least one text with words."
            raise ParamError(msg)
        warm_up = _warm_up_texts(texts, encoded.words, options.cores or available_cores())
        specs = list(_specs(options, materials, texts, warm_up, folder))
        results = run_rounds(specs, options.rounds, notify)
        return whole_record(machine_facts(), materials.name, text_facts(texts, encoded), results)


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
    options: BenchOptions, materials: Materials, texts: Sequence[str], warm_up: Sequence[str], folder: Path
) -> Iterator[Spec]:
    cores = options.cores or available_cores()
    work = {"texts": list(texts), "warm_up_texts": list(warm_up), "cores": cores}
    for precision in options.precisions:
        looped = {**work, "bundle": str(materials.bundles[precision].path)}
        if "bare" in options.kinds:
            unrolled = {**work, "bundle": str(materials.unrolled[precision].path)}
            for graph, arguments in (("loop", looped), ("unrolled", unrolled)):
                yield Spec(
                    f"bare-{graph}-{precision}",
                    "bare",
                    precision,
                    f"bare ONNX Runtime, {graph}",
                    {**arguments, "split": options.bare_split},
                )
        if "embedder" in options.kinds:
            yield Spec(f"embedder-{precision}", "embedder", precision, "WordEmbedder", looped)
        if "pipeline" in options.kinds:
            for sink in ("noop", "parquet"):
                yield Spec(
                    f"pipeline-{sink}-{precision}",
                    "pipeline",
                    precision,
                    f"Spark pipeline, {sink}",
                    {**looped, "sink": sink, "folder": str(folder / f"vectors-{precision}")},
                    process=f"pipeline-{precision}",
                )
    if "naive_udf" in options.kinds:
        arguments = {**work, "checkpoint": str(materials.checkpoint)}
        yield Spec("naive_udf", "naive_udf", "fp32", "pandas UDF around torch", arguments)
    if "spark_nlp" in options.kinds:
        for precision in options.precisions:
            yield from _spark_nlp(options, materials, precision, work, folder)


def _spark_nlp(
    options: BenchOptions, materials: Materials, precision: Precision, work: dict[str, Any], folder: Path
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
