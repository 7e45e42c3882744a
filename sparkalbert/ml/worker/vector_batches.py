"""Computes the vectors of any number of rows within memory bounds: window by window, in arrays of a good size.

Spark takes a row as a whole, so the vectors of one row are the only thing that cannot be cut. They are computed in
parts; if they are larger than the memory budget allows, they wait in a file.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.errors import InferenceError
from sparkalbert.inference.embedder import Embedder
from sparkalbert.inference.memory import VectorSizes
from sparkalbert.text.pieces.encoding import EncodedSentence

__all__ = ["FIRST_WINDOW_TOKENS", "held_vectors", "sentence_parts", "vectors_in"]

FIRST_WINDOW_TOKENS: Final = 64
"""Tokens in the first window of a task, so that the first rows, which ``show`` and ``take`` wait for, arrive soon."""

_FLOAT_BYTES: Final = 4
_RELEASE_INTERVAL_S: Final = 0.02
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


def vectors_in(num_bytes: int, dimension: int) -> int:
    """Return how many vectors of a width fit into some bytes, at least one."""
    return max(num_bytes // (_FLOAT_BYTES * dimension), 1)


@contextmanager
def held_vectors(
    embedder: Embedder, sentences: Sequence[EncodedSentence], sizes: VectorSizes
) -> Iterator[Float32Array]:
    """Yield the vectors of all tokens of some sentences, float32 ``[tokens, dimension]``, in order.

    Parameters
    ----------
    embedder
        Computes the vectors.
    sentences
        The sentences of a group of rows; more than a window only if they are one row.
    sizes
        The bounds.
    """
    tokens, dimension = sum(len(sentence.ranges) for sentence in sentences), embedder.dimension
    num_bytes = tokens * dimension * _FLOAT_BYTES
    if num_bytes <= sizes.window_bytes:
        yield embedder.vectors(sentences)
        return
    parts = sentence_parts(sentences, vectors_in(sizes.window_bytes, dimension))
    computed = (embedder.vectors(part) for part in parts)
    if sizes.row_bytes is None or num_bytes <= sizes.row_bytes:
        yield _joined(computed, tokens, dimension)
        return
    with _in_file(computed) as numbers:
        yield numbers.reshape(tokens, dimension)


def sentence_parts(sentences: Sequence[EncodedSentence], max_tokens: int) -> Iterator[list[EncodedSentence]]:
    """Cut sentences into consecutive parts of at most `max_tokens` tokens.

    A sentence that is cut keeps all of its pieces, so its tokens are seen in the same windows as before.

    Examples
    --------
    >>> one = EncodedSentence(np.arange(3), np.array([[0, 1], [1, 2], [2, 3]]))
    >>> [[part.ranges.tolist() for part in parts] for parts in sentence_parts([one, one], 2)]
    [[[[0, 1], [1, 2]]], [[[2, 3]], [[0, 1]]], [[[1, 2], [2, 3]]]]
    """
    part: list[EncodedSentence] = []
    room = max_tokens
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
                part, room = [], max_tokens
    if part:
        yield part


def _joined(computed: Iterator[Float32Array], tokens: int, dimension: int) -> Float32Array:
    """Copy parts into one array as they come: two parts are held at a time, never all of them twice."""
    joined = np.empty((tokens, dimension), dtype=np.float32)
    done = 0
    for part in computed:
        joined[done : done + len(part)] = part
        done += len(part)
    return joined


@contextmanager
def _in_file(computed: Iterator[Float32Array]) -> Iterator[Float32Array]:
    """Yield the numbers of all parts, flat, from an unlinked temporary file.

    While Spark reads them, a thread releases the pages that were read: they stay in the file. On Windows the system
    itself takes pages back when it needs them.
    """
    pages = _written(computed)
    numbers = np.frombuffer(pages, dtype=np.float32)
    advice = getattr(mmap, "MADV_DONTNEED", None)
    if advice is None:
        yield numbers
        return
    done = Event()

    def release_pages() -> None:
        while not done.wait(_RELEASE_INTERVAL_S):
            pages.madvise(advice)

    releaser = Thread(target=release_pages, daemon=True)
    releaser.start()
    try:
        yield numbers
    finally:
        done.set()
        releaser.join()


def _written(computed: Iterator[Float32Array]) -> mmap.mmap:
    """Write the numbers of all parts to an unlinked temporary file and return it."""
    folder = _local_folder() or tempfile.gettempdir()
    with _raise_file_errors(folder):
        file = tempfile.TemporaryFile(prefix="sparkalbert-", dir=folder, buffering=0)  # noqa: SIM115 - closed below
    with file:
        for part in computed:
            with _raise_file_errors(folder):
                _write(file, np.ascontiguousarray(part))
        with _raise_file_errors(folder):
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _write(file: Any, numbers: Float32Array) -> None:
    left = numbers.data.cast("B")
    while left:
        left = left[file.write(left) :]


@contextmanager
def _raise_file_errors(folder: str) -> Iterator[None]:
    """Raise errors of a file in a folder as InferenceError."""
    try:
        yield
    except OSError as error:
        problem = "is full" if error.errno in _NO_ROOM else "cannot be used"
        msg = (
            f"The vectors of one row are larger than memoryBudgetMb allows, and {folder}, where they would wait, "
            f"{problem}: {error}. Increase memoryBudgetMb, free space there, or set spark.local.dir to another folder."
        )
        raise InferenceError(msg) from error


def _local_folder() -> str | None:
    """Return Spark's own folder for data that does not fit into memory, None if it has none."""
    folders = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")
    return next((folder for folder in folders if os.access(folder, os.W_OK)), None)
