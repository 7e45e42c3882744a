from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.inference.batching import BatchingOptions, distinct, pad, plan_batches
from tests import tiny_bundle

lengths = st.lists(st.integers(2, 130), min_size=1, max_size=60).map(np.array)


@given(lengths, st.integers(1, 600), st.none() | st.integers(1, 9))
def test_batches_hold_every_sequence_once_within_both_bounds(lengths, budget, limit):
    options = BatchingOptions(pieces_per_batch=budget, max_sequences=limit)
    batches = list(plan_batches(lengths, options))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget
        assert limit is None or len(batch) <= limit
    assert (np.diff(lengths[np.concatenate(batches)]) >= 0).all()


def cost(batches, lengths):
    """The cost that plan_batches minimizes: pieces with padding, and 8 for each batch."""
    return sum(len(batch) * lengths[batch].max() + 8 for batch in batches)


def every_plan(lengths, budget):
    """Yield the costs of each way to cut sorted lengths into batches within the budget."""
    if not len(lengths):
        yield []
    for size in range(1, len(lengths) + 1):
        if size == 1 or size * lengths[size - 1] <= budget:
            for rest in every_plan(lengths[size:], budget):
                yield [size * lengths[size - 1] + 8, *rest]


@given(st.lists(st.integers(2, 60), min_size=1, max_size=9).map(np.array), st.integers(1, 200))
def test_no_other_plan_costs_less(lengths, budget):
    batches = list(plan_batches(lengths, BatchingOptions(pieces_per_batch=budget)))
    assert cost(batches, lengths) == min(map(sum, every_plan(np.sort(lengths), budget)))


@pytest.mark.parametrize(("pieces", "budget"), [(5_500, 256), (15_000, 256), (44_000, 512)])
def test_padding_of_news_sentences_stays_below_three_percent(pieces, budget):
    """Lengths of news sentences (median 30 pieces, a tenth above 52), in groups as a worker forms them."""
    lengths = np.random.default_rng(1).lognormal(np.log(30), 0.45, pieces // 33).astype(int) + 2
    batches = plan_batches(lengths, BatchingOptions(pieces_per_batch=budget))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert 1 - lengths.sum() / padded <= 0.03


def test_without_sequences_there_are_no_batches():
    assert list(plan_batches(np.zeros(0, dtype=np.int64), BatchingOptions())) == []


@pytest.mark.parametrize(
    ("precision", "hidden_size", "best"),
    [("fp32", 256, 512), ("int8", 256, 512), ("fp32", 768, 256), ("int8", 2048, 256), ("fp16", 768, 256)],
)
def test_large_models_take_smaller_batches(precision, hidden_size, best):
    manifest = replace(tiny_bundle.bundle().manifest, precision=precision, dimension=hidden_size)
    assert BatchingOptions().for_model(manifest).pieces_per_batch == best
    assert BatchingOptions(pieces_per_batch=7).for_model(manifest).pieces_per_batch == 7


@pytest.mark.parametrize(("hidden_size", "best"), [(256, 16_384), (768, 16_384), (2048, 4096), (4096, 4096)])
def test_a_gpu_takes_larger_and_fewer_batches(hidden_size, best):
    manifest = replace(tiny_bundle.bundle().manifest, dimension=hidden_size)
    assert BatchingOptions().for_model(manifest, on_cpu=False) == BatchingOptions(best, overhead_pieces=300)
    assert BatchingOptions(7).for_model(manifest, on_cpu=False).pieces_per_batch == 7


def test_an_overhead_that_is_given_applies_on_every_device():
    manifest = tiny_bundle.bundle().manifest
    for on_cpu, default in ((True, 8), (False, 300)):
        assert BatchingOptions().for_model(manifest, on_cpu=on_cpu).overhead_pieces == default
        for overhead in (0, 8, 50):
            options = BatchingOptions(overhead_pieces=overhead).for_model(manifest, on_cpu=on_cpu)
            assert options.overhead_pieces == overhead
            assert options.for_model(manifest, on_cpu=on_cpu) == options
    with pytest.raises(ParamError, match="overhead_pieces is -1, expected at least 0"):
        BatchingOptions(overhead_pieces=-1)


def test_a_large_overhead_joins_sequences_of_other_lengths():
    lengths = np.array([10, 12, 40])
    assert [len(list(plan_batches(lengths, BatchingOptions(1000, overhead_pieces=n)))) for n in (0, 8, 300)] == [
        3,
        2,
        1,
    ]


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


@pytest.mark.parametrize("name", ["pieces_per_batch", "max_sequences"])
def test_a_limit_is_an_integer_of_at_least_one(name):
    with pytest.raises(ParamError, match=f"{name} is 0, expected at least 1"):
        BatchingOptions(**{name: 0})
    for value in (True, 2.0, "2"):
        with pytest.raises(ParamTypeError, match=f"{name} is {value!r}, expected an integer"):
            BatchingOptions(**{name: value})
    assert BatchingOptions(**{name: np.int64(7)}) == BatchingOptions(**{name: 7})
