"""Piece vectors to word vectors.

It knows which pieces of a word count and how they become one vector, nothing about windows or calls.
The names are flair's (``TransformerWordEmbeddings``, parameter ``subtoken_pooling``).
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from sparkalbert.errors import ParamError

__all__ = ["POOLINGS", "Pooling", "check_pooling", "pieces_needed", "pool", "vectors_per_word"]

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

Pooling = Literal["first", "last", "mean", "first_last"]
"""Which of a word's pieces make its vector: the first, the last, the mean of all, or the first and
the last side by side (twice as wide)."""

POOLINGS: Final[tuple[str, ...]] = get_args(Pooling)


def check_pooling(pooling: str) -> None:
    """Raise ParamError unless `pooling` is a known one."""
    if pooling not in POOLINGS:
        msg = f"pooling is {pooling!r}, expected one of {', '.join(POOLINGS)}."
        raise ParamError(msg)


def vectors_per_word(pooling: Pooling) -> int:
    """Return how many piece vectors stand side by side in a word vector: 1, or 2 for first_last."""
    return 2 if pooling == "first_last" else 1


def pieces_needed(ranges: Int64Array, pooling: Pooling) -> tuple[Int64Array, Int64Array]:
    """Return the pieces whose vectors are needed, word by word.

    Parameters
    ----------
    ranges
        int64 ``[words, 2]``, half-open piece range of each word.
    pooling
        Which pieces count.

    Returns
    -------
    pieces : ndarray
        int64 ``[needed]``, piece indices.
    counts : ndarray
        int64 ``[words]``: how many of them belong to each word; 0 where the word has no piece.

    Examples
    --------
    >>> ranges = np.array([[0, 3], [3, 3], [3, 4]])
    >>> pieces, counts = pieces_needed(ranges, "first_last")
    >>> pieces.tolist(), counts.tolist()
    ([0, 2, 3, 3], [2, 0, 2])
    """
    starts, stops = ranges[:, 0], ranges[:, 1]
    present = stops > starts
    if pooling == "mean":
        counts = stops - starts
        firsts = np.cumsum(counts) - counts
        return np.arange(counts.sum()) - np.repeat(firsts - starts, counts), counts
    chosen = {"first": [starts], "last": [stops - 1], "first_last": [starts, stops - 1]}[pooling]
    pieces = np.stack(chosen, axis=1)[present].reshape(-1)
    return pieces, present.astype(np.int64) * len(chosen)


def pool(vectors: Float32Array, counts: Int64Array, pooling: Pooling) -> Float32Array:
    """Return one vector a word from the vectors of :func:`pieces_needed`; zeros for words without any.

    Parameters
    ----------
    vectors
        float32 ``[needed, hidden]``, in the order of :func:`pieces_needed`.
    counts
        int64 ``[words]``.
    pooling
        The same as there.

    Returns
    -------
    ndarray
        float32 ``[words, dimension]``; ``dimension`` is ``hidden``, twice that for first_last.
    """
    width = vectors.shape[1] * vectors_per_word(pooling)
    present = counts > 0
    if pooling == "mean":
        firsts = (np.cumsum(counts) - counts)[present]
        found: Float32Array = np.add.reduceat(vectors, firsts, axis=0) if len(firsts) else vectors[:0]
        found /= counts[present, None].astype(np.float32)
    else:
        found = vectors.reshape(-1, width)
    if present.all():
        return found
    words = np.zeros((len(counts), width), dtype=np.float32)
    words[present] = found
    return words
