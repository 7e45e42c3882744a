"""The tasks of AlbertEmbeddings, which compute rows of vectors from rows of sentences and tokens.

Arrow batches are cut into groups of rows, so that memory stays bounded for any batch size; within a group sentences
are sorted by length and equal sentences are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.errors import InferenceError
from sparkalbert.inference.embedder import Embedder
from sparkalbert.inference.memory import VectorSizes
from sparkalbert.ml.schema import WORD_EMBEDDINGS
from sparkalbert.ml.worker.arrow import (
    annotation_array,
    binary_vector_array,
    list_array,
    metadata_array,
    number_strings,
    rows_or_null,
    string_array,
    vector_array,
)
from sparkalbert.ml.worker.fields import BEGIN, END, RESULT, SENTENCE, TOKEN_LIST, Field
from sparkalbert.ml.worker.model import EmbedderSource
from sparkalbert.ml.worker.row_counts import RowCounts
from sparkalbert.ml.worker.rows import item_counts, null_together, row_groups
from sparkalbert.ml.worker.sentence_plan import NOWHERE, GroupPlan, SpanRows, plan_rows
from sparkalbert.ml.worker.vector_batches import FIRST_WINDOW_TOKENS, held_vectors, vectors_in
from sparkalbert.slices import bounded_slices
from sparkalbert.timings import TIMINGS
from sparkalbert.vectors import BinaryFormat, group_means, number_type

__all__ = ["AnnotationTask", "MeanVectorTask", "TokenListTask"]

_MAX_ROW_BYTES: Final = 2**31 - 1
"""Maximum bytes of the vectors of a row: Arrow and Spark count them with 32 bits."""


@dataclass(frozen=True)
class TokenListTask:
    """Computes ``array<array<float>>`` from ``array<string>``: each row is one sentence, given as tokens.

    Attributes
    ----------
    model
        The model.
    binary
        How vectors leave as ``array<binary>``, see :func:`.arrow.binary_vector_array`; None for numbers.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = ((TOKEN_LIST,),)
    """What is read: the lists."""

    model: EmbedderSource
    binary: BinaryFormat | None = None

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the vectors of every row, in order."""
        embedder = self.model.load()
        array = _vector_array(self.binary)
        for (tokens,) in _groups(batches, _token_counts, embedder.dimension, self.model.sizes):
            with TIMINGS.measure("tokenize"):
                lists = [[token or "" for token in row or ()] for row in tokens.to_pylist()]
                encoded = embedder.encode_token_lists(lists)
            counts, valid = item_counts(tokens)
            _check_row_bytes(counts, embedder.dimension, self.binary)
            with held_vectors(embedder, encoded, self.model.sizes) as vectors:
                for rows, items in _output_parts(counts, embedder.dimension, self.model.sizes):
                    with TIMINGS.measure("emit"):
                        part = list_array(counts[rows], array(vectors[items]), valid=valid[rows], nullable=False)
                    yield part


@dataclass(frozen=True)
class AnnotationTask:
    """Computes word-embeddings annotations from sentence and token annotations.

    Attributes
    ----------
    model
        The model.
    lower_case
        If true, ``result`` shows tokens lower-cased, as Spark NLP does by default.
    as_spark_nlp
        If true, tokens that Spark NLP leaves out are left out, see :func:`.sentence_plan.plan_rows`; otherwise each
        token has its annotation.
    binary
        How only the vectors leave, as ``array<binary>``; everything else is in the token column. None for annotations.
    counted
        If true, the results are structs with the counts of each row, see :class:`.row_counts.RowCounts`.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = ((BEGIN, END, RESULT, SENTENCE),) * 2
    """What is read of the sentences, then of the tokens."""

    model: EmbedderSource
    lower_case: bool = True
    as_spark_nlp: bool = False
    binary: BinaryFormat | None = None
    counted: bool = False

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the annotations of every row, in order."""
        embedder = self.model.load()
        complete = (null_together(batch) for batch in batches)
        for columns in _groups(complete, _token_counts, embedder.dimension, self.model.sizes):
            with TIMINGS.measure("tokenize"):
                sentences, tokens = SpanRows.of(*columns[:4]), SpanRows.of(*columns[4:])
                plan = plan_rows(embedder, sentences, tokens, as_spark_nlp=self.as_spark_nlp)
                output = _AnnotationOutput.of(plan, tokens, lower_case=self.lower_case)
            valid = np.asarray(columns[-1].is_valid())
            counts = np.bincount(tokens.row[plan.token], minlength=len(valid))
            _check_row_bytes(counts, embedder.dimension, self.binary)
            counted = _row_counts(embedder, plan, tokens, len(valid)) if self.counted else None
            with held_vectors(embedder, plan.sentences, self.model.sizes) as vectors:
                for rows, items in _output_parts(counts, embedder.dimension, self.model.sizes):
                    with TIMINGS.measure("emit"):
                        if self.binary is None:
                            made = output.annotations(vectors, items)
                        else:
                            made = output.binary_vectors(vectors, items, self.binary)
                        part = list_array(counts[rows], made, valid=valid[rows], nullable=self.binary is None)
                    yield part if counted is None else counted.beside(part, rows)


@dataclass(frozen=True)
class MeanVectorTask:
    """Computes the mean of the token vectors of each sentence, or of each row.

    Attributes
    ----------
    model
        The model.
    of_sentences
        If true, a row has a list with a vector for each sentence; otherwise one vector.
    as_spark_nlp
        If true, tokens that Spark NLP leaves out do not count.
    binary
        How vectors leave as bytes; None for numbers.
    counted
        As for :class:`AnnotationTask`.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = AnnotationTask.inputs
    """What is read of the sentences, then of the tokens."""

    model: EmbedderSource
    of_sentences: bool
    as_spark_nlp: bool = False
    binary: BinaryFormat | None = None
    counted: bool = False

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the vectors of every row, in order."""
        embedder = self.model.load()
        complete = (null_together(batch) for batch in batches)
        for columns in _groups(complete, self._row_sizes, embedder.dimension, self.model.sizes):
            yield self._means(embedder, columns)

    def _row_sizes(self, columns: tuple[pa.Array, ...]) -> Int64Array:
        """Return the number of vectors of each row: those computed or, if they are more, those returned."""
        returned = item_counts(columns[0])[0] if self.of_sentences else 1
        sizes: Int64Array = np.maximum(_token_counts(columns), returned)
        return sizes

    def _means(self, embedder: Embedder, columns: tuple[pa.Array, ...]) -> pa.Array:
        """Return the vectors of a group of rows."""
        with TIMINGS.measure("tokenize"):
            sentences, tokens = SpanRows.of(*columns[:4]), SpanRows.of(*columns[4:])
            plan = plan_rows(embedder, sentences, tokens, as_spark_nlp=self.as_spark_nlp)
        counts, valid = item_counts(columns[0])
        if self.of_sentences:
            _check_row_bytes(counts, embedder.dimension, self.binary)
        row = tokens.row[plan.token]
        group = np.searchsorted(sentences.row, row) + plan.sentence if self.of_sentences else row
        count = len(sentences.row) if self.of_sentences else len(valid)
        found = plan.vector != NOWHERE  # a token outside all sentences has no vector
        with held_vectors(embedder, plan.sentences, self.model.sizes) as vectors, TIMINGS.measure("emit"):
            means = _vector_array(self.binary)(group_means(vectors, group[found], count, plan.vector[found]))
            if self.of_sentences:
                made = list_array(counts, means, valid=valid, nullable=False)
            else:
                made = rows_or_null(means, valid)
            if self.counted:
                made = _row_counts(embedder, plan, tokens, len(valid)).beside(made)
        return made


def _row_counts(embedder: Embedder, plan: GroupPlan, tokens: SpanRows, num_rows: int) -> RowCounts:
    return RowCounts.of(plan, tokens, num_rows, embedder.options.vectors.window_capacity)


def _token_counts(columns: tuple[pa.Array, ...]) -> Int64Array:
    counts, _ = item_counts(columns[-1])
    return counts


def _groups(
    batches: Iterable[tuple[pa.Array, ...]],
    row_sizes: Callable[[tuple[pa.Array, ...]], Int64Array],
    dimension: int,
    sizes: VectorSizes,
) -> Iterator[tuple[pa.Array, ...]]:
    """Cut batches into groups of rows whose vectors fit into a window, given the number of vectors of each row."""
    limit = vectors_in(sizes.window_bytes, dimension)
    return row_groups(batches, row_sizes, limit, first_limit=FIRST_WINDOW_TOKENS)


def _check_row_bytes(counts: Int64Array, dimension: int, binary: BinaryFormat | None) -> None:
    """Check that the vectors of each row, which cannot be cut, are not too large to leave, before they are computed.

    Raises
    ------
    InferenceError
        If a row has too many. Without a cause, it is an error of that row, see :mod:`.row_errors`.
    """
    vector_bytes = dimension * number_type(binary or "binary").itemsize
    largest, limit = int(counts.max(initial=0)), _MAX_ROW_BYTES // vector_bytes
    if largest > limit:
        msg = (
            f"The row has {largest} vectors of {vector_bytes} bytes, expected at most {limit}: Arrow and Spark take "
            "less than 2 GiB per row. Split it into several rows, or set outputLevel to 'document'."
        )
        raise InferenceError(msg)


def _output_parts(counts: Int64Array, dimension: int, sizes: VectorSizes) -> Iterator[tuple[slice, slice]]:
    """Cut a group into parts of the size that Spark reads fastest: yield the rows of each, and their items.

    Parameters
    ----------
    counts
        int64 ``[rows]``: the number of items of each row.
    dimension
        Numbers per item.
    sizes
        The bounds.
    """
    ends = np.concatenate([[0], np.cumsum(counts)])
    for start, stop in bounded_slices(counts, vectors_in(sizes.output_bytes, dimension)):
        yield slice(start, stop), slice(int(ends[start]), int(ends[stop]))


@dataclass(frozen=True)
class _AnnotationOutput:
    """The fields of the output annotations of a group of rows, in their order; all of them ``[annotations]``."""

    plan: GroupPlan
    begin: Int64Array
    end: Int64Array
    result: list[str]

    @classmethod
    def of(cls, plan: GroupPlan, tokens: SpanRows, *, lower_case: bool) -> _AnnotationOutput:
        words = [tokens.text[token] for token in plan.token.tolist()]
        shown = [word.lower() for word in words] if lower_case else words
        return cls(plan, tokens.begin[plan.token], tokens.end[plan.token], shown)

    def annotations(self, vectors: Float32Array, part: slice) -> pa.Array:
        """Return a part of the annotations, given the vectors of the sentences."""
        count = part.stop - part.start
        result = string_array(self.result[part])
        without_piece = self.plan.piece[part] == NOWHERE
        metadata = metadata_array(
            [
                ("sentence", number_strings(self.plan.sentence[part])),
                ("token", result),
                ("pieceId", number_strings(self.plan.piece[part])),
                ("isWordStart", string_array(["true"] * count)),
                ("isOOV", string_array(np.where(without_piece, "true", "false").tolist())),
            ],
            count,
        )
        shown = vector_array(_rows_or_zeros(vectors, self.plan.vector[part]))
        return annotation_array(WORD_EMBEDDINGS, self.begin[part], self.end[part], result, metadata, shown)

    def binary_vectors(self, vectors: Float32Array, part: slice, form: BinaryFormat) -> pa.Array:
        """Return the vectors of a part of the annotations, ``binary``."""
        return binary_vector_array(_rows_or_zeros(vectors, self.plan.vector[part]), form)


def _vector_array(binary: BinaryFormat | None) -> Callable[[Float32Array], pa.Array]:
    return vector_array if binary is None else partial(binary_vector_array, vector_format=binary)


def _rows_or_zeros(vectors: Float32Array, index: Int64Array) -> Float32Array:
    """Return ``vectors[index]``, zeros where the index is -1; without a copy if the rows are consecutive."""
    if not len(index):
        return vectors[:0]
    first = int(index[0])
    if first >= 0 and np.array_equal(index, np.arange(first, first + len(index))):
        return vectors[first : first + len(index)]
    rows = np.zeros((len(index), vectors.shape[1]), dtype=np.float32)
    rows[index >= 0] = vectors[index[index >= 0]]
    return rows
