from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import BatchingOptions, distinct, pad, plan_calls
from tests import tiny_bundle

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


def cost(calls, lengths):
    """What plan_calls makes least: pieces with padding, and 8 for every call."""
    return sum(len(call) * lengths[call].max() + 8 for call in calls)


def every_plan(lengths, budget):
    """All ways to cut sorted lengths into calls within the budget."""
    if not len(lengths):
        yield []
    for size in range(1, len(lengths) + 1):
        if size == 1 or size * lengths[size - 1] <= budget:
            for rest in every_plan(lengths[size:], budget):
                yield [size * lengths[size - 1] + 8, *rest]


@given(st.lists(st.integers(2, 60), min_size=1, max_size=9).map(np.array), st.integers(1, 200))
def test_no_other_plan_costs_less(lengths, budget):
    calls = list(plan_calls(lengths, BatchingOptions(pieces_per_call=budget)))
    assert cost(calls, lengths) == min(map(sum, every_plan(np.sort(lengths), budget)))


@pytest.mark.parametrize(("pieces", "budget"), [(5_500, 256), (15_000, 256), (44_000, 512)])
def test_padding_of_news_sentences_stays_below_three_percent(pieces, budget):
    """Lengths of news sentences (median 30 pieces, a tenth above 52), in groups as a worker forms them."""
    lengths = np.random.default_rng(1).lognormal(np.log(30), 0.45, pieces // 33).astype(int) + 2
    calls = plan_calls(lengths, BatchingOptions(pieces_per_call=budget))
    padded = sum(len(call) * lengths[call].max() for call in calls)
    assert 1 - lengths.sum() / padded <= 0.03


def test_nothing_makes_no_call():
    assert list(plan_calls(np.zeros(0, dtype=np.int64), BatchingOptions())) == []


@pytest.mark.parametrize(
    ("precision", "hidden_size", "best"),
    [("fp32", 256, 512), ("int8", 256, 512), ("fp32", 768, 256), ("int8", 2048, 256), ("fp16", 768, 4096)],
)
def test_large_models_take_smaller_calls(precision, hidden_size, best):
    manifest = replace(tiny_bundle.bundle().manifest, precision=precision, dimension=hidden_size)
    assert BatchingOptions().of_model(manifest).pieces_per_call == best
    assert BatchingOptions(pieces_per_call=7).of_model(manifest).pieces_per_call == 7


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
