"""Builds the record of a run as plain data, for JSON, tables and pictures. Ratios come from the medians of one run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from sparkalbert.bench.rates import Spread, in_rounds, ratios, steady_rate
from sparkalbert.bench.system import Job, Result, Slice
from sparkalbert.bundle import Bundle
from sparkalbert.inference.sequences import EncodedTexts, encode_texts
from sparkalbert.timings import PHASES

__all__ = ["SPARK_NLP_DEFAULTS", "prefix_counts", "text_facts", "whole_record"]

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


def prefix_counts(bundle: Bundle, texts: Sequence[str], results: Sequence[Result]) -> dict[int, tuple[int, int]]:
    """Return the numbers of words and of pieces of the first rows, by the number of rows of each job."""
    sizes = sorted({job.rows for result in results for measured in result.slices for job in measured.jobs})
    counts: dict[int, tuple[int, int]] = {}
    words = pieces = 0
    for start, stop in pairwise([0, *sizes]):
        encoded = encode_texts(bundle, texts[start:stop])
        words += sum(encoded.words)
        pieces += encoded.pieces
        counts[stop] = words, pieces
    return counts


def whole_record(
    machine: Mapping[str, Any],
    cores: int,
    model: str,
    text: Mapping[str, Any],
    results: Sequence[Result],
    counts: Mapping[int, tuple[int, int]],
) -> dict[str, Any]:
    """Return everything about a run.

    Parameters
    ----------
    machine
        See :func:`~sparkalbert.machine.machine_facts`.
    cores
        Number of cores that the systems used.
    model
        Description of the model.
    text
        See :func:`text_facts`.
    results
        What was measured. Of each precision, the first system that ran is the reference of the ratios.
    counts
        See :func:`prefix_counts`.

    Returns
    -------
    dict
        ``machine``, ``cores``, ``model``, ``text``, ``other_cores`` (how many of ``machine_cores`` other processes
        took), and ``systems``: one object per system with ``name``, ``title``, ``precision``, ``settings``,
        ``skipped``, ``failed``; ``slices``, as measured, and ``slices_left_out``, the number of slices without a steady
        rate (see :func:`~sparkalbert.bench.rates.steady_rate`); ``words_per_s``, ``pieces_per_s`` and
        ``pieces_per_cpu_s`` in steady state; ``start_s``, the start of the system up to its first vectors, and
        ``job_s``, the start of a job in a running session; ``other_cores``, ``padding_share``, ``batches``,
        ``memory_mb``, ``warm_up_vectors``, ``phase_shares``; and
        ratios to other systems of the same precision: ``of_limit`` (to bare ONNX Runtime) and ``of_limit_cpu`` (the
        same per CPU second), ``of_product`` (to the lone product, per CPU second), ``of_spark_nlp`` (to Spark NLP's
        defaults) and ``of_best_spark_nlp`` (to the fastest of Spark NLP's settings). Figures are medians of the
        rounds; for ``words_per_s``, ``of_limit`` and ``of_limit_cpu`` the lowest and the highest round have the same
        name with the suffix ``_range``. A value that is not known is null.
    """
    ran = [result for result in results if result.slices]
    systems = [_system(result, ran, counts) for result in results]
    jobs = [job for result in ran for measured in result.slices for job in measured.jobs]
    return {
        "machine": dict(machine),
        "cores": cores,
        "machine_cores": os.cpu_count(),
        "other_cores": _other_cores(jobs),
        "model": model,
        "text": dict(text),
        "systems": systems,
    }


@dataclass(frozen=True)
class _Compared:
    """A system's ratios to the reference of its precision."""

    kind: str
    name: str
    wall: Spread | None
    cpu: Spread | None


def _system(result: Result, ran: Sequence[Result], counts: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    spec, measurements = result.spec, result.measurements
    pieces = {rows: count for rows, (_, count) in counts.items()}
    compared = [_compared(other, ran, pieces) for other in ran if other.spec.precision == spec.precision]
    own = next((one for one in compared if one.name == spec.name), None)
    slots = measurements.get("slots")

    def rate(measured: Slice) -> float | None:
        return steady_rate(measured, pieces).pieces_per_s

    def words_per_s(measured: Slice) -> float | None:
        words, its_pieces = counts[measured.large.rows]
        pieces_per_s = rate(measured)
        return None if pieces_per_s is None else pieces_per_s * words / max(its_pieces, 1)

    words = in_rounds(result.slices, words_per_s)
    # Products of a model are not the whole model, so their rate is not compared with the whole model's limit.
    in_limit = own is not None and spec.kind != "product" and any(one.kind == "bare" for one in compared)
    limit, limit_cpu = (own.wall, own.cpu) if own is not None and in_limit else (None, None)
    return {
        "name": spec.name,
        "title": spec.title,
        "precision": spec.precision,
        "settings": result.settings,
        "skipped": result.skipped,
        "failed": result.failed,
        "slices": [asdict(measured) for measured in result.slices],
        "slices_left_out": sum(rate(measured) is None for measured in result.slices),
        "words_per_s": _median(words),
        "words_per_s_range": _range(words),
        "pieces_per_s": _median(in_rounds(result.slices, rate)),
        "pieces_per_cpu_s": _median(in_rounds(result.slices, lambda one: steady_rate(one, pieces).pieces_per_cpu_s)),
        "of_limit": _median(limit),
        "of_limit_range": _range(limit),
        "of_limit_cpu": _median(limit_cpu),
        "of_limit_cpu_range": _range(limit_cpu),
        "of_product": _quotient(own, [one for one in compared if one.kind == "product"], "cpu"),
        "of_spark_nlp": _quotient(own, [one for one in compared if one.name.startswith(SPARK_NLP_DEFAULTS)], "wall"),
        "of_best_spark_nlp": _quotient(own, [one for one in compared if one.kind == "spark_nlp"], "wall"),
        "start_s": result.start_s,
        "job_s": _median(in_rounds(result.slices, lambda measured: steady_rate(measured, pieces).job_s)),
        "other_cores": _other_cores([job for measured in result.slices for job in measured.jobs]),
        "padding_share": 1 - measurements["pieces"] / slots if slots else None,
        "batches": measurements.get("batches"),
        "memory_mb": result.memory_mb,
        "warm_up_vectors": result.warm_up_vectors,
        "phase_shares": _phase_shares(result),
    }


def _compared(result: Result, ran: Sequence[Result], pieces: Mapping[int, int]) -> _Compared:
    """Compare a system with the first one of its precision, of whose slices one is before and one after each."""
    spec = result.spec
    reference = next(other for other in ran if other.spec.precision == spec.precision)
    if result is reference:
        same = Spread(1.0, 1.0, 1.0)
        return _Compared(spec.kind, spec.name, same, same)
    wall = ratios(result.slices, reference.slices, lambda measured: steady_rate(measured, pieces).pieces_per_s)
    cpu = ratios(result.slices, reference.slices, lambda measured: steady_rate(measured, pieces).pieces_per_cpu_s)
    return _Compared(spec.kind, spec.name, wall, cpu)


def _quotient(own: _Compared | None, others: Sequence[_Compared], time: Literal["wall", "cpu"]) -> float | None:
    """Return a system's ratio to the reference, divided by the highest one of other systems."""
    mine = None if own is None else _median(getattr(own, time))
    theirs = [found for other in others if (found := _median(getattr(other, time))) is not None]
    return mine / max(theirs) if mine is not None and theirs else None


def _median(spread: Spread | None) -> float | None:
    return None if spread is None else spread.median


def _range(spread: Spread | None) -> list[float] | None:
    return None if spread is None else [spread.minimum, spread.maximum]


def _other_cores(jobs: Sequence[Job]) -> float | None:
    """Return the average number of cores used by processes outside the running system."""
    known = [(job.other_cpu_s, job.seconds) for job in jobs if job.other_cpu_s is not None]
    return sum(cpu_s for cpu_s, _ in known) / sum(seconds for _, seconds in known) if known else None


def _phase_shares(result: Result) -> dict[str, float] | None:
    """Return each phase's share of the last slice, over all cores; ``rest`` is Spark and waiting."""
    seconds = result.measurements.get("seconds")
    if not seconds or not result.slices:  # it may have failed after its unmeasured round
        return None
    whole_s = sum(job.seconds for job in result.slices[-1].jobs) * result.measurements["phase_cores"]
    shares = {phase: seconds[phase] / whole_s for phase in PHASES}
    return {**shares, "rest": 1 - sum(shares.values())}
