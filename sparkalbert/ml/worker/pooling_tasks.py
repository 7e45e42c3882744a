"""The tasks of SentenceEmbeddings and ChunkEmbeddings, which pool word vectors on whole Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkalbert.arrays import BoolArray, Float32Array, Int64Array
from sparkalbert.errors import ColumnError
from sparkalbert.ml.schema import SENTENCE_EMBEDDINGS, WORD_EMBEDDINGS
from sparkalbert.ml.worker.arrow import (
    annotation_array,
    list_array,
    map_array,
    metadata_array,
    string_array,
)
from sparkalbert.ml.worker.fields import (
    BEGIN,
    CHUNK_NUMBER,
    EMBEDDINGS,
    END,
    IS_OOV,
    METADATA,
    RESULT,
    SENTENCE,
    Field,
)
from sparkalbert.ml.worker.rows import (
    item_counts,
    list_bounds,
    null_together,
    ranges,
    row_groups,
    row_of_item,
    sentence_numbers,
)

__all__ = ["ChunkVectorTask", "SentenceVectorTask", "Strategy"]

Strategy = Literal["AVERAGE", "SUM"]

_FLOAT_BYTES: Final = 4
_GROUP_BYTES: Final = 32 << 20
"""Bytes of vectors read or returned together. Chunks that overlap, such as n-grams, may be more than the words."""


@dataclass(frozen=True)
class SentenceVectorTask:
    """Computes one vector per sentence; the vector of a sentence without words is empty.

    Attributes
    ----------
    strategy
        Whether the vectors of a sentence's words are averaged or added.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = (
        (BEGIN, END, RESULT, SENTENCE),
        (SENTENCE, EMBEDDINGS),
    )
    """What is read of the sentences, then of the words."""

    strategy: Strategy

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the sentences of every row with their vectors, in order."""
        for rows in row_groups(map(null_together, batches), _vector_bytes, _GROUP_BYTES):
            row, word_row = row_of_item(rows[0]), row_of_item(rows[-1])
            begin, end, result, sentence, word_sentence, embeddings = (column.flatten() for column in rows)
            number = sentence_numbers(sentence)
            members, counts = _members_by_sentence(_keys(row, number), _keys(word_row, sentence_numbers(word_sentence)))
            own = {
                "sentence": pa.array(number).cast(pa.string()),
                "token": result,
                "pieceId": string_array(["-1"] * len(result)),
                "isWordStart": string_array(["true"] * len(result)),
            }
            items = annotation_array(
                SENTENCE_EMBEDDINGS,
                np.asarray(begin, dtype=np.int64),
                np.asarray(end, dtype=np.int64),
                result,
                metadata_array(list(own.items()), len(result)),
                _Vectors.of(embeddings).pooled(members, counts, self.strategy),
            )
            yield _by_row(row, items, rows[0])


@dataclass(frozen=True)
class ChunkVectorTask:
    """Computes one vector per chunk; a chunk without words is left out.

    Attributes
    ----------
    strategy
        Whether the vectors of a chunk's words are averaged or added.
    skip_oov
        If true, words without a vector of their own count only in chunks without other words.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = (
        (BEGIN, END, RESULT, SENTENCE, CHUNK_NUMBER, METADATA),
        (BEGIN, END, SENTENCE, IS_OOV, EMBEDDINGS),
    )
    """What is read of the chunks, then of the words."""

    strategy: Strategy
    skip_oov: bool

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the chunks of every row with their vectors, in order."""
        for rows in row_groups(map(null_together, batches), _vector_bytes, _GROUP_BYTES):
            row, word_row = row_of_item(rows[0]), row_of_item(rows[-1])
            flat = [column.flatten() for column in rows]
            begin, end, result, sentence, chunk, metadata = flat[: len(self.inputs[0])]
            word_begin, word_end, word_sentence, is_oov, embeddings = flat[len(self.inputs[0]) :]
            members, counts = _members_by_place(
                _Spans.of(row, sentence, begin, end),
                _Spans.of(word_row, word_sentence, word_begin, word_end),
                np.asarray(pc.fill_null(pc.equal(is_oov, "true"), fill_value=False)) if self.skip_oov else None,
            )
            kept = pa.array(counts > 0)
            own = {
                "sentence": pc.fill_null(sentence, "0").filter(kept),
                "chunk": pc.fill_null(chunk, "0").filter(kept),
                "token": result.filter(kept),
                "pieceId": string_array(["-1"] * int((counts > 0).sum())),
                "isWordStart": string_array(["true"] * int((counts > 0).sum())),
            }
            items = annotation_array(
                WORD_EMBEDDINGS,
                np.asarray(begin.filter(kept), dtype=np.int64),
                np.asarray(end.filter(kept), dtype=np.int64),
                own["token"],
                _with_others(own, metadata.filter(kept)),
                _Vectors.of(embeddings).pooled(members, counts[counts > 0], self.strategy),
            )
            yield _by_row(row[counts > 0], items, rows[0])


def _vector_bytes(columns: tuple[pa.Array, ...]) -> Int64Array:
    """Return the bytes of vectors of each row, int64 ``[rows]``: those read or, if they are more, those returned."""
    words, valid = list_bounds(columns[-1])
    floats, _ = list_bounds(columns[-1].values)
    read = np.where(valid, np.diff(floats[words]), 0)
    returned, _ = item_counts(columns[0])
    sizes: Int64Array = np.maximum(read, returned * np.diff(floats).max(initial=0)) * _FLOAT_BYTES
    return sizes


@dataclass(frozen=True)
class _Spans:
    """The spans of annotations; all int64 ``[n]``.

    Attributes
    ----------
    key
        The same number for annotations of the same sentence of the same row.
    begin, end
        In UTF-16 units, `end` inclusive.
    """

    key: Int64Array
    begin: Int64Array
    end: Int64Array

    @classmethod
    def of(cls, row: Int64Array, sentence: pa.Array, begin: pa.Array, end: pa.Array) -> _Spans:
        places = (np.asarray(values, dtype=np.int64) for values in (begin, end))
        return cls(_keys(row, sentence_numbers(sentence)), *places)


@dataclass(frozen=True)
class _Vectors:
    """Word vectors of any widths.

    Attributes
    ----------
    matrix
        float32 ``[n, widest]``, zeros beyond a vector's end.
    width
        int64 ``[n]``; 0 where there is no vector.
    """

    matrix: Float32Array
    width: Int64Array

    @classmethod
    def of(cls, vectors: pa.Array) -> _Vectors:
        """Return the vectors of ``list<float>`` ``[n]``."""
        bounds, valid = list_bounds(vectors)
        width = np.where(valid, np.diff(bounds), 0)
        widest = int(width.max(initial=0))
        values = np.asarray(vectors.flatten(), dtype=np.float32)
        if (width == widest).all():
            return cls(values.reshape(len(width), widest), width)
        matrix = np.zeros((len(width), widest), dtype=np.float32)
        matrix[np.arange(widest) < width[:, None]] = values
        return cls(matrix, width)

    def pooled(self, members: Int64Array, counts: Int64Array, strategy: Strategy) -> pa.Array:
        """Return ``list<float>``: one vector of the first ``counts[0]`` members, and so on.

        They are added one after another in single precision, as on the JVM, so that the sums are the
        same bit for bit. Without members the vector is empty.

        Raises
        ------
        ColumnError
            If the vectors of a sentence or chunk have different widths.
        """
        starts = np.cumsum(counts) - counts
        sums = np.zeros((len(counts), self.matrix.shape[1]), dtype=np.float32)
        width = np.zeros(len(counts), dtype=np.int64)
        for step in range(int(counts.max(initial=0))):
            left = np.flatnonzero(counts > step)
            some = members[starts[left] + step]
            sums[left] += self.matrix[some]
            width[left] = self.width[some] if step == 0 else width[left]
            if not np.array_equal(width[left], self.width[some]):
                msg = "Vectors of different widths cannot be pooled. Pool the vectors of one model only."
                raise ColumnError(msg)
        if strategy == "AVERAGE":
            sums /= np.maximum(counts, 1).astype(np.float32)[:, None]
        flat = pa.array(sums[np.arange(sums.shape[1]) < width[:, None]])
        return list_array(width, flat, valid=np.ones(len(counts), dtype=bool), nullable=False)


def _keys(row: Int64Array, sentence: Int64Array) -> Int64Array:
    """Return a number for each pair, the same for the same pair."""
    return (row << np.int64(32)) + sentence


def _members_by_sentence(keys: Int64Array, words: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the words of each key, joined, and how many each has."""
    order = np.argsort(words, kind="stable")
    in_order = words[order]
    first = np.searchsorted(in_order, keys, side="left")
    counts = np.searchsorted(in_order, keys, side="right") - first
    return order[ranges(first, counts)], counts


def _members_by_place(chunks: _Spans, words: _Spans, is_oov: BoolArray | None) -> tuple[Int64Array, Int64Array]:
    """Return the words inside each chunk, joined, and how many each has.

    Parameters
    ----------
    chunks, words
        A word is inside a chunk of its own sentence only.
    is_oov
        bool ``[words]``: words that count only where a chunk has no others; None for none.
    """
    # One number for sentence and offset: all words of a sentence that begin inside a chunk are a stretch.
    _, sentence = np.unique(np.concatenate([words.key, chunks.key]), return_inverse=True)
    low = int(words.begin.min(initial=0))
    span = int(words.begin.max(initial=0)) - low + 2

    def place(sentence: Int64Array, offset: Int64Array) -> Int64Array:
        return sentence * span + np.clip(offset - low, 0, span - 1)

    places = place(sentence[: len(words.key)], words.begin)
    order = np.argsort(places, kind="stable")
    in_chunks = sentence[len(words.key) :]
    first = np.searchsorted(places[order], place(in_chunks, chunks.begin))
    counts = np.maximum(np.searchsorted(places[order], place(in_chunks, chunks.end + 1)) - first, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    members = order[ranges(first, counts)]
    inside = words.end[members] <= chunks.end[owner]
    owner, members = owner[inside], members[inside]
    if is_oov is not None:
        known = ~is_oov[members]
        has_known = np.bincount(owner[known], minlength=len(counts)) > 0
        owner, members = owner[known | ~has_known[owner]], members[known | ~has_known[owner]]
    in_text = np.lexsort((members, owner))
    return members[in_text], np.bincount(owner, minlength=len(counts))


def _with_others(own: dict[str, pa.Array], entries: pa.Array) -> pa.Array:
    """Return `own` metadata, followed by the `entries` (``list<struct<key, value>>``) with other keys."""
    columns = list(own.items())
    keys = entries.flatten().field("key")
    if pc.all(pc.is_in(keys, pa.array(list(own)))).as_py() is not False:
        return metadata_array(columns, len(entries))
    rows = zip(*(values.to_pylist() for values in own.values()), entries.to_pylist(), strict=True)
    return map_array(
        [
            [
                *zip(own, values, strict=True),
                *((e["key"], e["value"]) for e in others or () if e["key"] not in own),
            ]
            for *values, others in rows
        ]
    )


def _by_row(row: Int64Array, items: pa.Array, rows: pa.Array) -> pa.Array:
    """Return the items as a list column, null where `rows` is."""
    counts = np.bincount(row, minlength=len(rows))
    return list_array(counts, items, valid=np.asarray(rows.is_valid()), nullable=True)
