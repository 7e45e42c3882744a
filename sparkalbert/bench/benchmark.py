"""A whole run: text and models, contenders, rounds, and the record of all of it.

It puts the parts together and decides which contenders take part.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sparkalbert.bench.contender import Entry
from sparkalbert.bench.machine import available_cores, machine_facts
from sparkalbert.bench.materials import Materials, prepare_materials
from sparkalbert.bench.news_text import news_paragraphs
from sparkalbert.bench.record import REFERENCE, text_facts, whole_record
from sparkalbert.bench.rounds import Tell, run_rounds
from sparkalbert.bench.sequences import encode_texts
from sparkalbert.bundle import Precision
from sparkalbert.convert.spark_nlp_export import export_spark_nlp
from sparkalbert.errors import ParamError

__all__ = ["KINDS", "BenchOptions", "run_benchmark"]

KINDS: Final = ("bare", "embedder", "pipeline", "naive_udf", "spark_nlp")
_WARM_UP_ROWS_A_CORE: Final = 2


@dataclass(frozen=True)
class BenchOptions:
    """What to compare, and how often.

    Attributes
    ----------
    model
        As :func:`~sparkalbert.bench.materials.prepare_materials` takes it.
    precisions
        ``fp32``, ``int8`` or both. The naive UDF runs in fp32 only, Spark NLP in fp32 at least.
    words
        How much of the built-in text.
    texts
        Texts to use in its place.
    rounds
        How often each contender runs; the median counts.
    cores
        Cores to use; 0 for all of this process.
    kinds
        The contenders, of :data:`KINDS`.
    bare_split
        ``(processes, threads, pieces a call)`` of the bare ONNX Runtime; None to find the best one.
    spark_nlp_python, spark_nlp_jars
        Spark NLP's interpreter, and a folder of its jars (empty: from Maven).
    spark_nlp_settings
        Pairs of batch size and ONNX threads to try beside its defaults.
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
            msg = f"contenders are {', '.join(self.kinds) or 'none'}, expected some of {', '.join(KINDS)}."
            raise ParamError(msg)
        for name in ("rounds", "words"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}, expected at least 1."
                raise ParamError(msg)


def run_benchmark(options: BenchOptions, tell: Tell) -> dict[str, Any]:
    """Run a comparison and return its record, see :func:`~sparkalbert.bench.record.whole_record`.

    Parameters
    ----------
    options
        What to compare.
    tell
        Told what is going on, for a person who waits.

    Raises
    ------
    InferenceError
        When a contender fails.
    ModelNotFoundError
        When the model's name leads nowhere.
    """
    with tempfile.TemporaryDirectory(prefix="sparkalbert-bench-") as name:
        folder = Path(name)
        tell(f"preparing {options.model}")
        materials = prepare_materials(options.model, options.precisions, folder)
        texts = list(options.texts) or news_paragraphs(options.words)
        entries = list(_entries(options, materials, texts, folder))
        encoded = encode_texts(materials.bundles[options.precisions[0]], texts)
        outcomes = run_rounds(entries, options.rounds, tell)
        return whole_record(machine_facts(), materials.name, text_facts(texts, encoded), outcomes)


def _entries(
    options: BenchOptions, materials: Materials, texts: Sequence[str], folder: Path
) -> Iterator[Entry]:
    cores = options.cores or available_cores()
    warm_up = sorted(texts, key=len)[len(texts) // 2 :][: _WARM_UP_ROWS_A_CORE * cores]
    work = {"texts": list(texts), "warm_up_texts": warm_up, "cores": cores}
    for precision in options.precisions:
        looped = {**work, "bundle": str(materials.bundles[precision].path)}
        if "bare" in options.kinds:
            unrolled = {**work, "bundle": str(materials.unrolled[precision].path)}
            for form, arguments in (("loop", looped), ("unrolled", unrolled)):
                yield Entry(
                    f"bare-{form}-{precision}",
                    "bare",
                    precision,
                    f"bare ONNX Runtime, {form}",
                    {**arguments, "split": options.bare_split},
                )
        if "embedder" in options.kinds:
            yield Entry(f"embedder-{precision}", "embedder", precision, "WordEmbedder", looped)
        if "pipeline" in options.kinds:
            for sink in ("noop", "parquet"):
                yield Entry(
                    f"pipeline-{sink}-{precision}",
                    "pipeline",
                    precision,
                    f"Spark pipeline, {sink}",
                    {**looped, "sink": sink, "folder": str(folder / f"vectors-{precision}")},
                    process=f"pipeline-{precision}",
                )
    yield from _others(options, materials, work, folder)


def _others(
    options: BenchOptions, materials: Materials, work: dict[str, Any], folder: Path
) -> Iterator[Entry]:
    if "naive_udf" in options.kinds:
        arguments = {**work, "checkpoint": str(materials.checkpoint)}
        yield Entry("naive_udf", "naive_udf", "fp32", "pandas UDF around torch", arguments)
    if "spark_nlp" in options.kinds:
        yield from _spark_nlp(options, materials, work, folder)


def _spark_nlp(
    options: BenchOptions, materials: Materials, work: dict[str, Any], folder: Path
) -> Iterator[Entry]:
    """Yield it in fp32, which is the measure of all others, and in the precisions that are compared."""
    if not options.spark_nlp_python:
        missing = "no Python with spark-nlp was named (--spark-nlp)"
        yield Entry(REFERENCE, "spark_nlp", "fp32", "Spark NLP, defaults", {}, missing=missing)
        return
    dials: list[tuple[int | None, int | None]] = [(None, None), *options.spark_nlp_settings]
    precisions: list[Precision] = ["fp32", *(one for one in options.precisions if one != "fp32")]
    for precision in precisions:
        exported = export_spark_nlp(
            materials.checkpoint, folder / f"spark-nlp-{precision}", precision=precision
        )
        arguments = {
            **work,
            "model": str(exported),
            "dimension": materials.dimension,
            "jars": options.spark_nlp_jars,
        }
        for batch_size, threads in dials:
            dial = "default" if batch_size is None else f"{batch_size}x{threads}"
            settings = "defaults" if batch_size is None else f"batch {batch_size}, threads {threads}"
            yield Entry(
                f"spark_nlp-{dial}-{precision}",
                "spark_nlp",
                precision,
                f"Spark NLP, {settings}",
                {**arguments, "batch_size": batch_size, "onnx_threads": threads},
                python=options.spark_nlp_python,
            )
