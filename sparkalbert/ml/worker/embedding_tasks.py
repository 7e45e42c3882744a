"""What runs in a Spark worker: rows of sentences and tokens in, rows of vectors out.

Arrow batches are cut into groups of rows, so that memory stays bounded whatever the batch size (see
:mod:`sparkalbert.ml.worker.vector_rows`); inside a group sentences are sorted by length and equal ones
computed once. It knows nothing about DataFrames; where the model lies is
:mod:`sparkalbert.ml.worker.distribution`'s business.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sparkalbert.inference import EmbedderOptions, VectorSizes, WordEmbedder
from sparkalbert.ml.schema import WORD_EMBEDDINGS
from sparkalbert.ml.worker.arrow import (
    annotation_array,
    binary_vector_array,
    metadata_array,
    number_strings,
    string_array,
    vector_array,
)
from sparkalbert.ml.worker.distribution import ModelHandle
from sparkalbert.ml.worker.fields import BEGIN, END, RESULT, arrow_types
from sparkalbert.ml.worker.row import NOWHERE, Annotations, RowPlan, plan_row
from sparkalbert.ml.worker.vector_rows import counts, emit, groups, held_vectors, items_of
from sparkalbert.stage_times import STAGE_TIMES

__all__ = [
    "ANNOTATION_FIELDS",
    "ANNOTATION_INPUTS",
    "TOKEN_LIST_INPUTS",
    "AnnotationTask",
    "TokenListTask",
    "WorkerModel",
]

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

TOKEN_LIST_INPUTS: Final = (pa.list_(pa.string()),)

ANNOTATION_FIELDS: Final = (BEGIN, END, RESULT)
"""What is read of the sentences, then of the tokens."""

ANNOTATION_INPUTS: Final = arrow_types(ANNOTATION_FIELDS * 2)


@dataclass(frozen=True)
class WorkerModel:
    """A model and how to run it; plain data that travels to the worker.

    Attributes
    ----------
    handle
        Where to find the model.
    options
        What a vector is. ``options.session.device`` may be plain ``cuda``: the worker then takes the
        GPU that Spark gave its task.
    threads
        Threads of one call; None for the task's share of cores (``spark.task.cpus``).
    sizes
        How much of vectors is held.
    """

    handle: ModelHandle
    options: EmbedderOptions
    threads: int | None = None
    sizes: VectorSizes = field(default_factory=VectorSizes)

    def load(self) -> WordEmbedder:
        """Return this process's embedder, loading the model on first use."""
        session = replace(
            self.options.session,
            threads=self.threads or _task_cpus(),
            device=_task_device(self.options.session.device),
        )
        return _cached_embedder(self.handle, replace(self.options, session=session))


@dataclass(frozen=True)
class TokenListTask:
    """``array<string>`` to ``array<array<float>>``: each row is one sentence, given as tokens.

    Attributes
    ----------
    model
        The model.
    binary
        Whether vectors leave as ``array<binary>``, see :func:`.arrow.binary_vector_array`.
    """

    model: WorkerModel
    binary: bool = False

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the vectors of every row, in order."""
        embedder = self.model.load()
        for (tokens,) in batches:
            for rows in groups(tokens, embedder.dimension, self.model.sizes):
                yield from self._group(embedder, rows(tokens))

    def _group(self, embedder: WordEmbedder, tokens: pa.Array) -> Iterator[pa.Array]:
        sizes = self.model.sizes
        with STAGE_TIMES.measure("tokenize"):
            lists = [[token or "" for token in row or ()] for row in tokens.to_pylist()]
            encoded = [embedder.encode_list(row) for row in lists]
        with held_vectors(embedder, encoded, sizes) as vectors:
            items = _slicer(vectors, binary_vector_array if self.binary else vector_array)
            most = items_of(sizes.output_bytes, embedder.dimension)
            yield from emit(*counts(tokens), items, most, nullable=False)


@dataclass(frozen=True)
class AnnotationTask:
    """Sentence and token annotations to word-embeddings annotations.

    Attributes
    ----------
    model
        The model.
    lower_case
        Whether ``result`` shows tokens lower-cased, as Spark NLP does unless caseSensitive is set.
    as_spark_nlp
        Whether tokens that Spark NLP leaves out are left out, see
        :func:`sparkalbert.ml.worker.row.plan_row`; else each token has its annotation.
    binary
        Whether only the vectors leave, as ``array<binary>``; the rest is in the tokens anyway.
    """

    model: WorkerModel
    lower_case: bool = True
    as_spark_nlp: bool = False
    binary: bool = False

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the annotations of every row, in order."""
        embedder = self.model.load()
        for columns in batches:
            for rows in groups(columns[-1], embedder.dimension, self.model.sizes):
                yield from self._group(embedder, [rows(column) for column in columns])

    def _group(self, embedder: WordEmbedder, columns: Sequence[pa.Array]) -> Iterator[pa.Array]:
        sizes = self.model.sizes
        group = _AnnotationGroup(embedder, columns, self)
        with held_vectors(embedder, group.sentences, sizes) as vectors:
            items = partial(group.binary_vectors if self.binary else group.items, vectors)
            most = items_of(sizes.output_bytes, embedder.dimension)
            valid = counts(columns[-1])[1]
            yield from emit(group.counts, valid, items, most, nullable=not self.binary)


class _AnnotationGroup:
    """The annotations of some rows: which tokens have one, and all that they say.

    Attributes
    ----------
    counts
        int64 ``[rows]``: annotations of each row.
    sentences
        What to compute, row after row.
    """

    def __init__(self, embedder: WordEmbedder, columns: Sequence[pa.Array], task: AnnotationTask) -> None:
        tokens, plans = [], []
        with STAGE_TIMES.measure("tokenize"):
            rows = zip(*(column.to_pylist() for column in columns), strict=True)
            for *sentence_fields, begin, end, result in rows:
                tokens.append(Annotations.of(begin, end, result))
                sentences = Annotations.of(*sentence_fields)
                plans.append(plan_row(embedder, sentences, tokens[-1], as_spark_nlp=task.as_spark_nlp))
        self.counts = np.array([len(plan.shown) for plan in plans], dtype=np.int64)
        words = [
            row.result[index]
            for row, plan in zip(tokens, plans, strict=True)
            for index in plan.shown.tolist()
        ]
        self._results = [word.lower() for word in words] if task.lower_case else words
        self._begin = _shown([np.asarray(row.begin) for row in tokens], plans)
        self._end = _shown([np.asarray(row.end) for row in tokens], plans)
        self._sentence = _shown([plan.sentence for plan in plans], plans)
        self._piece = _shown([plan.piece for plan in plans], plans)
        self.sentences = [sentence for plan in plans for sentence in plan.sentences]
        self._vector = _shown(_offset_vectors(plans), plans)

    def items(self, vectors: Float32Array, start: int, stop: int) -> pa.Array:
        """Return annotations `start` to `stop` of the group, given the vectors of its sentences."""
        some = slice(start, stop)
        count = stop - start
        result = string_array(self._results[some])
        without_piece = self._piece[some] == NOWHERE
        metadata = metadata_array(
            [
                ("sentence", number_strings(self._sentence[some])),
                ("token", result),
                ("pieceId", number_strings(self._piece[some])),
                ("isWordStart", string_array(["true"] * count)),
                ("isOOV", string_array(np.where(without_piece, "true", "false").tolist())),
            ],
            count,
        )
        shown = vector_array(_rows_or_zeros(vectors, self._vector[some]))
        return annotation_array(WORD_EMBEDDINGS, self._begin[some], self._end[some], result, metadata, shown)

    def binary_vectors(self, vectors: Float32Array, start: int, stop: int) -> pa.Array:
        """Return the vectors of annotations `start` to `stop` of the group, ``binary``."""
        return binary_vector_array(_rows_or_zeros(vectors, self._vector[start:stop]))


def _shown(parts: Iterable[Int64Array], plans: Sequence[RowPlan]) -> Int64Array:
    """Join what belongs to the tokens that have an annotation, row after row."""
    chosen = [part[plan.shown] for part, plan in zip(parts, plans, strict=True)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *chosen]).astype(np.int64)


def _offset_vectors(plans: Sequence[RowPlan]) -> Iterator[Int64Array]:
    """Yield each row's vector indices, counted through the whole group."""
    before = 0
    for plan in plans:
        yield np.where(plan.vector == NOWHERE, NOWHERE, plan.vector + before)
        before += int((plan.vector != NOWHERE).sum())


def _rows_or_zeros(vectors: Float32Array, index: Int64Array) -> Float32Array:
    """Return ``vectors[index]``, zeros where the index is -1; without a copy for a plain stretch."""
    if not len(index):
        return vectors[:0]
    first = int(index[0])
    if first >= 0 and np.array_equal(index, np.arange(first, first + len(index))):
        return vectors[first : first + len(index)]
    rows = np.zeros((len(index), vectors.shape[1]), dtype=np.float32)
    rows[index >= 0] = vectors[index[index >= 0]]
    return rows


def _slicer(
    vectors: Float32Array, array: Callable[[Float32Array], pa.Array]
) -> Callable[[int, int], pa.Array]:
    return lambda start, stop: array(vectors[start:stop])


_KEPT_EMBEDDERS: Final = 2
_embedders: OrderedDict[tuple[str, EmbedderOptions], WordEmbedder] = OrderedDict()
_embedders_lock = threading.Lock()


def _cached_embedder(handle: ModelHandle, options: EmbedderOptions) -> WordEmbedder:
    """Return this process's embedder; a reused worker finds it where the task before left it."""
    key = (handle.digest, options)
    with _embedders_lock:  # a worker has one thread, LightPipeline's caller may have many
        if key not in _embedders:
            with STAGE_TIMES.measure("load"):
                _embedders[key] = WordEmbedder(handle.locate(), options)
            while len(_embedders) > _KEPT_EMBEDDERS:
                _embedders.popitem(last=False)
        _embedders.move_to_end(key)
        return _embedders[key]


def _task_cpus() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    return max(context.cpus(), 1) if context is not None else 1


def _task_device(device: str) -> str:
    """Spark may hand the same worker another GPU from task to task."""
    if device != "cuda":
        return device
    from pyspark import TaskContext

    context = TaskContext.get()
    resources = context.resources() if context is not None else {}
    return f"cuda:{resources['gpu'].addresses[0]}" if "gpu" in resources else device
