from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import BatchingOptions, distinct, pad, plan_calls

lengths = st.lists(st.integers(2, 130), min_size=1, max_size=60).map(np.array)


@given(lengths, st.integers(1, 600), st.none() | st.integers(1, 9))
def test_calls_hold_every_sequence_once_within_both_bounds(lengths, budget, most):
    options = BatchingOptions(pieces_per_call=budget, max_sequences=most)
    calls = list(plan_calls(lengths, options))
    assert sorted(np.concatenate(calls).tolist()) == list(range(len(lengths)))
    for call in calls:
        assert len(call) == 1 or len(call) * lengths[call].max() <= budget
        assert most is None or len(call) <= most
    assert (np.diff(lengths[np.concatenate(calls)]) >= 0).all()


@given(lengths)
def test_a_call_is_not_cut_before_the_budget_is_full(lengths):
    options = BatchingOptions(pieces_per_call=256)
    calls = list(plan_calls(lengths, options))
    for call, following in pairwise(calls):
        assert (len(call) + 1) * lengths[following[0]] > options.pieces_per_call


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=30))
def test_distinct_gives_each_sequence_its_equal(sequences):
    arrays = [np.array(sequence, dtype=np.int64) for sequence in sequences]
    unique, index = distinct(arrays)
    assert [unique[i].tolist() for i in index] == sequences
    assert len({tuple(sequence.tolist()) for sequence in unique}) == len(unique)


def test_padding_is_on_the_right_and_masked():
    ids, mask = pad([np.array([2, 7, 3]), np.array([2, 3])], pad_id=0)
    assert ids.tolist() == [[2, 7, 3], [2, 3, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert ids.dtype == mask.dtype == np.int64


@pytest.mark.parametrize("values", [{"pieces_per_call": 0}, {"max_sequences": 0}])
def test_bounds_below_one_are_refused(values):
    with pytest.raises(ParamError, match=f"{next(iter(values))} is 0, expected at least 1"):
        BatchingOptions(**values)
