"""Works on rows of list columns as flat arrays: which row and sentence an item belongs to, and groups of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkalbert.arrays import BoolArray, Int64Array
from sparkalbert.errors import ColumnError
from sparkalbert.slices import bounded_slices

__all__ = [
    "item_counts",
    "list_bounds",
    "null_together",
    "ranges",
    "row_groups",
    "row_of_item",
    "sentence_numbers",
    "sums",
]


def list_bounds(lists: pa.Array) -> tuple[Int64Array, BoolArray]:
    """Return where each row's items begin and end in ``lists.values``, and which rows are not null.

    Returns
    -------
    bounds : ndarray
        int64 ``[rows + 1]``, right for sliced arrays too.
    valid : ndarray
        bool ``[rows]``.
    """
    return np.asarray(lists.offsets, dtype=np.int64), np.asarray(lists.is_valid())


def item_counts(lists: pa.Array) -> tuple[Int64Array, BoolArray]:
    """Return the number of items of each row, 0 for a null row, and which rows are not null."""
    bounds, valid = list_bounds(lists)
    return np.where(valid, np.diff(bounds), 0), valid


def row_of_item(lists: pa.Array) -> Int64Array:
    """Return the row of each item of a list column, int64 ``[n]``; null rows have no items.

    Examples
    --------
    >>> row_of_item(pa.array([["a"], None, [], ["b", "c"]])).tolist()
    [0, 3, 3]
    """
    counts, _ = item_counts(lists)
    return np.repeat(np.arange(len(counts)), counts)


def null_together(columns: Sequence[pa.Array]) -> tuple[pa.Array, ...]:
    """Return the columns with a row null in all of them if it is null in one.

    Examples
    --------
    >>> null_together((pa.array([[1], [2]]), pa.array([[3], None])))[0].to_pylist()
    [[1], None]
    """
    if not any(column.null_count for column in columns):
        return tuple(columns)
    valid = pc.is_valid(columns[0])
    for column in columns[1:]:
        valid = pc.and_(valid, pc.is_valid(column))
    return tuple(pc.if_else(valid, column, pa.scalar(None, column.type)) for column in columns)


def sentence_numbers(texts: pa.Array) -> Int64Array:
    """Return the number of each annotation's sentence, as its metadata has it, int64 ``[n]``; 0 if it has none.

    Raises
    ------
    ColumnError
        If a number is not an integer.

    Examples
    --------
    >>> sentence_numbers(pa.array(["2", None])).tolist()
    [2, 0]
    """
    try:
        return np.asarray(pc.fill_null(texts, "0").cast(pa.int64()))
    except pa.ArrowInvalid as error:
        msg = "The metadata of an annotation has a 'sentence' that is not an integer. Expected '0', '1', ..."
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


def sums(values: Int64Array, counts: Int64Array) -> Int64Array:
    """Return the sum of the first ``counts[0]`` values, of the next ``counts[1]``, and so on.

    Examples
    --------
    >>> sums(np.array([1, 2, 3]), np.array([2, 0, 1])).tolist()
    [3, 0, 3]
    """
    running = np.concatenate([[0], np.cumsum(values)])
    ends = np.cumsum(counts)
    totals: Int64Array = running[ends] - running[ends - counts]
    return totals


def row_groups(
    batches: Iterable[tuple[pa.Array, ...]],
    row_sizes: Callable[[tuple[pa.Array, ...]], Int64Array],
    limit: int,
    *,
    first_limit: int | None = None,
) -> Iterator[tuple[pa.Array, ...]]:
    """Cut batches into groups of rows whose sizes add up to at most a limit, of at least one row each.

    Parameters
    ----------
    batches
        The columns of each batch.
    row_sizes
        Returns the size of each row of a batch, int64 ``[rows]``.
    limit
        Largest sum of a group of more than one row.
    first_limit
        The limit of the first group, see :func:`.bounded_slices`.

    Examples
    --------
    >>> batch = (pa.array([[1, 2], [3], None, [4]]),)
    >>> [group.to_pylist() for (group,) in row_groups([batch], lambda columns: item_counts(columns[0])[0], 2)]
    [[[1, 2]], [[3], None, [4]]]
    """
    for columns in batches:
        for start, stop in bounded_slices(row_sizes(columns), limit, first_limit=first_limit):
            yield tuple(column.slice(start, stop - start) for column in columns)
        first_limit = None
