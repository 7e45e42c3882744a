"""Vectors against an independent forward pass, and the first promise: always the same vector."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.convert.checkpoint import Checkpoint
from sparkalbert.convert.forward import hidden_states
from sparkalbert.errors import ParamError
from sparkalbert.inference import BatchingOptions, EncoderSession, SessionOptions, VectorOptions
from sparkalbert.inference.engine import Engine, SpecialPieces
from sparkalbert.text.encoding import EncodedSentence
from tests import tiny_bundle

SPECIAL = SpecialPieces(cls_id=2, sep_id=3, pad_id=0)
VOCABULARY = 300


def engine(precision="fp32", threads=1, batching=None, **vectors):
    session = EncoderSession(tiny_bundle.bundle(precision), SessionOptions(threads=threads))
    return Engine(session, SPECIAL, VectorOptions(**vectors), batching)


def sentence(ids):
    """A sentence in which each piece is a word."""
    ids = np.array(ids, dtype=np.int64)
    places = np.arange(len(ids))
    return EncodedSentence(ids, np.stack([places, places + 1], axis=1))


def reference(one):
    """All hidden states of a sentence's pieces, by NumPy from the checkpoint."""
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
def test_a_vector_never_depends_on_its_neighbours(engines, precision, sentences, budget, threads, data):
    alone = [engines(precision, 1, 10_000).embed([one]) for one in sentences]
    order = data.draw(st.permutations(range(len(sentences))))
    together = engines(precision, threads, budget).embed([sentences[place] for place in order])
    np.testing.assert_array_equal(together, np.concatenate([alone[place] for place in order]))


@pytest.fixture(scope="module")
def engines():
    sessions = {
        (precision, threads): EncoderSession(tiny_bundle.bundle(precision), SessionOptions(threads=threads))
        for precision in ("fp32", "int8")
        for threads in (1, 2)
    }

    def build(precision, threads, budget):
        return Engine(sessions[precision, threads], SPECIAL, batching=BatchingOptions(pieces_per_call=budget))

    return build


def test_vectors_are_those_of_an_independent_forward_pass():
    together = random_sentences(seed=1, count=7)
    expected = [reference(one)[-1] for one in together]
    found = engine().embed(together)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5, rtol=0)


def test_layers_are_mixed_as_asked():
    (one,) = random_sentences(seed=2, count=1)
    states = reference(one)
    np.testing.assert_allclose(engine(layers=(0,)).embed([one]), states[0], atol=1e-5, rtol=0)
    np.testing.assert_allclose(
        engine(layers=(1, -1)).embed([one]), (states[1] + states[3]) / 2, atol=1e-5, rtol=0
    )


def test_a_long_sentence_takes_each_word_from_its_best_window():
    """With 10 pieces and windows of 4, word 9 is computed in the last window, pieces 6 to 9."""
    long = sentence(np.random.default_rng(3).integers(5, VOCABULARY, 10))
    found = engine(max_sentence_length=6).embed([long])
    last_window = engine().embed([sentence(long.ids[6:])])
    first_window = engine().embed([sentence(long.ids[:4])])
    np.testing.assert_array_equal(found[9], last_window[3])
    np.testing.assert_array_equal(found[:3], first_window[:3])
    assert found.shape == (10, 32)


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
def test_nothing_gives_nothing(pooling):
    empty = EncodedSentence(np.zeros(0, dtype=np.int64), np.zeros((0, 2), dtype=np.int64))
    width = 64 if pooling == "first_last" else 32
    assert engine(pooling=pooling).embed([]).shape == (0, width)
    assert engine(pooling=pooling).embed([empty]).shape == (0, width)


def test_equal_sentences_are_computed_once(monkeypatch):
    one = engine()
    calls = []
    run = one.session.run
    monkeypatch.setattr(one.session, "run", lambda ids, *rest: calls.append(ids.shape) or run(ids, *rest))
    (same,) = random_sentences(seed=4, count=1)
    one.embed([same] * 50)
    assert [batch for batch, _ in calls] == [1]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"layers": (7,)}, "layers is"),
        ({"max_sentence_length": 513}, "has positions for 512 pieces"),
        ({"max_sentence_length": 2}, "expected at least 3"),
        ({"pooling": "max"}, "pooling is 'max'"),
    ],
)
def test_options_that_cannot_work_are_refused(vectors, message):
    with pytest.raises(ParamError, match=message):
        engine(**vectors)
