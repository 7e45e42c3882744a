"""Which pieces belong to which token, found by their offsets.

It knows nothing about vocabularies or vectors: only half-open ranges of one text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["pieces_of_tokens"]

IntArray = npt.NDArray[np.int64]


def pieces_of_tokens(piece_offsets: IntArray, token_starts: IntArray, token_stops: IntArray) -> IntArray:
    """Return, for each token, the range of pieces that show its characters.

    A token's first piece is the one with the token's first character, as in ``word_ids`` of Hugging
    Face's fast tokenizers. A lone ``▁`` shows no character, so it is no token's first or last piece.
    A piece that shows characters of two tokens is in the range of both, so that each has one.

    Parameters
    ----------
    piece_offsets
        int64 ``[pieces, 2]``, as :attr:`sparkalbert.text.Pieces.offsets`: where each piece's
        characters lie; an empty range for a piece that shows none.
    token_starts, token_stops
        int64 ``[tokens]``: where each token lies in the same text. Tokens are in order.

    Returns
    -------
    ndarray
        int64 ``[tokens, 2]``: first piece and one past the last. The range is empty when no piece
        shows a character of the token (zero-width space, control characters).

    Examples
    --------
    The text ``see "U.N"`` and its pieces ``▁see ▁ " u . n "``:

    >>> offsets = np.array([[0, 3], [4, 4], [4, 5], [5, 6], [6, 7], [7, 8], [8, 9]])
    >>> pieces_of_tokens(offsets, np.array([0, 4, 5, 8]), np.array([3, 5, 8, 9])).tolist()
    [[0, 1], [2, 3], [3, 6], [6, 7]]
    """
    showing = np.flatnonzero(piece_offsets[:, 1] > piece_offsets[:, 0])
    begins, ends = piece_offsets[showing, 0], piece_offsets[showing, 1]
    first = np.searchsorted(ends, token_starts, side="right")
    stop = np.searchsorted(begins, token_stops, side="left")
    # An empty token inside a piece would find it; it shows nothing, so it owns nothing.
    empty = (stop <= first) | (token_stops <= token_starts)
    # One entry more on each side stands for "after the last piece" and "before the first".
    firsts = np.append(showing, len(piece_offsets))[first]
    stops = np.concatenate([[0], showing + 1])[stop]
    return np.stack([firsts, np.where(empty, firsts, stops)], axis=1).astype(np.int64, copy=False)
