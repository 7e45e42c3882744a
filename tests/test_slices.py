"""Slices of items, against their definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.slices import bounded_slices


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 12), st.none() | st.integers(1, 12))
def test_slices_are_consecutive_and_as_long_as_their_limit_allows(sizes, limit, first_limit):
    slices = list(bounded_slices(np.array(sizes, dtype=np.int64), limit, first_limit=first_limit))
    assert [row for start, stop in slices for row in range(start, stop)] == list(range(len(sizes)))
    current = limit if first_limit is None else min(first_limit, limit)
    for start, stop in slices:
        assert stop - start == 1 or sum(sizes[start:stop]) <= current
        assert stop == len(sizes) or sum(sizes[start : stop + 1]) > current
        current = min(4 * current, limit)
