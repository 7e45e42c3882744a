"""Reads vectors back from bytes as NumPy arrays, averages them and compares them by cosine.

The bytes of a vector are its numbers, little-endian, one after the other and nothing else: float32 with the
``vectorFormat`` ``binary``, float16 with ``binary16``. The Spark functions for the same are
:func:`sparkalbert.binary_to_array` and :func:`sparkalbert.binary_to_vector`.

float16 keeps 11 significant bits: it changes a number by at most one part in 2048, or by 3e-8 if that is more.
Measured with ``albert_mini_en`` on the 644 words of the demo's text, the cosine of a vector and its float16 form is at
least 0.9999999, and the cosine of two words changes by at most 0.00014.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.errors import ParamError
from sparkalbert.options import check_choice

__all__ = [
    "SUMMARY_FILE",
    "BinaryFormat",
    "binary_to_numpy",
    "cosine_similarity",
    "group_means",
    "number_type",
    "unit_vectors",
]

SUMMARY_FILE: Final = "_summary.json"
"""The file beside vectors that ``sparkalbert embed`` wrote. Spark's readers skip it: its name starts with ``_``."""

BinaryFormat = Literal["binary", "binary16"]
"""A ``vectorFormat`` of bytes."""

_NUMBER_TYPES: Final = {"binary": "<f4", "binary16": "<f2"}

_BLOCK_NUMBERS: Final = 1 << 17
_BLOCK_ROWS: Final = 1 << 9
_MIN_BLOCK_COLUMNS: Final = 16
"""The blocks in which vectors are summed: a megabyte in float64, or 16 columns of a group that is larger."""

Floats = TypeVar("Floats", npt.NDArray[np.float32], npt.NDArray[np.float64])


def unit_vectors(vectors: Floats) -> Floats:
    """Return vectors scaled to length 1; zero vectors stay zero.

    Parameters
    ----------
    vectors
        ``[n, dimension]``.
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def cosine_similarity(first: Floats, second: Floats) -> Floats:
    """Return the cosine of each pair of vectors; 0 for a zero vector.

    Parameters
    ----------
    first, second
        ``[n, dimension]`` and ``[m, dimension]``.

    Returns
    -------
    ndarray
        ``[n, m]``.

    Examples
    --------
    >>> cosine_similarity(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0, 0.0]]
    """
    cosines: Floats = unit_vectors(first) @ unit_vectors(second).T
    return cosines


def group_means(vectors: Float32Array, group: Int64Array, count: int, rows: Int64Array | None = None) -> Float32Array:
    """Return the mean of the vectors of each group, summed in float64; zeros for an empty group.

    Parameters
    ----------
    vectors
        float32 ``[n, dimension]``.
    group
        int64 ``[members]``: the group of each member, from 0 to ``count - 1``.
    count
        Number of groups.
    rows
        int64 ``[members]``: the row of `vectors` of each member; None if every row is one, in their order.

    Returns
    -------
    ndarray
        float32 ``[count, dimension]``. The mean of a group does not depend on the other groups.

    Notes
    -----
    The sums have the bits of ``np.add.reduceat`` for all vectors at once, which would hold them all in float64 and walk
    down each of their columns. Sums of blocks take half as long: 26 instead of 60 ms for 32 MB of vectors of 256
    numbers in groups of 20, one core.

    Examples
    --------
    >>> group_means(np.float32([[1], [5], [3]]), np.array([0, 2, 0]), 3).tolist()
    [[2.0], [0.0], [5.0]]
    """
    if np.any(group[1:] < group[:-1]):
        by_group = np.argsort(group, kind="stable")
        rows = by_group if rows is None else rows[by_group]
    means = np.zeros((count, vectors.shape[1]), dtype=np.float32)
    sizes = np.bincount(group, minlength=count)
    groups = np.flatnonzero(sizes)
    sizes = sizes[groups]
    stops = np.cumsum(sizes)
    starts = stops - sizes
    first = 0
    while first < len(groups):
        last = max(int(np.searchsorted(stops, starts[first] + _BLOCK_ROWS, side="right")), first + 1)
        some, members = slice(first, last), slice(int(starts[first]), int(stops[last - 1]))
        chosen = members if rows is None else rows[members]
        width = max(_BLOCK_NUMBERS // (members.stop - members.start), _MIN_BLOCK_COLUMNS)
        for column in range(0, vectors.shape[1], width):
            columns = slice(column, column + width)
            numbers = vectors[chosen, columns].astype(np.float64)
            sums = np.add.reduceat(numbers, starts[some] - starts[first], axis=0)
            means[groups[some], columns] = sums / sizes[some, None]
        first = last
    return means


def number_type(vector_format: BinaryFormat) -> np.dtype[Any]:
    """Return the NumPy type of the numbers of a binary format.

    Raises
    ------
    ParamError
        If there is no such format.

    Examples
    --------
    >>> number_type("binary16").itemsize
    2
    """
    check_choice("vector_format", vector_format, tuple(_NUMBER_TYPES))
    return np.dtype(_NUMBER_TYPES[vector_format])


def binary_to_numpy(vectors: Iterable[bytes], vector_format: BinaryFormat = "binary") -> Float32Array:
    """Return vectors as an array.

    Parameters
    ----------
    vectors
        The bytes of each vector: one cell of a column written with ``vectorFormat`` ``binary``, as pandas, pyarrow
        (``to_pylist``) and Spark's rows return it; or a whole column of one vector per document. All vectors have the
        same length.
    vector_format
        The ``vectorFormat`` they were written with. The bytes do not show it.

    Returns
    -------
    ndarray
        float32 ``[vectors, dimension]``, writable; ``[0, 0]`` without vectors.

    Raises
    ------
    ParamError
        If `vector_format` is unknown, or the lengths differ or are not multiples of the size of a number.

    Examples
    --------
    >>> binary_to_numpy([bytes.fromhex("0000803f00000040")]).tolist()
    [[1.0, 2.0]]

    A column of a pandas frame becomes one array per row::

        frame["vectors"] = frame["vectors"].map(binary_to_numpy)
    """
    kind = number_type(vector_format)
    parts = list(vectors)
    if not parts:
        return np.zeros((0, 0), dtype=np.float32)
    lengths = sorted({len(part) for part in parts})
    if len(lengths) > 1 or lengths[0] % kind.itemsize:
        msg = f"vectors have {', '.join(map(str, lengths))} bytes, expected one length, a multiple of {kind.itemsize}."
        raise ParamError(msg)
    numbers = np.frombuffer(b"".join(parts), dtype=kind)
    return numbers.reshape(len(parts), -1).astype(np.float32)
