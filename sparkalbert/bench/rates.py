"""Computes rates from slices: the steady rate of a system, and its ratio to the slices of the reference beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from sparkalbert.bench.system import Job, Slice

__all__ = ["Rate", "Spread", "in_rounds", "ratios", "steady_rate"]


@dataclass(frozen=True)
class Rate:
    """How fast a slice ran once its job had started.

    Attributes
    ----------
    pieces_per_s, pieces_per_cpu_s
        Pieces per second of wall time, and of CPU time. None if unknown.
    job_s
        Wall time that the large job took beyond its steady rate: its start. None if unknown.
    """

    pieces_per_s: float | None
    pieces_per_cpu_s: float | None
    job_s: float | None


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and the lowest and the highest round."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Return the spread of some values, None if there are none.

        Examples
        --------
        >>> Spread.of([3.0, 1.0, 2.5])
        Spread(minimum=1.0, median=2.5, maximum=3.0)
        """
        found = list(values)
        return cls(min(found), median(found), max(found)) if found else None


def steady_rate(measured: Slice, pieces: Mapping[int, int]) -> Rate:
    """Return the rate of the rows that the large job has and the small one has not.

    The start of a job, which takes as long in the small one, drops out. Without a small job the large one counts as a
    whole. If the large job was not slower than the small one, because other load hit the small one, there is no rate:
    that of the whole large job would include its start.

    Parameters
    ----------
    measured
        The slice.
    pieces
        Number of pieces of the first rows, by number of rows.

    Examples
    --------
    >>> measured = Slice(0, 0, Job(10, 1.5, 2.0), Job(30, 3.5, 6.0))
    >>> steady_rate(measured, {10: 100, 30: 300})
    Rate(pieces_per_s=100.0, pieces_per_cpu_s=50.0, job_s=0.5)
    """
    small, large = measured.small, measured.large
    per_s = _per_second(small, large, pieces, lambda job: job.seconds)
    per_cpu_s = _per_second(small, large, pieces, lambda job: job.cpu_s)
    job_s = max(0.0, large.seconds - pieces[large.rows] / per_s) if small is not None and per_s else None
    return Rate(per_s, per_cpu_s, job_s)


def _per_second(
    small: Job | None, large: Job, pieces: Mapping[int, int], seconds: Callable[[Job], float | None]
) -> float | None:
    """Return pieces per second of the rows that only the large job has.

    None if a time is unknown or the large job was not slower.
    """
    before_s = 0.0 if small is None else seconds(small)
    after_s = seconds(large)
    if before_s is None or after_s is None or after_s <= before_s:
        return None
    before = 0 if small is None else pieces[small.rows]
    return (pieces[large.rows] - before) / (after_s - before_s)


def ratios(slices: Sequence[Slice], reference: Sequence[Slice], rate: Callable[[Slice], float | None]) -> Spread | None:
    """Return a system's rate divided by the mean rate of the reference's slices directly before and after.

    Parameters
    ----------
    slices, reference
        The slices of the system and of the reference.
    rate
        The rate to compare; slices without one are left out.
    """
    beside = {measured.place: rate(measured) for measured in reference}

    def ratio(measured: Slice) -> float | None:
        own = rate(measured)
        known = [found for step in (-1, 1) if (found := beside.get(measured.place + step))]
        return own / fmean(known) if own and known else None

    return in_rounds(slices, ratio)


def in_rounds(slices: Sequence[Slice], value: Callable[[Slice], float | None]) -> Spread | None:
    """Return the spread over rounds of the median of a value in each round; slices without a value are left out."""
    rounds: dict[int, list[float]] = {}
    for measured in slices:
        found = value(measured)
        if found is not None:
            rounds.setdefault(measured.round, []).append(found)
    return Spread.of(median(values) for values in rounds.values())
