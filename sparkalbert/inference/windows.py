"""Covers long sentences with overlapping windows, and finds the window with the most context for each word.

A sentence's windows depend on that sentence alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sparkalbert.arrays import Int64Array

__all__ = ["best_window", "window_starts"]

_MAX_OVERLAPPING: Final = 6
"""No piece is in more windows than this. Counted for every capacity up to 60 and sentence up to 400 pieces, at most 3
windows contain a piece."""


def window_starts(num_pieces: int, capacity: int) -> Int64Array:
    """Return where each window of `capacity` pieces starts.

    Consecutive windows overlap by at least half; the starts are spread evenly and the last window ends with the
    sentence. A sentence that fits has one window.

    Parameters
    ----------
    num_pieces
        Number of pieces of the sentence, without special pieces.
    capacity
        Number of pieces in a window, without special pieces; at least 1.

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
    """Return the window that gives each span of pieces the most context.

    The context of a span is the smaller number of pieces to its left and to its right in the window; the edges
    of the sentence itself do not count. Ties go to the earlier window. The rule is modelled on that of BERT's
    ``run_squad.py`` (``_check_is_max_context``), in which the edges of a document count, too, and a hundredth of the
    window's length is added to the context.

    Parameters
    ----------
    first, last
        int64 ``[spans]``: first and last piece of each span, inclusive.
    num_pieces, capacity
        As in :func:`window_starts`.

    Returns
    -------
    ndarray
        int64 ``[spans]``: index of the window, -1 for a span that fits into none.

    Examples
    --------
    >>> best_window(np.array([0, 3, 9, 0]), np.array([0, 3, 9, 5]), 10, 4).tolist()
    [0, 1, 3, -1]
    """
    starts = window_starts(num_pieces, capacity)
    newest = np.searchsorted(starts, first, side="right") - 1
    best = np.full(len(first), -1, dtype=np.int64)
    best_context = np.full(len(first), -1, dtype=np.int64)
    for step in range(min(len(starts), _MAX_OVERLAPPING)):
        window = np.maximum(newest - step, 0)
        start, stop = starts[window], starts[window] + capacity
        left = np.where(start == 0, capacity, first - start)
        right = np.where(stop >= num_pieces, capacity, stop - 1 - last)
        context = np.where((stop > last) & (newest >= step), np.minimum(left, right), -1)
        better = (context > best_context) | ((context == best_context) & (context >= 0))
        best, best_context = np.where(better, window, best), np.where(better, context, best_context)
    return best
