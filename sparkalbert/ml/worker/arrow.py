"""Builds and reads the Arrow arrays of a worker: nested columns over flat NumPy buffers, without copies.

Arrow's offsets are 32 bits wide, so an array of vectors has fewer than 2**31 numbers or, as ``binary``, bytes. Callers
cut arrays far below, between rows; a row that is too large is refused before its vectors are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sparkalbert.arrays import BoolArray, Float32Array, Int64Array, Uint8Array
from sparkalbert.errors import InferenceError
from sparkalbert.vectors import BinaryFormat, number_type

__all__ = [
    "ARROW_COLUMN_TYPE",
    "annotation_array",
    "binary_vector_array",
    "entries_map",
    "list_array",
    "map_array",
    "metadata_array",
    "string_array",
    "vector_array",
]

_MAX_OFFSET: Final = 2**31 - 1
_METADATA: Final = pa.map_(pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string()))


def _element(kind: pa.DataType, *, nullable: bool) -> pa.DataType:
    """Return a list type; like Spark, it names the child ``element``."""
    return pa.list_(pa.field("element", kind, nullable))


ARROW_COLUMN_TYPE: Final = _element(
    pa.struct(
        [
            pa.field("annotatorType", pa.string()),
            pa.field("begin", pa.int32(), nullable=False),
            pa.field("end", pa.int32(), nullable=False),
            pa.field("result", pa.string()),
            pa.field("metadata", _METADATA),
            pa.field("embeddings", _element(pa.float32(), nullable=False)),
        ]
    ),
    nullable=True,
)
"""The Arrow type of Spark's :data:`sparkalbert.ml.schema.ANNOTATION_COLUMN_TYPE`."""


def _offsets(counts: Int64Array) -> npt.NDArray[np.int32]:
    """Return where each list begins, and where the last one ends, int32 ``[lists + 1]``.

    Raises
    ------
    InferenceError
        If the items of all lists are too many for 32 bits.
    """
    bounds = np.concatenate([[0], np.cumsum(counts)])
    if bounds[-1] > _MAX_OFFSET:
        msg = f"The lists of an Arrow array have {bounds[-1]} items, expected at most {_MAX_OFFSET}. Split long texts."
        raise InferenceError(msg)
    return bounds.astype(np.int32)


def vector_array(vectors: Float32Array) -> pa.Array:
    """Return ``list<float>`` over the rows of float32 ``[n, dimension]``; the buffer is not copied."""
    count, dimension = vectors.shape
    flat = pa.Array.from_buffers(pa.float32(), count * dimension, [None, pa.py_buffer(np.ascontiguousarray(vectors))])
    offsets = pa.array(_offsets(np.full(count, dimension)))
    return pa.ListArray.from_arrays(offsets, flat, type=_element(pa.float32(), nullable=False))


def binary_vector_array(vectors: Float32Array, vector_format: BinaryFormat = "binary") -> pa.Array:
    """Return ``binary`` over the rows of float32 ``[n, dimension]``: little-endian numbers, float32 not copied.

    Raises
    ------
    InferenceError
        If a number is too large for float16.

    Examples
    --------
    >>> binary_vector_array(np.float32([[1, 2], [3, 4]])).to_pylist()[0].hex()
    '0000803f00000040'
    >>> binary_vector_array(np.float32([[1, 2], [3, 4]]), "binary16").to_pylist()[0].hex()
    '003c0040'
    """
    count, dimension = vectors.shape
    kind = number_type(vector_format)
    with np.errstate(over="ignore"):
        little_endian = np.ascontiguousarray(vectors, dtype=kind)
    if kind.itemsize < vectors.itemsize and not np.isfinite(little_endian).all() and np.isfinite(vectors).all():
        msg = f"A vector has the number {np.abs(vectors).max():g}, too large for binary16. Use vectorFormat 'binary'."
        raise InferenceError(msg)
    offsets = _offsets(np.full(count, kind.itemsize * dimension))
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(little_endian)])


def list_array(counts: Int64Array, items: pa.Array, *, valid: BoolArray, nullable: bool) -> pa.Array:
    """Return a list column with `counts` items per row, null where not `valid`.

    Parameters
    ----------
    counts
        int64 ``[rows]``; 0 for null rows.
    items
        The items of all rows.
    valid
        bool ``[rows]``.
    nullable
        Whether the declared type allows null items.
    """
    mask = {} if valid.all() else {"mask": pa.array(~valid)}
    kind = _element(items.type, nullable=nullable)
    return pa.ListArray.from_arrays(pa.array(_offsets(counts)), items, type=kind, **mask)


def rows_or_null(rows: pa.Array, valid: BoolArray) -> pa.Array:
    """Return an array that is null where not `valid`."""
    return rows if valid.all() else rows.take(pa.array(np.arange(len(rows)), mask=~valid))


def string_array(values: Sequence[str] | Sequence[str | None]) -> pa.Array:
    """Return a string array."""
    return pa.array(values, type=pa.string())


def number_strings(numbers: Int64Array) -> pa.Array:
    """Return the decimal form of int64 ``[n]`` as a string array.

    Examples
    --------
    >>> number_strings(np.array([10, -1])).to_pylist()
    ['10', '-1']
    """
    return pa.array(numbers).cast(pa.string())


def string_bytes(strings: pa.Array) -> tuple[Uint8Array, Int64Array]:
    """Return the UTF-8 bytes of a string array without a copy; null counts as empty.

    Returns
    -------
    utf8 : ndarray
        uint8 ``[bytes]``: all strings, one after the other.
    bounds : ndarray
        int64 ``[strings + 1]``: where each string begins, and where the last one ends.

    Examples
    --------
    >>> utf8, bounds = string_bytes(pa.array(["aé", None, "b"]))
    >>> utf8.tobytes().decode(), bounds.tolist()
    ('aéb', [0, 3, 3, 4])
    """
    filled = strings.fill_null("") if strings.null_count else strings
    _, offsets, data = filled.buffers()
    if data is None or not len(filled):
        return np.zeros(0, dtype=np.uint8), np.zeros(len(filled) + 1, dtype=np.int64)
    bounds = np.frombuffer(offsets, dtype=np.int32)[filled.offset : filled.offset + len(filled) + 1]
    utf8 = np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]]
    return utf8, bounds.astype(np.int64) - bounds[0]


def substring_array(utf8: Uint8Array, start: Int64Array, stop: Int64Array) -> pa.Array:
    """Return the strings ``utf8[start:stop]``, in order and without overlaps, as a string array.

    Examples
    --------
    >>> utf8 = np.frombuffer(b"one two", dtype=np.uint8)
    >>> substring_array(utf8, np.array([0, 4]), np.array([3, 7])).to_pylist()
    ['one', 'two']
    """
    # Every second string is a gap; Arrow copies the others.
    offsets = np.zeros(2 * len(start) + 1, dtype=np.int32)
    offsets[1::2], offsets[2::2] = start, stop
    all_strings = pa.StringArray.from_buffers(
        2 * len(start), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(utf8))
    )
    return all_strings.take(pa.array(np.arange(1, 2 * len(start), 2)))


def metadata_array(columns: Sequence[tuple[str, pa.Array]], count: int) -> pa.Array:
    """Return ``map<string,string>`` with the same keys in every item.

    Parameters
    ----------
    columns
        Keys and their string arrays of length `count`, in the order of the map.
    count
        Number of items.
    """
    width = len(columns)
    keys = pa.array([key for key, _ in columns]).take(pa.array(np.tile(np.arange(width), count)))
    # Column-major values to item-major: the j-th value of item i is at j * count + i.
    order = (np.arange(width) * count + np.arange(count)[:, None]).reshape(-1)
    values = pa.concat_arrays([values for _, values in columns]).take(pa.array(order)) if columns else keys
    offsets = pa.array(_offsets(np.full(count, width)))
    return pa.MapArray.from_arrays(offsets, keys, values).cast(_METADATA)


def map_array(items: Sequence[Sequence[tuple[str, str | None]]]) -> pa.Array:
    """Return ``map<string,string>`` with any keys, given as pairs; slower than :func:`metadata_array`."""
    return pa.array(items, type=_METADATA)


def entries_map(entries: pa.Array) -> pa.Array:
    """Return ``map<string,string>`` for ``list<struct<key,value>>``, the form in which tasks read metadata."""
    keys, values = (entries.values.field(name) for name in ("key", "value"))
    maps = pa.MapArray.from_arrays(entries.offsets, keys, values).cast(_METADATA)
    return rows_or_null(maps, np.asarray(entries.is_valid()))


def annotation_array(
    kind: str,
    begin: Int64Array,
    end: Int64Array,
    result: pa.Array,
    metadata: pa.Array,
    vectors: pa.Array | None,
) -> pa.Array:
    """Return annotation structs, field by field as in :data:`sparkalbert.ml.schema.ANNOTATION_TYPE`.

    Parameters
    ----------
    kind
        The annotator type of all annotations.
    begin, end
        int64 ``[n]``, UTF-16 units, `end` inclusive.
    result
        string ``[n]``.
    metadata
        map ``[n]``, see :func:`metadata_array`.
    vectors
        ``list<float>`` ``[n]``; None for empty lists.
    """
    count = len(begin)
    if vectors is None:
        empty = pa.array([], type=pa.float32())
        vectors = list_array(np.zeros(count, dtype=np.int64), empty, valid=np.ones(count, dtype=bool), nullable=False)
    types = pa.array([kind]).take(pa.array(np.zeros(count, dtype=np.int64)))
    columns: list[tuple[str, Any, bool]] = [
        ("annotatorType", types, True),
        ("begin", pa.array(begin.astype(np.int32)), False),
        ("end", pa.array(end.astype(np.int32)), False),
        ("result", result, True),
        ("metadata", metadata, True),
        ("embeddings", vectors, True),
    ]
    fields = [pa.field(name, array.type, nullable) for name, array, nullable in columns]
    return pa.StructArray.from_arrays([array for _, array, _ in columns], fields=fields)
