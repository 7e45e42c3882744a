import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ParamError
from sparkalbert.inference.pooling import POOLINGS, check_pooling, pieces_needed, pool

word_lengths = st.lists(st.integers(0, 4), min_size=1, max_size=20)


@given(word_lengths, st.sampled_from(POOLINGS), st.integers(0, 2**32 - 1))
def test_pooling_is_what_its_name_says(word_lengths, pooling, seed):
    stops = np.cumsum(word_lengths)
    ranges = np.stack([stops - word_lengths, stops], axis=1)
    pieces = np.random.default_rng(seed).standard_normal((int(stops[-1]), 3), dtype=np.float32)
    needed, counts = pieces_needed(ranges, pooling)
    words = pool(pieces[needed], counts, pooling)
    assert words.dtype == np.float32
    np.testing.assert_allclose(words, slow_pool(pieces, ranges, pooling), atol=1e-6)


def slow_pool(pieces, ranges, pooling):
    width = pieces.shape[1] * (2 if pooling == "first_last" else 1)
    words = []
    for start, stop in ranges:
        own = pieces[start:stop]
        if not len(own):
            words.append(np.zeros(width, dtype=np.float32))
            continue
        ends = {"first": [own[0]], "last": [own[-1]], "mean": [own.mean(0)], "first_last": [own[0], own[-1]]}
        words.append(np.concatenate(ends[pooling]))
    return np.array(words)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_no_words_give_an_empty_array(pooling):
    needed, counts = pieces_needed(np.zeros((0, 2), dtype=np.int64), pooling)
    words = pool(np.zeros((len(needed), 3), dtype=np.float32), counts, pooling)
    assert words.shape == (0, 6 if pooling == "first_last" else 3)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ParamError, match="pooling is 'max', expected one of first, last, mean, first_last"):
        check_pooling("max")
