"""The task of NGramGenerator, which works on whole Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkalbert.arrays import Int64Array
from sparkalbert.ml.schema import CHUNK
from sparkalbert.ml.worker.arrow import annotation_array, list_array, metadata_array
from sparkalbert.ml.worker.fields import BEGIN, CHUNK_NUMBER, END, RESULT, SENTENCE, Field
from sparkalbert.ml.worker.rows import list_bounds, row_of_item, sentence_numbers

__all__ = ["NGramTask"]


@dataclass(frozen=True)
class NGramTask:
    """Joins tokens to n-grams, each within one sentence.

    Attributes
    ----------
    n
        Number of tokens in an n-gram.
    cumulative
        If true, shorter n-grams are returned too, from one token on.
    delimiter
        The text between the tokens.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = ((BEGIN, END, RESULT, SENTENCE, CHUNK_NUMBER),)
    """What is read of the tokens."""

    n: int
    cumulative: bool
    delimiter: str

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the n-grams of every row: sorted by sentence, then by position, then by length."""
        for columns in batches:
            _, valid = list_bounds(columns[0])
            row = row_of_item(columns[0])
            begin, end, result, sentence, chunk = (column.flatten() for column in columns)
            tokens = _SortedTokens.of(row, sentence_numbers(sentence))
            first, length, number = self._windows(tokens)
            head, last = tokens.order[first], tokens.order[first + length - 1]
            computed = pa.array(number).cast(pa.string())
            own = [
                ("sentence", pc.fill_null(sentence.take(pa.array(head)), "0")),
                ("chunk", pc.coalesce(chunk.take(pa.array(head)), computed)),
            ]
            items = annotation_array(
                CHUNK,
                np.asarray(begin, dtype=np.int64)[head],
                np.asarray(end, dtype=np.int64)[last],
                self._joined(result.take(pa.array(tokens.order)), first, length),
                metadata_array(own, len(head)),
                None,
            )
            counts = np.bincount(row[head], minlength=len(valid))
            yield list_array(counts, items, valid=valid, nullable=True)

    def _windows(self, tokens: _SortedTokens) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Return each n-gram's first token (in sorted order), its length and its number in the sentence."""
        parts: list[tuple[Int64Array, Int64Array, Int64Array]] = []
        before = np.zeros(len(tokens.order), dtype=np.int64)
        for length in range(1 if self.cumulative else self.n, self.n + 1):
            first = np.flatnonzero(tokens.place + length <= tokens.sentence_length)
            parts.append((first, np.full(len(first), length), (before + tokens.place)[first]))
            before += np.maximum(tokens.sentence_length - length + 1, 0)
        first, lengths, numbers = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.lexsort((numbers, first - tokens.place[first]))
        return first[order], lengths[order], numbers[order]

    def _joined(self, words: pa.Array, first: Int64Array, length: Int64Array) -> pa.Array:
        """Return the text of each n-gram; a null token reads ``null``, as on the JVM."""
        joined = pa.array([""] * len(first), type=pa.string())
        words = pc.fill_null(words, "null")
        for step in range(int(length.max(initial=0))):
            longer = pa.array(length > step)
            place = np.where(length > step, first + step, 0)
            glue = self.delimiter if step else ""
            more = pc.binary_join_element_wise(joined, words.take(pa.array(place)), glue)
            joined = pc.if_else(longer, more, joined)
        return joined


@dataclass(frozen=True)
class _SortedTokens:
    """The tokens of some rows by row and sentence, in the text's order within a sentence.

    Attributes
    ----------
    order
        int64 ``[n]``: the token at each place.
    place
        int64 ``[n]``: how many tokens of the same sentence come before.
    sentence_length
        int64 ``[n]``: how many tokens the sentence has.
    """

    order: Int64Array
    place: Int64Array
    sentence_length: Int64Array

    @classmethod
    def of(cls, row: Int64Array, sentence: Int64Array) -> _SortedTokens:
        count = len(row)
        order = np.lexsort((sentence, row))
        is_first = np.ones(count, dtype=bool)
        is_first[1:] = (np.diff(row[order]) != 0) | (np.diff(sentence[order]) != 0)
        starts = np.flatnonzero(is_first)
        lengths = np.diff(np.append(starts, count))
        place = np.arange(count) - np.repeat(starts, lengths)
        return cls(order, place, np.repeat(lengths, lengths))
