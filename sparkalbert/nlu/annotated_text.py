"""A text with its sentences, words and vectors, whichever way they were computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparkalbert.arrays import BoolArray, Float32Array, Int64Array
from sparkalbert.embedded_text import EmbeddedText
from sparkalbert.offsets import is_bmp, utf16_index, utf16_length

__all__ = ["AnnotatedText", "Spans"]


@dataclass(frozen=True)
class Spans:
    """Parts of a text as annotation columns have them.

    Attributes
    ----------
    begin, end
        In UTF-16 units of the text, `end` inclusive.
    result
        The text of each part.
    """

    begin: Sequence[int]
    end: Sequence[int]
    result: Sequence[str]

    def __len__(self) -> int:
        return len(self.result)


@dataclass(frozen=True, eq=False)
class AnnotatedText:
    """A text with its sentences, words and vectors.

    Attributes
    ----------
    document
        The text as a whole.
    sentences, tokens
        Its parts.
    sentence
        int64 ``[tokens]``: the position of each word's sentence.
    piece
        int64 ``[tokens]``: the id of each word's first piece, -1 without a piece.
    vectors
        float32 ``[tokens, dimension]``.
    has_vector
        bool ``[tokens]``: false for words that Spark NLP leaves out, with compatibility ``spark-nlp``; else true.
    """

    document: Spans
    sentences: Spans
    tokens: Spans
    sentence: Int64Array
    piece: Int64Array
    vectors: Float32Array
    has_vector: BoolArray

    @classmethod
    def of(cls, text: str, embedded: EmbeddedText) -> AnnotatedText:
        """Return a text with what a WordEmbedder returned for it."""
        index = np.arange(len(text) + 1) if not text or is_bmp(text) else utf16_index(text)
        count = len(embedded)
        return cls(
            Spans([0], [utf16_length(text) - 1 if text else -1], [text]),
            _spans(text, index, embedded.sentence_start, embedded.sentence_stop),
            _spans(text, index, embedded.start, embedded.stop),
            np.array(embedded.sentence, dtype=np.int64),
            np.array(embedded.piece, dtype=np.int64),
            embedded.vectors,
            np.ones(count, dtype=bool),
        )


def _spans(text: str, index: Int64Array, start: list[int], stop: list[int]) -> Spans:
    parts = [text[first:last] for first, last in zip(start, stop, strict=True)]
    return Spans(index[start].tolist(), (index[stop] - 1).tolist(), parts)
