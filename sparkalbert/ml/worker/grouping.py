"""Which row and which sentence each annotation of a batch belongs to, as flat arrays.

It knows the columns of :mod:`sparkalbert.ml.worker.fields`, nothing about vectors or tokens.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkalbert.errors import ColumnError
from sparkalbert.ml.worker.arrow import list_bounds

__all__ = ["null_together", "ranges", "row_of_item", "sentence_number"]

Int64Array = npt.NDArray[np.int64]


def null_together(columns: tuple[pa.Array, ...]) -> tuple[pa.Array, ...]:
    """Return the columns with a row null in all of them where it is null in one.

    Examples
    --------
    >>> null_together((pa.array([[1], [2]]), pa.array([[3], None])))[0].to_pylist()
    [[1], None]
    """
    nulls = {column.null_count for column in columns}
    if nulls == {0}:
        return columns
    valid = pc.is_valid(columns[0])
    for column in columns[1:]:
        valid = pc.and_(valid, pc.is_valid(column))
    return tuple(pc.if_else(valid, column, pa.scalar(None, column.type)) for column in columns)


def row_of_item(lists: pa.Array) -> Int64Array:
    """Return int64 ``[n]``: the row of each item of a list column; null rows have none.

    Examples
    --------
    >>> row_of_item(pa.array([["a"], None, [], ["b", "c"]])).tolist()
    [0, 3, 3]
    """
    bounds, valid = list_bounds(lists)
    return np.repeat(np.arange(len(valid)), np.where(valid, np.diff(bounds), 0))


def sentence_number(texts: pa.Array) -> Int64Array:
    """Return int64 ``[n]``: what metadata says of each annotation's sentence; 0 where it says nothing.

    Raises
    ------
    ColumnError
        When it is no whole number.

    Examples
    --------
    >>> sentence_number(pa.array(["2", None])).tolist()
    [2, 0]
    """
    try:
        return np.asarray(pc.fill_null(texts, "0").cast(pa.int64()))
    except pa.ArrowInvalid as error:
        msg = "An annotation's metadata holds a 'sentence' that is no whole number, such as '0'."
        raise ColumnError(msg) from error


def ranges(starts: Int64Array, counts: Int64Array) -> Int64Array:
    """Return ``counts[0]`` numbers from ``starts[0]`` on, then ``counts[1]`` from ``starts[1]``, and so on.

    Examples
    --------
    >>> ranges(np.array([7, 3]), np.array([2, 1])).tolist()
    [7, 8, 3]
    """
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
