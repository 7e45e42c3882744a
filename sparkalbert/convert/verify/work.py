"""Counts the work of a verification, for its progress."""

from __future__ import annotations

from collections.abc import Sequence

from sparkalbert.convert.conversion import Report

__all__ = ["Work", "comparison_work"]


class Work:
    """Adds up the vectors that were computed, by the graph and by the reference.

    Parameters
    ----------
    report
        Called after each addition; None if nobody watches.
    total
        Number of vectors in all: one per piece and layer.
    """

    def __init__(self, report: Report | None, total: int) -> None:
        self._report = report
        self._total = total
        self._done = 0

    def add(self, vectors: int) -> None:
        """Count vectors as computed."""
        self._done += vectors
        if self._report is not None:
            self._report(self._done, self._total)


def comparison_work(pieces: int, num_layers: int, compared: Sequence[int]) -> int:
    """Return the number of vectors of a comparison.

    Parameters
    ----------
    pieces
        Number of pieces, without padding.
    num_layers
        Layers of the model; the reference computes each of them once.
    compared
        The layers that are compared; for each of them the graph computes the layers up to it.
    """
    return pieces * (num_layers + sum(compared))
