"""Word vectors against the checkpoint's, on text: what int8 costs a model that was trained."""

from pathlib import Path

import numpy as np
import pytest

from sparkalbert.cli.sample import SAMPLE
from sparkalbert.convert import convert_checkpoint, verify_bundle
from sparkalbert.convert.verify import MIN_MEAN_COSINE
from sparkalbert.errors import ParamError
from tests import tiny_bundle

TRAINED = Path(__file__).parents[1] / "data" / "albert_mini_en"
TEXTS = SAMPLE.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def closeness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")

    def measure(precision):
        bundle = convert_checkpoint(TRAINED, folder / precision, precision=precision)
        return verify_bundle(bundle, against=TRAINED, texts=TEXTS).closeness

    return measure


def test_int8_of_trained_weights_keeps_words_and_their_neighbours(closeness):
    found = closeness("int8")
    assert found.words > 600
    assert [one.layer for one in found.layers] == [1, 3, 4, 6]
    assert all(one.mean >= 0.9995 for one in found.layers)
    assert all(one.worst >= 0.995 for one in found.layers)
    assert found.same_nearest >= 0.96
    assert found.shared_of_ten >= 0.98


def test_fp32_of_trained_weights_is_the_checkpoint(closeness):
    found = closeness("fp32")
    assert found.layers[-1].worst >= 1 - 1e-9
    assert found.same_nearest == found.shared_of_ten == 1


def test_words_are_those_of_the_text_and_a_longer_text_is_cut():
    bundle, checkpoint = tiny_bundle.bundle("int8"), tiny_bundle.checkpoint()
    few = verify_bundle(
        bundle, against=checkpoint, texts=["one two three four five six", "", "a b c d e f g"]
    )
    assert few.closeness.words == 13
    many = verify_bundle(bundle, against=checkpoint, texts=["the cat sat on the mat"] * 400)
    assert many.closeness.words == 1000
    assert verify_bundle(bundle, against=checkpoint).closeness is None
    assert MIN_MEAN_COSINE["int8"] < many.closeness.layers[-1].worst <= many.closeness.layers[-1].mean


def test_too_little_text_is_told():
    with pytest.raises(ParamError, match="holds 2 words; comparing neighbours takes at least 11"):
        verify_bundle(tiny_bundle.bundle(), against=tiny_bundle.checkpoint(), texts=["two words"])
    assert np.isfinite(verify_bundle(tiny_bundle.bundle()).mean_cosine)
