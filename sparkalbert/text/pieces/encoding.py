"""Encodes a sentence and its tokens into piece ids, with the range of pieces of each token.

There are two encodings: ``sentence`` encodes the sentence's text as a whole, as ALBERT was trained, and finds the
pieces of each token by offsets; ``token`` encodes each token on its own, as Spark NLP does. Spark NLP's truncation
of long sentences is here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from sparkalbert.arrays import Int64Array
from sparkalbert.slices import bounded_slices
from sparkalbert.text.pieces.tokenizer import PieceTokenizer

__all__ = [
    "ENCODINGS",
    "NO_PIECE",
    "EncodedSentence",
    "Encoding",
    "encode_sentence",
    "encode_sentences",
    "encode_token_list",
    "encode_token_lists",
    "encode_tokens",
    "first_pieces",
    "joined_spans",
    "pieces_of_tokens",
    "truncate",
]

Encoding = Literal["sentence", "token"]
"""How tokens become pieces."""

NO_PIECE: Final = -1
"""The piece id of a token that has no piece."""

ENCODINGS: Final[tuple[str, ...]] = get_args(Encoding)

_MATCHED_CHARACTERS: Final = 1 << 16
"""Sentences of at most this many characters (some 10,000 tokens) are matched at once. The arrays of a match are several
times as large as its result, but so they do not grow with the number of sentences."""


@dataclass(frozen=True)
class EncodedSentence:
    """The piece ids of one sentence, without special pieces, and the range of pieces of each token.

    Attributes
    ----------
    ids
        int64 ``[pieces]``.
    ranges
        int64 ``[tokens, 2]``: first piece of each token and one past its last; an empty range for a token without
        a piece, such as a lone zero-width space. The index after the last piece of the sentence means the ``[SEP]``
        that will follow; only :func:`truncate` uses it.
    """

    ids: Int64Array
    ranges: Int64Array


def first_pieces(sentences: Sequence[EncodedSentence]) -> Int64Array:
    """Return the id of the first piece of each token of all sentences, int64 ``[tokens]``; -1 for none.

    Parameters
    ----------
    sentences
        Not truncated: after :func:`truncate` a range may be that of ``[SEP]``, whose id is not in the sentence.

    Examples
    --------
    >>> one = EncodedSentence(np.array([7, 8, 9]), np.array([[0, 2], [2, 2], [2, 3]]))
    >>> first_pieces([one, one]).tolist()
    [7, -1, 9, 7, -1, 9]
    """
    if not sentences:
        return np.zeros(0, dtype=np.int64)
    ranges = np.concatenate([sentence.ranges for sentence in sentences])
    ids = np.concatenate([sentence.ids for sentence in sentences])
    before = _exclusive_cumsum([len(sentence.ids) for sentence in sentences])
    starts = ranges[:, 0] + np.repeat(before, [len(sentence.ranges) for sentence in sentences])
    pieces = np.full(len(ranges), NO_PIECE)
    present = ranges[:, 1] > ranges[:, 0]
    pieces[present] = ids[starts[present]]
    return pieces


def encode_sentence(tokenizer: PieceTokenizer, text: str, spans: Int64Array) -> EncodedSentence:
    """Encode one sentence, as :func:`encode_sentences` does."""
    pieces = tokenizer.encode(text)
    return EncodedSentence(pieces.ids, pieces_of_tokens(pieces.offsets, spans))


def encode_sentences(
    tokenizer: PieceTokenizer, texts: Sequence[str], spans: Sequence[Int64Array]
) -> list[EncodedSentence]:
    """Encode the text of each sentence as a whole and find the pieces of each token by offsets.

    Parameters
    ----------
    tokenizer
        The model's tokenizer.
    texts
        The sentences.
    spans
        For each sentence int64 ``[tokens, 2]``: half-open code point spans of its tokens in the text, in order.

    Raises
    ------
    TextError
        If a text is not valid Unicode.
    """
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    encoded: list[EncodedSentence] = []
    for start, stop in bounded_slices(lengths, _MATCHED_CHARACTERS):
        encoded += _encoded_together(tokenizer, texts[start:stop], spans[start:stop])
    return encoded


def _encoded_together(
    tokenizer: PieceTokenizer, texts: Sequence[str], spans: Sequence[Int64Array]
) -> list[EncodedSentence]:
    """Match the tokens of all sentences at once, as parts of one text in which a character separates the sentences."""
    pieces = [(one.ids, one.offsets) for one in map(tokenizer.encode, texts)]  # without the pieces' strings
    lengths = np.array([len(text) for text in texts])
    shift = _exclusive_cumsum(lengths + 1)
    piece_counts = np.array([len(ids) for ids, _ in pieces])
    token_counts = [len(one) for one in spans]
    offsets = np.concatenate([one for _, one in pieces]) + np.repeat(shift, piece_counts)[:, None]
    inside = np.minimum(np.concatenate(spans), np.repeat(lengths, token_counts)[:, None])
    found = pieces_of_tokens(offsets, inside + np.repeat(shift, token_counts)[:, None])
    # A token after the last piece of its sentence has found the first piece of a later sentence.
    local = found - np.repeat(_exclusive_cumsum(piece_counts), token_counts)[:, None]
    ranges = np.minimum(local, np.repeat(piece_counts, token_counts)[:, None])
    stops = np.cumsum(token_counts).tolist()
    return [
        EncodedSentence(ids, ranges[stop - count : stop])
        for (ids, _), count, stop in zip(pieces, token_counts, stops, strict=True)
    ]


def encode_token_list(tokenizer: PieceTokenizer, tokens: Sequence[str]) -> EncodedSentence:
    """Encode one list of tokens, as :func:`encode_token_lists` does."""
    return encode_sentence(tokenizer, " ".join(tokens), joined_spans(tokens))


def encode_token_lists(tokenizer: PieceTokenizer, lists: Sequence[Sequence[str]]) -> list[EncodedSentence]:
    """Encode each list of tokens as the sentence that they form when joined by single spaces."""
    return encode_sentences(
        tokenizer, [" ".join(tokens) for tokens in lists], [joined_spans(tokens) for tokens in lists]
    )


def joined_spans(tokens: Sequence[str]) -> Int64Array:
    """Return the spans of tokens in the text that joins them by single spaces, int64 ``[tokens, 2]``.

    Examples
    --------
    >>> joined_spans(["I", "love", "NLP"]).tolist()
    [[0, 1], [2, 6], [7, 10]]
    """
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    spans = np.empty((len(tokens), 2), dtype=np.int64)
    np.subtract(np.cumsum(lengths + 1), 1, out=spans[:, 1])
    np.subtract(spans[:, 1], lengths, out=spans[:, 0])
    return spans


def encode_tokens(tokenizer: PieceTokenizer, tokens: Sequence[str], *, case_sensitive: bool = False) -> EncodedSentence:
    """Encode each token on its own, as Spark NLP does: lower-cased only, lone ``▁`` dropped.

    Raises
    ------
    TextError
        If a token is not valid Unicode.
    """
    ids = [tokenizer.encode_token(token, case_sensitive=case_sensitive).ids for token in tokens]
    stops = np.cumsum([len(piece_ids) for piece_ids in ids], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), stops[:-1]])[: len(ids)]
    joined = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int64)
    return EncodedSentence(joined, np.stack([starts, stops], axis=1))


def truncate(sentence: EncodedSentence, num_pieces: int) -> EncodedSentence:
    """Keep a sentence's first pieces and leave later tokens without pieces, as Spark NLP does.

    A token that begins right after the last piece that is kept gets the position of ``[SEP]``, and so its vector:
    Spark NLP pairs pieces with the model's rows, and that row still exists (seen in 5.5.3; ``Albert.scala``,
    ``predict``).

    Parameters
    ----------
    sentence
        The whole sentence.
    num_pieces
        Largest number of pieces to keep, at least 1.

    Examples
    --------
    >>> whole = EncodedSentence(np.arange(10, 16), np.array([[0, 1], [1, 4], [4, 5], [5, 6]]))
    >>> cut = truncate(whole, 2)
    >>> cut.ids.tolist(), cut.ranges.tolist()
    ([10, 11], [[0, 1], [1, 2], [0, 0], [0, 0]])
    >>> truncate(whole, 4).ranges.tolist()
    [[0, 1], [1, 4], [4, 5], [0, 0]]
    """
    if len(sentence.ids) <= num_pieces:
        return sentence
    starts, stops = sentence.ranges.T
    # A token has no pieces beyond its own; the token at [SEP] has that position only.
    stops = np.where(starts == num_pieces, np.minimum(stops, num_pieces + 1), np.minimum(stops, num_pieces))
    ranges = np.stack([starts, stops], axis=1)
    ranges[starts > num_pieces] = 0
    return EncodedSentence(sentence.ids[:num_pieces], ranges)


def pieces_of_tokens(piece_offsets: Int64Array, spans: Int64Array) -> Int64Array:
    """Return the range of pieces of each token, found by offsets.

    A token's first piece is the piece that holds the token's first character, as in ``word_ids`` of Hugging Face's
    fast tokenizers. A lone ``▁`` holds no character, so it is never a token's first or last piece. A piece that
    holds characters of two tokens is in the range of both, so that each token has a piece.

    Parameters
    ----------
    piece_offsets
        int64 ``[pieces, 2]``, as :attr:`sparkalbert.text.Pieces.offsets`: the span of each piece's characters,
        empty for a piece without characters.
    spans
        int64 ``[tokens, 2]``: the span of each token in the same text, in order.

    Returns
    -------
    ndarray
        int64 ``[tokens, 2]``: first piece and one past the last. The range is empty if no piece holds a character
        of the token (zero-width space, control characters).

    Examples
    --------
    The text ``see "U.N"`` and its pieces ``▁see ▁ " u . n "``:

    >>> offsets = np.array([[0, 3], [4, 4], [4, 5], [5, 6], [6, 7], [7, 8], [8, 9]])
    >>> pieces_of_tokens(offsets, np.array([[0, 3], [4, 5], [5, 8], [8, 9]])).tolist()
    [[0, 1], [2, 3], [3, 6], [6, 7]]
    """
    token_starts, token_stops = spans.T
    visible = np.flatnonzero(piece_offsets[:, 1] > piece_offsets[:, 0])
    begins, ends = piece_offsets[visible, 0], piece_offsets[visible, 1]
    first = np.searchsorted(ends, token_starts, side="right")
    stop = np.searchsorted(begins, token_stops, side="left")
    # An empty token inside a piece would find that piece, but it has no character there.
    empty = (stop <= first) | (token_stops <= token_starts)
    # One extra entry on each side means "after the last piece" and "before the first".
    firsts = np.append(visible, len(piece_offsets))[first]
    stops = np.concatenate([[0], visible + 1])[stop]
    return np.stack([firsts, np.where(empty, firsts, stops)], axis=1).astype(np.int64, copy=False)


def _exclusive_cumsum(counts: npt.ArrayLike) -> Int64Array:
    """Return the sum of the counts before each, int64 ``[parts]``."""
    counted = np.asarray(counts, dtype=np.int64)
    return np.cumsum(counted) - counted
