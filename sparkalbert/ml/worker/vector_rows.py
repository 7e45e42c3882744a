"""Rows of vectors within bounds: groups of rows in, output arrays of a good size out, however long a row is.

Spark takes a row whole, so the vectors of one row are the only thing that cannot be cut. They are computed in
parts, and where they are larger than what may be held they wait in a file. It knows counts and bytes, nothing
about text or annotations.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sparkalbert.errors import InferenceError
from sparkalbert.inference import VectorSizes, WordEmbedder
from sparkalbert.ml.worker.arrow import list_array, list_bounds
from sparkalbert.stage_times import STAGE_TIMES
from sparkalbert.text.encoding import EncodedSentence

__all__ = ["counts", "emit", "groups", "held_vectors", "items_of", "parts"]

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_FLOAT_BYTES: Final = 4
_LET_GO_S: Final = 0.02


def groups(lists: pa.Array, dimension: int, sizes: VectorSizes) -> Iterator[Callable[[pa.Array], pa.Array]]:
    """Yield, for each group of rows that fits the window, what cuts it out of a column.

    Parameters
    ----------
    lists
        The column whose items get a vector each.
    dimension
        Width of a vector.
    sizes
        The bounds.
    """
    for start, stop in _cuts(counts(lists)[0], items_of(sizes.window_bytes, dimension)):
        yield lambda column, start=start, stop=stop: column.slice(start, stop - start)  # type: ignore[misc]


def items_of(num_bytes: int, dimension: int) -> int:
    """Return how many vectors of a width go into some bytes, at least one."""
    return max(num_bytes // (_FLOAT_BYTES * dimension), 1)


def counts(lists: pa.Array) -> tuple[Int64Array, BoolArray]:
    """Return how many items each row has, 0 for a null row, and which rows are not null."""
    bounds, valid = list_bounds(lists)
    return np.where(valid, np.diff(bounds), 0), valid


@contextmanager
def held_vectors(
    embedder: WordEmbedder, sentences: Sequence[EncodedSentence], sizes: VectorSizes
) -> Iterator[Float32Array]:
    """Yield the vectors of all words of some sentences, float32 ``[words, dimension]``, in order.

    Parameters
    ----------
    embedder
        Computes them.
    sentences
        Those of a group of rows; more than a window only where they are one row.
    sizes
        The bounds.
    """
    words, dimension = sum(len(sentence.ranges) for sentence in sentences), embedder.dimension
    num_bytes = words * dimension * _FLOAT_BYTES
    if num_bytes <= sizes.window_bytes:
        yield embedder.vectors(sentences)
        return
    computed = map(embedder.vectors, parts(sentences, items_of(sizes.window_bytes, dimension)))
    if sizes.row_bytes is None or num_bytes <= sizes.row_bytes:
        yield _joined(computed, words, dimension)
        return
    with _filed(computed) as numbers:
        yield numbers.reshape(words, dimension)


def parts(sentences: Sequence[EncodedSentence], most_words: int) -> Iterator[list[EncodedSentence]]:
    """Cut sentences into consecutive parts of at most `most_words` words.

    A sentence that is cut keeps all of its pieces, so its words are seen in the same windows as before.

    Examples
    --------
    >>> one = EncodedSentence(np.arange(3), np.array([[0, 1], [1, 2], [2, 3]]))
    >>> [[part.ranges.tolist() for part in some] for some in parts([one, one], 2)]
    [[[[0, 1], [1, 2]]], [[[2, 3]], [[0, 1]]], [[[1, 2], [2, 3]]]]
    """
    part: list[EncodedSentence] = []
    room = most_words
    for sentence in sentences:
        start, count = 0, len(sentence.ranges)
        while start < count:
            stop = min(start + room, count)
            whole = stop - start == count
            part.append(sentence if whole else EncodedSentence(sentence.ids, sentence.ranges[start:stop]))
            room -= stop - start
            start = stop
            if not room:
                yield part
                part, room = [], most_words
    if part:
        yield part


def emit(
    counts: Int64Array,
    valid: BoolArray,
    items: Callable[[int, int], pa.Array],
    most_items: int,
    *,
    nullable: bool,
) -> Iterator[pa.Array]:
    """Yield output arrays for some rows, each about as large as Spark reads fastest.

    Parameters
    ----------
    counts
        int64 ``[rows]``: how many items a row gets.
    valid
        bool ``[rows]``: which rows are not null.
    items
        Returns items `start` to `stop`, counted through all rows.
    most_items
        Most items of an array that has more than one row.
    nullable
        Whether the declared type allows null items.
    """
    ends = np.concatenate([[0], np.cumsum(counts)])
    for start, stop in _cuts(counts, most_items):
        with STAGE_TIMES.measure("emit"):
            part = items(int(ends[start]), int(ends[stop]))
            array = list_array(counts[start:stop], part, valid=valid[start:stop], nullable=nullable)
        yield array


def _cuts(counts: Int64Array, most_items: int) -> Iterator[tuple[int, int]]:
    """Yield row ranges of at most `most_items` items, at least one row each."""
    start, items = 0, 0
    for row, count in enumerate(counts.tolist()):
        if row > start and items + count > most_items:
            yield start, row
            start, items = row, 0
        items += count
    if len(counts) > start:
        yield start, len(counts)


def _joined(computed: Iterator[Float32Array], words: int, dimension: int) -> Float32Array:
    """Copy parts into one array as they come: two parts are held at a time, never all of them twice."""
    joined = np.empty((words, dimension), dtype=np.float32)
    done = 0
    for part in computed:
        joined[done : done + len(part)] = part
        done += len(part)
    return joined


@contextmanager
def _filed(computed: Iterator[Float32Array]) -> Iterator[Float32Array]:
    """Yield the numbers of all parts, flat, from a file that nobody else sees.

    While Spark reads them, pages that were read are let go again and again: they stay in the file.
    """
    pages = _written(computed)
    done = Event()

    def let_go() -> None:
        while not done.wait(_LET_GO_S):
            pages.madvise(mmap.MADV_DONTNEED)

    watcher = Thread(target=let_go, daemon=True)
    watcher.start()
    try:
        yield np.frombuffer(pages, dtype=np.float32)
    finally:
        done.set()
        watcher.join()


def _written(computed: Iterator[Float32Array]) -> mmap.mmap:
    folder = _local_folder() or tempfile.gettempdir()
    written = 0
    try:
        with tempfile.TemporaryFile(prefix="sparkalbert-", dir=folder) as file:
            for part in computed:
                written += file.write(np.ascontiguousarray(part).data)
            file.flush()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        msg = (
            f"The vectors of one row are larger than memoryBudgetMb leaves room for, and after {written} "
            f"bytes of them {folder} takes no more: {error}. Raise memoryBudgetMb, or free room there."
        )
        raise InferenceError(msg) from error


def _local_folder() -> str | None:
    """Spark's own folder for what does not fit into memory; None for the system's."""
    folders = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")
    return next((folder for folder in folders if os.access(folder, os.W_OK)), None)
