import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.inference.pooling import POOLINGS, VectorOptions, layer_weights, pieces_needed, pool

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
def test_without_words_the_array_is_empty(pooling):
    needed, counts = pieces_needed(np.zeros((0, 2), dtype=np.int64), pooling)
    words = pool(np.zeros((len(needed), 3), dtype=np.float32), counts, pooling)
    assert words.shape == (0, 6 if pooling == "first_last" else 3)


@pytest.mark.parametrize("pooling", ["max", None, 1, ["first"]])
def test_an_unknown_pooling_is_refused(pooling):
    with pytest.raises(ParamError) as caught:
        VectorOptions(pooling)
    assert str(caught.value).startswith(f"pooling is {pooling!r}, expected one of first, last, mean, first_last.")


@pytest.mark.parametrize(
    ("layers", "weights"),
    [
        ([-1], [0, 0, 0, 1]),
        ([3], [0, 0, 0, 1]),
        ([0], [1, 0, 0, 0]),
        ([-4, -3, -2, -1], [0.25, 0.25, 0.25, 0.25]),
        ([2, 1], [0, 0.5, 0.5, 0]),
    ],
)
def test_layers_are_averaged(layers, weights):
    np.testing.assert_array_equal(layer_weights(layers, 3), np.array(weights, dtype=np.float32))


@pytest.mark.parametrize("layers", [[4], [-5], [], [1, 1], [1, -3]])
def test_layers_that_do_not_exist_or_repeat_are_refused(layers):
    with pytest.raises(ParamError, match=r"expected one or more different indices from -4 to 3"):
        layer_weights(layers, 3)


def test_an_imported_graph_returns_its_last_layer_only():
    np.testing.assert_array_equal(layer_weights([-1], 0), [1])
    with pytest.raises(ParamError, match="returns its last layer only"):
        layer_weights([-2], 0)


@pytest.mark.parametrize(
    "layers", [[1, -1], (1, -1), np.array([1, -1]), [np.int64(1), np.int32(-1)], range(1, -2, -2)], ids=repr
)
def test_layers_are_a_list_of_integers_of_any_kind(layers):
    options = VectorOptions(layers=layers)
    assert options.layers == (1, -1)
    assert {type(layer) for layer in options.layers} == {int}
    assert hash(options) == hash(VectorOptions(layers=(1, -1)))


@pytest.mark.parametrize("layers", [-1, np.int64(-1), np.array(-1)])
def test_a_single_layer_is_a_list_of_one(layers):
    with pytest.raises(ParamTypeError) as caught:
        VectorOptions(layers=layers)
    assert str(caught.value) == "layers is -1, expected a list of layers. Did you mean layers=[-1]?"


@pytest.mark.parametrize(
    "layers", ["all", "-1", [1.0], [True], True, None, 1.5, [None], ["1"], {1: 2}, np.array([1.0]), [[1]]], ids=repr
)
def test_layers_of_another_type_are_refused(layers):
    with pytest.raises(ParamTypeError) as caught:
        VectorOptions(layers=layers)
    assert str(caught.value) == f"layers is {layers!r}, expected a list of integers such as [-1]."


def test_a_window_is_an_integer_of_at_least_three():
    with pytest.raises(ParamError) as caught:
        VectorOptions(max_sentence_length=2)
    assert str(caught.value) == "max_sentence_length is 2, expected at least 3."
    with pytest.raises(ParamTypeError):
        VectorOptions(max_sentence_length=128.0)
