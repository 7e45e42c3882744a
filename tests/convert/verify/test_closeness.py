"""Word vectors compared with those of the checkpoint, on text: the loss of a trained model in int8."""

import json
from pathlib import Path

import numpy as np
import pytest

from sparkalbert.convert import convert_checkpoint, verify_bundle
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.verify import closeness as module
from sparkalbert.convert.verify.verification import MIN_MEAN_COSINE
from sparkalbert.convert.verify.work import Work
from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import pad
from sparkalbert.inference.session import EncoderSession, SessionOptions
from tests import tiny_bundle

ROOT = Path(__file__).parents[3]
TRAINED = ROOT / "tests/data/albert_mini_en"
SENSES = json.loads((ROOT / "conf/albert_mini_en/senses.json").read_text(encoding="utf-8"))
TEXTS = [text for senses in SENSES.values() for texts in senses for text in texts]


@pytest.fixture(scope="module")
def closeness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")

    def measure(precision, texts):
        bundle = convert_checkpoint(TRAINED, folder / precision, precision=precision)
        return verify_bundle(bundle, against=TRAINED, texts=texts).closeness

    return measure


def test_int8_of_trained_weights_keeps_vectors_and_neighbours(closeness):
    result = closeness("int8", TEXTS)
    assert result.words > 600
    assert [layer.layer for layer in result.layers] == [1, 2, 4, 6, 8]
    assert all(layer.mean >= 0.9995 for layer in result.layers)
    assert all(layer.worst >= 0.995 for layer in result.layers)
    assert result.same_nearest >= 0.96
    assert result.shared_of_ten >= 0.98


def test_fp32_of_trained_weights_equals_the_checkpoint(closeness):
    result = closeness("fp32", TEXTS[::5])  # every word is exact, so a few sentences are enough
    assert result.words > 120
    assert result.layers[-1].worst >= 1 - 1e-9
    assert result.same_nearest == result.shared_of_ten == 1


def test_a_thousand_words_of_the_texts_are_compared():
    bundle, checkpoint = tiny_bundle.bundle("int8"), tiny_bundle.checkpoint()
    short = verify_bundle(bundle, against=checkpoint, texts=["one two three four five six", "", "a b c d e f g"])
    assert short.closeness.words == 13
    long = verify_bundle(bundle, against=checkpoint, texts=["the cat sat on the mat"] * 400)
    assert long.closeness.words == 1000
    assert verify_bundle(bundle, against=checkpoint).closeness is None
    assert MIN_MEAN_COSINE["int8"] < long.closeness.layers[-1].worst <= long.closeness.layers[-1].mean


def test_a_long_sentence_does_not_pad_the_short_ones(monkeypatch):
    """Padded to the longest, 101 sentences of 400 pieces would need 40,000."""
    pieces, hidden_states = [], module.hidden_states

    def counted(config, tensors, ids, mask, after_layer):
        pieces.append(ids.size)
        return hidden_states(config, tensors, ids, mask, after_layer)

    monkeypatch.setattr(module, "hidden_states", counted)
    texts = ["river"] * 100 + [" ".join(["the cat sat on the mat"] * 60)]
    bundle = tiny_bundle.bundle()
    result = verify_bundle(bundle, against=tiny_bundle.checkpoint(), texts=texts).closeness
    assert result.words > 400
    assert result.layers[-1].worst >= 1 - 1e-9
    assert max(pieces) <= 600
    assert sum(pieces) < 2000


def test_vectors_are_in_the_order_of_the_words():
    """Batches change the order of sentences, and the two kinds of vectors belong to the same words."""
    texts = ["the cat sat on the mat by the river", "a river", "one two three four", "the bank of the river and a boat"]
    session = EncoderSession(tiny_bundle.bundle(), SessionOptions())
    checkpoint = Checkpoint.open(tiny_bundle.checkpoint())
    encoded = module.encode_words(session, checkpoint.config, texts)
    sequences, rows, depths = encoded.sequences, encoded.rows, encoded.depths
    found, expected = module._word_vectors(
        session, checkpoint.config, checkpoint.tensor, encoded, Work(None, encoded.work)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    ids, mask = pad(sequences, 0)
    first_pieces = (np.repeat(np.arange(len(rows)), [len(row) for row in rows]), np.concatenate(rows))
    together = module.hidden_states(checkpoint.config, checkpoint.tensor, ids, mask)[list(depths)]
    np.testing.assert_allclose(expected, together[(slice(None), *first_pieces)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("texts", [None, ["the cat sat on the mat by the river", "one two three four five"]])
def test_progress_counts_every_vector_of_graph_and_reference(texts):
    reports = []
    bundle = tiny_bundle.bundle()
    result = verify_bundle(
        bundle, against=tiny_bundle.checkpoint(), texts=texts, report=lambda *counts: reports.append(counts)
    )
    done, totals = zip(*reports, strict=True)
    layers = bundle.config.num_hidden_layers
    random_ids = result.pieces * (layers + sum(range(layers + 1)))
    assert len(set(totals)) == 1
    assert totals[0] == random_ids if texts is None else totals[0] > random_ids
    assert done[0] == result.pieces, "the first layer of the reference"
    assert list(done) == sorted(done)
    assert done[-1] == totals[0]


def test_too_few_words_are_refused():
    with pytest.raises(ParamError, match="hold 2 words, expected at least 11 to compare neighbours"):
        verify_bundle(tiny_bundle.bundle(), against=tiny_bundle.checkpoint(), texts=["two words"])
    assert np.isfinite(verify_bundle(tiny_bundle.bundle()).mean_cosine)
