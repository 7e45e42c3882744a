"""Vectors against an independent forward pass, and the first promise: a token always has the same vector."""

import logging
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.verify.forward import hidden_states
from sparkalbert.errors import ParamError
from sparkalbert.inference import BatchingOptions, EncoderSession, SessionOptions, VectorOptions
from sparkalbert.inference.engine import Engine, SpecialPieces
from sparkalbert.inference.windows import best_window, window_starts
from sparkalbert.text.pieces.encoding import EncodedSentence, truncate
from tests import tiny_bundle

SPECIAL = SpecialPieces(cls_id=2, sep_id=3, pad_id=0)
VOCABULARY = 300


def engine(precision="fp32", threads=1, batching=None, **vectors):
    session = EncoderSession(tiny_bundle.bundle(precision), SessionOptions(threads=threads))
    return Engine(session, SPECIAL, VectorOptions(**vectors), batching)


def sentence(ids):
    """Return a sentence in which each piece is a word."""
    ids = np.array(ids, dtype=np.int64)
    positions = np.arange(len(ids))
    return EncodedSentence(ids, np.stack([positions, positions + 1], axis=1))


def reference(one):
    """Return all hidden states of a sentence's pieces, computed from the checkpoint with NumPy."""
    checkpoint = Checkpoint.open(tiny_bundle.checkpoint())
    ids = np.array([[SPECIAL.cls_id, *one.ids, SPECIAL.sep_id]])
    return hidden_states(checkpoint.config, checkpoint.tensor, ids, np.ones_like(ids))[:, 0, 1:-1]


def random_sentences(seed, count, longest=40):
    random = np.random.default_rng(seed)
    return [sentence(random.integers(5, VOCABULARY, random.integers(1, longest))) for _ in range(count)]


sentences = st.lists(
    st.lists(st.integers(5, VOCABULARY - 1), min_size=1, max_size=60).map(sentence), min_size=1, max_size=12
)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@settings(max_examples=60)
@given(sentences=sentences, budget=st.integers(1, 600), threads=st.sampled_from([1, 2]), data=st.data())
def test_a_vector_never_depends_on_the_rest_of_the_batch(engines, precision, sentences, budget, threads, data):
    alone = [engines(precision, 1, 10_000).embed([one]) for one in sentences]
    order = data.draw(st.permutations(range(len(sentences))))
    together = engines(precision, threads, budget).embed([sentences[index] for index in order])
    np.testing.assert_array_equal(together, np.concatenate([alone[index] for index in order]))


@pytest.fixture(scope="module")
def engines():
    sessions = {
        (precision, threads): EncoderSession(tiny_bundle.bundle(precision), SessionOptions(threads=threads))
        for precision in ("fp32", "int8")
        for threads in (1, 2)
    }

    def build(precision, threads, budget):
        return Engine(sessions[precision, threads], SPECIAL, batching=BatchingOptions(pieces_per_batch=budget))

    return build


def test_vectors_are_those_of_an_independent_forward_pass():
    together = random_sentences(seed=1, count=7)
    expected = [reference(one)[-1] for one in together]
    found = engine().embed(together)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5, rtol=0)


def test_the_mean_of_the_chosen_layers_is_taken():
    (one,) = random_sentences(seed=2, count=1)
    states = reference(one)
    np.testing.assert_allclose(engine(layers=(0,)).embed([one]), states[0], atol=1e-5, rtol=0)
    np.testing.assert_allclose(engine(layers=(1, -1)).embed([one]), (states[1] + states[3]) / 2, atol=1e-5, rtol=0)


def test_a_long_sentence_takes_each_word_from_its_best_window():
    """With 10 pieces and windows of 4, word 9 is computed in the last window, pieces 6 to 9."""
    long = sentence(np.random.default_rng(3).integers(5, VOCABULARY, 10))
    found = engine(max_sentence_length=6).embed([long])
    last_window = engine().embed([sentence(long.ids[6:])])
    first_window = engine().embed([sentence(long.ids[:4])])
    np.testing.assert_array_equal(found[9], last_window[3])
    np.testing.assert_array_equal(found[:3], first_window[:3])
    assert found.shape == (10, 32)


@pytest.mark.parametrize("pooling", ["first", "last", "mean", "first_last"])
@settings(max_examples=30)
@given(counts=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=1, max_size=6), data=st.data())
def test_truncated_sentences_of_any_lengths_have_the_vectors_that_each_has_alone(engines, pooling, counts, data):
    """A word may be at [SEP], in a sentence of one window or of several."""
    session, sentences = engines("fp32", 1, 64).session, []
    for number, one in enumerate(counts):
        stops = np.cumsum(one)
        whole = EncodedSentence(5 + np.arange(stops[-1]) + number, np.stack([stops - one, stops], axis=1))
        sentences.append(truncate(whole, data.draw(st.integers(1, 40))))
    options = VectorOptions(pooling, max_sentence_length=data.draw(st.integers(3, 20)))
    small = Engine(session, SPECIAL, options, BatchingOptions(pieces_per_batch=64))
    np.testing.assert_array_equal(small.embed(sentences), np.concatenate([small.embed([one]) for one in sentences]))


def test_a_word_longer_than_a_window_still_gets_its_vector():
    ids = np.arange(20, 40)
    word = EncodedSentence(ids, np.array([[0, 20]]))
    for pooling, width in [("first", 32), ("last", 32), ("mean", 32), ("first_last", 64)]:
        vectors = engine(max_sentence_length=6, pooling=pooling).embed([word])
        assert vectors.shape == (1, width)
        assert np.abs(vectors).min() > 0


def test_words_without_pieces_get_zeros_and_keep_their_place():
    odd = EncodedSentence(np.array([20, 21]), np.array([[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]]))
    vectors = engine().embed([odd])
    assert (np.abs(vectors).sum(axis=1) > 0).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("pooling", ["first", "last", "mean", "first_last"])
def test_without_words_the_array_is_empty(pooling):
    empty = EncodedSentence(np.zeros(0, dtype=np.int64), np.zeros((0, 2), dtype=np.int64))
    width = 64 if pooling == "first_last" else 32
    assert engine(pooling=pooling).embed([]).shape == (0, width)
    assert engine(pooling=pooling).embed([empty]).shape == (0, width)


def test_equal_sentences_are_computed_once(monkeypatch):
    one = engine()
    shapes = []
    run = one.session.run_rows
    monkeypatch.setattr(one.session, "run_rows", lambda ids, *rest: shapes.append(ids.shape) or run(ids, *rest))
    (same,) = random_sentences(seed=4, count=1)
    one.embed([same] * 50)
    assert [rows for rows, _ in shapes] == [1]


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_threads_that_feed_a_gpu_keep_the_order(monkeypatch, precision):
    """The session stays on the CPU; only the engine takes it for a GPU's."""
    batching = BatchingOptions(pieces_per_batch=64)
    one, many = engine(precision, batching=batching), random_sentences(seed=6, count=60)
    expected = one.embed(many)
    monkeypatch.setattr(one.session, "options", SessionOptions(device="cuda"))
    np.testing.assert_array_equal(one.embed(many), expected)
    monkeypatch.setattr(one.session, "run_rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.embed(many)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"layers": (7,)}, "layers is"),
        ({"max_sentence_length": 513}, "has positions for 512 pieces"),
        ({"max_sentence_length": 2}, "expected at least 3"),
        ({"pooling": "max"}, "pooling is 'max'"),
    ],
)
def test_invalid_options_are_refused(vectors, message):
    with pytest.raises(ParamError, match=message):
        engine(**vectors)


def test_batch_and_window_are_logged(caplog):
    caplog.set_level(logging.INFO, "sparkalbert")
    engine(batching=BatchingOptions(pieces_per_batch=77), max_sentence_length=99)
    assert caplog.messages[-1] == "Embedding with plain (fp32): at most 77 pieces per batch and 99 per window"


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("pooling", ["first", "last", "mean", "first_last"])
@given(data=st.data())
@settings(max_examples=25)
def test_windows_batches_and_pooling_agree_with_a_naive_reference(engines, precision, pooling, data):
    """Each piece's hidden state is computed alone in its best window; the slow way, word by word."""
    length = data.draw(st.integers(1, 40))
    ids = np.array(data.draw(st.lists(st.integers(5, VOCABULARY - 1), min_size=length, max_size=length)))
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=8)))
    bounds = [0, *cuts, length]
    ranges = np.array(list(pairwise(bounds)), dtype=np.int64)
    longest = data.draw(st.integers(3, 20))
    session = engines(precision, 1, 64).session
    options = VectorOptions(pooling, max_sentence_length=longest)
    one = Engine(session, SPECIAL, options, BatchingOptions(pieces_per_batch=data.draw(st.integers(1, 80))))
    found = one.embed([EncodedSentence(ids, ranges)])
    np.testing.assert_array_equal(found, np.stack([slow_vector(session, ids, span, options) for span in ranges]))


def slow_vector(session, ids, span, options):
    start, stop = (int(bound) for bound in span)
    if start == stop:
        return np.zeros(64 if options.pooling == "first_last" else 32, dtype=np.float32)
    capacity = options.max_sentence_length - 2
    starts = window_starts(len(ids), capacity)

    def states(first, last):
        (window,) = best_window(np.array([first]), np.array([last]), len(ids), capacity)
        if window < 0:
            return None
        window_ids = ids[starts[window] : starts[window] + capacity]
        framed = np.array([[SPECIAL.cls_id, *window_ids, SPECIAL.sep_id]])
        weights = np.array([0, 0, 0, 1], dtype=np.float32)
        return session.run(framed, np.ones_like(framed), weights)[
            0, first - starts[window] + 1 : last - starts[window] + 2
        ]

    pieces = states(start, stop - 1)
    if pieces is None:
        pieces = np.concatenate([states(piece, piece) for piece in range(start, stop)])
    ends = {"first": pieces[:1], "last": pieces[-1:], "first_last": pieces[[0, -1]]}
    if options.pooling == "mean":
        return np.add.accumulate(pieces)[-1] / np.float32(len(pieces))
    return ends[options.pooling].reshape(-1)
