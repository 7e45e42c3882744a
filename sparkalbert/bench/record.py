"""The record of a run as plain data, for JSON, tables and pictures. Ratios come from the medians of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sparkalbert.bench.system import Result
from sparkalbert.inference.sequences import EncodedTexts
from sparkalbert.timings import PHASES

__all__ = ["SPARK_NLP_DEFAULTS", "text_facts", "whole_record"]

SPARK_NLP_DEFAULTS: Final = "spark_nlp-default"
"""Name of Spark NLP with its default settings, before the precision."""


def text_facts(texts: Sequence[str], encoded: EncodedTexts) -> dict[str, Any]:
    """Return the size of a text; words and pieces are counted as sparkalbert does, for every system."""
    return {
        "rows": len(texts),
        "characters": sum(map(len, texts)),
        "words": sum(encoded.words),
        "pieces": encoded.pieces,
        "sequences": len(encoded.sequences),
        "longest_sequence": max((len(sequence) for sequence in encoded.sequences), default=0),
        "repeated_share": encoded.repeated_share,
    }


def whole_record(
    machine: Mapping[str, Any], model: str, text: Mapping[str, Any], results: Sequence[Result]
) -> dict[str, Any]:
    """Return everything about a run.

    Parameters
    ----------
    machine
        See :func:`~sparkalbert.machine.machine_facts`.
    model
        Description of the model.
    text
        See :func:`text_facts`.
    results
        What was measured.

    Returns
    -------
    dict
        ``machine``, ``model``, ``text``, and ``systems``: one object per system with ``name``, ``title``,
        ``precision``, ``settings``, ``skipped``, ``seconds`` (of every round), ``median_s``, ``words_per_s``,
        ``pieces_per_s``, ``padding_share``, ``batches``, ``memory_mb``, ``load_s``, ``warm_up_vectors``,
        ``phase_shares``, and ratios of throughput to other systems of the same precision: ``of_limit`` to the faster
        bare ONNX Runtime, ``of_spark_nlp`` to Spark NLP's defaults, ``of_best_spark_nlp`` to the fastest of Spark
        NLP's settings. A value that is not known is null.
    """
    return {
        "machine": dict(machine),
        "model": model,
        "text": dict(text),
        "systems": [_system(result, text, results) for result in results],
    }


def _system(result: Result, text: Mapping[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    spec, measurements = result.spec, result.measurements
    median_s = result.median_s if result.seconds else None
    slots = measurements.get("slots")
    comparable = [other for other in results if other.seconds and other.spec.precision == spec.precision]
    spark_nlp = [other for other in comparable if other.spec.kind == "spark_nlp"]
    defaults = [other for other in spark_nlp if other.spec.name.startswith(SPARK_NLP_DEFAULTS)]
    return {
        "name": spec.name,
        "title": spec.title,
        "precision": spec.precision,
        "settings": result.settings,
        "skipped": result.skipped,
        "seconds": result.seconds,
        "median_s": median_s,
        "words_per_s": _ratio(text["words"], median_s),
        "pieces_per_s": _ratio(text["pieces"], median_s),
        "of_limit": _ratio(_fastest_s(other for other in comparable if other.spec.kind == "bare"), median_s),
        "of_spark_nlp": _ratio(_fastest_s(defaults), median_s),
        "of_best_spark_nlp": _ratio(_fastest_s(spark_nlp), median_s),
        "padding_share": 1 - measurements["pieces"] / slots if slots else None,
        "batches": measurements.get("batches"),
        "memory_mb": result.memory_mb,
        "load_s": result.load_s,
        "warm_up_vectors": result.warm_up_vectors,
        "phase_shares": _phase_shares(result),
    }


def _fastest_s(results: Iterable[Result]) -> float | None:
    return min((result.median_s for result in results), default=None)


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def _phase_shares(result: Result) -> dict[str, float] | None:
    """Return each phase's share of the last round, over all cores; ``rest`` is Spark and waiting."""
    seconds = result.measurements.get("seconds")
    if not seconds:
        return None
    whole_s = result.seconds[-1] * result.measurements["phase_cores"]
    shares = {phase: seconds[phase] / whole_s for phase in PHASES}
    return {**shares, "rest": 1 - sum(shares.values())}
