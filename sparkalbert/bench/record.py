"""The record of a run as plain data: what JSON holds, tables show and pictures draw.

Ratios come from medians of one run. It computes from what contenders told and measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sparkalbert.bench.contender import Outcome
from sparkalbert.bench.sequences import EncodedTexts
from sparkalbert.stage_times import STAGES

__all__ = ["REFERENCE", "text_facts", "whole_record"]

REFERENCE: Final = "spark_nlp-default-fp32"
"""The contender whose words a second are the measure of all others'."""


def text_facts(texts: Sequence[str], encoded: EncodedTexts) -> dict[str, Any]:
    """Return the amounts of a text; words and pieces are ours, whoever embeds it."""
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
    machine: Mapping[str, Any], model: str, text: Mapping[str, Any], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Return everything about a run.

    Returns
    -------
    dict
        ``machine``, ``model``, ``text``, and ``contenders``: one object each with ``name``, ``title``,
        ``precision``, ``settings``, ``skipped``, ``seconds`` (of every round), ``median_s``,
        ``words_per_s``, ``pieces_per_s``, ``of_limit`` (throughput over that of the faster bare ONNX
        Runtime of the same precision), ``of_spark_nlp`` (over that of Spark NLP's defaults in fp32),
        ``padding_share``, ``memory_mb``, ``load_s`` and ``stage_shares``; null where it is not known.
    """
    ran = [outcome for outcome in outcomes if outcome.seconds]
    limits: dict[str, float] = {}
    for outcome in ran:
        if outcome.entry.kind == "bare":
            known = limits.get(outcome.entry.precision, outcome.median_s)
            limits[outcome.entry.precision] = min(known, outcome.median_s)
    reference = next((one.median_s for one in ran if one.entry.name == REFERENCE), None)
    contenders = [
        _contender(outcome, text, limits.get(outcome.entry.precision), reference) for outcome in outcomes
    ]
    return {"machine": dict(machine), "model": model, "text": dict(text), "contenders": contenders}


def _contender(
    outcome: Outcome, text: Mapping[str, Any], limit_s: float | None, reference_s: float | None
) -> dict[str, Any]:
    entry, facts = outcome.entry, outcome.facts
    median_s = outcome.median_s if outcome.seconds else None
    slots = facts.get("slots")
    return {
        "name": entry.name,
        "title": entry.title,
        "precision": entry.precision,
        "settings": outcome.settings,
        "skipped": outcome.skipped,
        "seconds": outcome.seconds,
        "median_s": median_s,
        "words_per_s": _ratio(text["words"], median_s),
        "pieces_per_s": _ratio(text["pieces"], median_s),
        "of_limit": _ratio(limit_s, median_s),
        "of_spark_nlp": _ratio(reference_s, median_s),
        "padding_share": 1 - facts["pieces"] / slots if slots else None,
        "calls": facts.get("calls"),
        "memory_mb": outcome.memory_mb,
        "load_s": outcome.load_s,
        "warm_up_vectors": outcome.warm_up_vectors,
        "stage_shares": _stage_shares(outcome),
    }


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def _stage_shares(outcome: Outcome) -> dict[str, float] | None:
    """Return each stage's share of the last round, over all cores; ``rest`` is Spark and waiting."""
    seconds = outcome.facts.get("seconds")
    if not seconds:
        return None
    whole_s = outcome.seconds[-1] * outcome.facts["stage_cores"]
    shares = {stage: seconds[stage] / whole_s for stage in STAGES}
    return {**shares, "rest": 1 - sum(shares.values())}
