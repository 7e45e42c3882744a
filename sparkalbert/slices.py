"""Cuts items of different sizes into slices of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator

from sparkalbert.arrays import Int64Array

__all__ = ["bounded_slices"]


def bounded_slices(sizes: Int64Array, limit: int, *, first_limit: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the start and stop of consecutive slices whose sizes add up to at most a limit, of at least one item each.

    Parameters
    ----------
    sizes
        int64 ``[items]``: the size of each item.
    limit
        Largest sum of a slice of more than one item.
    first_limit
        The limit of the first slice; it is multiplied by four from slice to slice until it reaches `limit`. The first
        items, for which ``show`` and ``take`` wait, then arrive soon.

    Examples
    --------
    >>> import numpy as np
    >>> list(bounded_slices(np.array([1, 2, 9, 1, 1, 1]), 3))
    [(0, 2), (2, 3), (3, 6)]
    >>> list(bounded_slices(np.ones(12, dtype=np.int64), 8, first_limit=1))
    [(0, 1), (1, 5), (5, 12)]
    """
    current = limit if first_limit is None else min(first_limit, limit)
    start, total = 0, 0
    for item, size in enumerate(sizes.tolist()):
        if item > start and total + size > current:
            yield start, item
            start, total = item, 0
            current = min(4 * current, limit)
        total += size
    if len(sizes) > start:
        yield start, len(sizes)
