"""Rows of list columns, against plain loops over Python lists."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ColumnError
from sparkalbert.ml.worker.rows import (
    item_counts,
    list_bounds,
    null_together,
    ranges,
    row_of_item,
    sentence_numbers,
    sums,
)

counts_of_rows = st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=10)


def lists(counts, start=0):
    """A slice of a list column with these numbers of items."""
    rows = [None if count is None else ["x"] * count for count in counts]
    return pa.array(rows, pa.list_(pa.string())).slice(start)


@given(counts_of_rows, st.integers(0, 4))
def test_bounds_of_sliced_lists(counts, start):
    array = lists(counts, start)
    bounds, valid = list_bounds(array)
    assert valid.tolist() == [n is not None for n in counts[start:]]
    values = array.values.to_pylist()
    rows = [values[a:b] for a, b in pairwise(bounds)]
    assert [row if ok else None for row, ok in zip(rows, valid, strict=True)] == array.to_pylist()


@given(counts_of_rows, st.integers(0, 4))
def test_counts_and_rows_of_items(counts, start):
    found, valid = item_counts(lists(counts, start))
    assert found.tolist() == [count or 0 for count in counts[start:]]
    assert valid.tolist() == [count is not None for count in counts[start:]]
    expected = [row for row, count in enumerate(counts[start:]) for _ in range(count or 0)]
    assert row_of_item(lists(counts, start)).tolist() == expected


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_a_row_that_is_null_in_one_column_is_null_in_all(present):
    columns = [pa.array([["x"] if row[side] else None for row in present], pa.list_(pa.string())) for side in (0, 1)]
    for column in null_together(columns):
        assert column.to_pylist() == [["x"] if all(row) else None for row in present]


def test_a_sentence_number_that_is_not_an_integer_is_refused():
    assert sentence_numbers(pa.array(["0", None, "12"])).tolist() == [0, 0, 12]
    with pytest.raises(ColumnError, match="'sentence' that is not an integer"):
        sentence_numbers(pa.array(["0", "x"]))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4)), max_size=6))
def test_ranges_and_sums(pairs):
    starts, counts = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    expected = [list(range(start, start + count)) for start, count in pairs]
    values = ranges(starts, counts)
    assert values.tolist() == [value for one in expected for value in one]
    assert sums(values, counts).tolist() == [sum(one) for one in expected]
