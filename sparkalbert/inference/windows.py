"""Sentences longer than the model: overlapping windows, each word from the one that sees it best.

It knows piece counts and positions only. A sentence's windows depend on that sentence alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["best_window", "window_starts"]

Int64Array = npt.NDArray[np.int64]

_MOST_OVERLAPPING = 6
"""Most windows that can hold one piece: starts are never closer than a quarter of the capacity."""


def window_starts(num_pieces: int, capacity: int) -> Int64Array:
    """Return where each window of `capacity` pieces starts.

    Neighbours overlap by at least half; the starts are spread evenly and the last window ends with
    the sentence. A sentence that fits has one window.

    Parameters
    ----------
    num_pieces
        Pieces of the sentence, without special tokens.
    capacity
        Pieces a window holds, without special tokens; at least 1.

    Returns
    -------
    ndarray
        int64 ``[windows]``, strictly ascending, first 0.

    Examples
    --------
    >>> window_starts(10, 4).tolist()
    [0, 2, 4, 6]
    >>> window_starts(3, 4).tolist()
    [0]
    """
    excess = max(num_pieces - capacity, 0)
    stride = max(capacity // 2, 1)
    windows = 1 + -(-excess // stride)
    if windows == 1:
        return np.zeros(1, dtype=np.int64)
    return np.arange(windows, dtype=np.int64) * excess // (windows - 1)


def best_window(first: Int64Array, last: Int64Array, num_pieces: int, capacity: int) -> Int64Array:
    """Return the window that gives each stretch of pieces most context.

    The context of a stretch is the smaller of what its window holds to its left and to its right; at
    the sentence's own edges nothing is missing, so nothing is counted as missing. Ties go to the
    earlier window. The rule is that of BERT's ``run_squad.py`` (``_check_is_max_context``).

    Parameters
    ----------
    first, last
        int64 ``[stretches]``: first and last piece of each stretch, inclusive.
    num_pieces, capacity
        As in :func:`window_starts`.

    Returns
    -------
    ndarray
        int64 ``[stretches]``: index of the window, -1 for a stretch that fits into none.

    Examples
    --------
    >>> best_window(np.array([0, 3, 9, 0]), np.array([0, 3, 9, 5]), 10, 4).tolist()
    [0, 1, 3, -1]
    """
    starts = window_starts(num_pieces, capacity)
    newest = np.searchsorted(starts, first, side="right") - 1
    best = np.full(len(first), -1, dtype=np.int64)
    most = np.full(len(first), -1, dtype=np.int64)
    for step in range(min(len(starts), _MOST_OVERLAPPING)):
        window = np.maximum(newest - step, 0)
        start, stop = starts[window], starts[window] + capacity
        left = np.where(start == 0, capacity, first - start)
        right = np.where(stop >= num_pieces, capacity, stop - 1 - last)
        context = np.where((stop > last) & (newest >= step), np.minimum(left, right), -1)
        better = (context > most) | ((context == most) & (context >= 0))
        best, most = np.where(better, window, best), np.where(better, context, most)
    return best
