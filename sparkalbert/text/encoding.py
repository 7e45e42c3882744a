"""A sentence and its tokens to piece ids, and for each token the range of its pieces.

Two encodings: ``sentence`` encodes the sentence's text whole, as ALBERT was trained, and finds each
token's pieces by offsets; ``token`` encodes each token alone, as Spark NLP does. Spark NLP's cut at
the longest sentence is here too. It knows nothing about vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from sparkalbert.annotations import Span
from sparkalbert.text.alignment import pieces_of_tokens
from sparkalbert.text.pieces import PieceTokenizer

__all__ = [
    "ENCODINGS",
    "EncodedSentence",
    "Encoding",
    "encode_sentence",
    "encode_token_list",
    "encode_tokens",
    "truncate",
]

Int64Array = npt.NDArray[np.int64]

Encoding = Literal["sentence", "token"]
"""How tokens become pieces."""

ENCODINGS: Final[tuple[str, ...]] = get_args(Encoding)


@dataclass(frozen=True)
class EncodedSentence:
    """Piece ids of one sentence, without special tokens, and where each token's pieces lie.

    Attributes
    ----------
    ids
        int64 ``[pieces]``.
    ranges
        int64 ``[tokens, 2]``: first piece and one past the last of each token; an empty range for a
        token without a piece, such as a lone zero-width space. The index after the last piece stands
        for the ``[SEP]`` that will follow; only :func:`truncate` makes use of it.
    """

    ids: Int64Array
    ranges: Int64Array


def encode_sentence(tokenizer: PieceTokenizer, text: str, tokens: Sequence[Span]) -> EncodedSentence:
    """Encode a sentence's text whole and find each token's pieces by offsets.

    Parameters
    ----------
    tokenizer
        The model's tokenizer.
    text
        The sentence.
    tokens
        Where its tokens lie in `text`, in order.

    Raises
    ------
    TextError
        When the text is not valid Unicode.
    """
    pieces = tokenizer.encode(text)
    spans = np.array(tokens, dtype=np.int64).reshape(-1, 2)
    ranges = pieces_of_tokens(pieces.offsets, spans[:, 0], spans[:, 1])
    return EncodedSentence(np.asarray(pieces.ids, dtype=np.int64), ranges)


def encode_token_list(tokenizer: PieceTokenizer, tokens: Sequence[str]) -> EncodedSentence:
    """Encode a list of tokens as the sentence they make when joined by single spaces."""
    lengths = np.array([len(token) for token in tokens], dtype=np.int64)
    stops = np.cumsum(lengths + 1) - 1
    spans = [Span(int(stop - length), int(stop)) for stop, length in zip(stops, lengths, strict=True)]
    return encode_sentence(tokenizer, " ".join(tokens), spans)


def encode_tokens(
    tokenizer: PieceTokenizer, tokens: Sequence[str], *, case_sensitive: bool = False
) -> EncodedSentence:
    """Encode each token alone, as Spark NLP does: lower-cased only, lone ``▁`` dropped.

    Raises
    ------
    TextError
        When a token is not valid Unicode.
    """
    ids = [
        np.asarray(tokenizer.encode_token(token, case_sensitive=case_sensitive).ids, dtype=np.int64)
        for token in tokens
    ]
    stops = np.cumsum([len(piece_ids) for piece_ids in ids], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), stops[:-1]])[: len(ids)]
    joined = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int64)
    return EncodedSentence(joined, np.stack([starts, stops], axis=1))


def truncate(sentence: EncodedSentence, num_pieces: int) -> EncodedSentence:
    """Keep a sentence's first pieces and leave later tokens without any, as Spark NLP does.

    A token that begins right after the last piece kept takes the place of ``[SEP]``, and so its vector:
    Spark NLP pairs pieces with the model's rows, and that row is still there (seen in 5.5.3;
    ``Albert.scala``, ``predict``).

    Parameters
    ----------
    sentence
        The whole sentence.
    num_pieces
        Most pieces to keep, at least 1.

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
    # Beyond its own pieces a token has none; the one on [SEP] has that place alone.
    stops = np.where(starts == num_pieces, np.minimum(stops, num_pieces + 1), np.minimum(stops, num_pieces))
    ranges = np.stack([starts, stops], axis=1)
    ranges[starts > num_pieces] = 0
    return EncodedSentence(sentence.ids[:num_pieces], ranges)
