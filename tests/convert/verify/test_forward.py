"""The NumPy forward pass, against numbers that Hugging Face's AlbertModel computed."""

from functools import cache

import numpy as np
import pytest

from sparkalbert.convert import convert_checkpoint
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.verify.forward import embedding_output, hidden_states
from sparkalbert.inference.session import EncoderSession
from tests import tiny_checkpoint
from tests.golden import golden

TOLERANCE = 1e-5


@pytest.fixture(params=golden.NAMES)
def reference(request) -> golden.Golden:
    return golden.load(request.param)


def test_the_weights_are_those_of_the_golden_file(reference):
    config = tiny_checkpoint.tiny_config(**reference.config_overrides)
    tensors = tiny_checkpoint.random_tensors(config, seed=reference.seed)
    assert tiny_checkpoint.checksum(tensors) == reference.weights_sha256


def test_numpy_computes_what_hugging_face_computed(reference, tmp_path):
    source = tiny_checkpoint.write(tmp_path, seed=reference.seed, **reference.config_overrides)
    checkpoint = Checkpoint.open(source)
    computed = hidden_states(checkpoint.config, checkpoint.tensor, reference.input_ids, reference.attention_mask)
    valid = reference.attention_mask == 1
    np.testing.assert_allclose(computed[:, valid], reference.hidden_states[:, valid], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("prefix", ["", "albert."])
def test_the_graph_computes_what_hugging_face_computed(reference, tmp_path, prefix):
    source = tiny_checkpoint.write(tmp_path / "a", seed=reference.seed, prefix=prefix, **reference.config_overrides)
    session = EncoderSession(convert_checkpoint(source, tmp_path / "b"))
    valid = reference.attention_mask == 1
    for layer, expected in enumerate(reference.hidden_states):
        one_layer = np.eye(len(reference.hidden_states), dtype=np.float32)[layer]
        computed = session.run(reference.input_ids, reference.attention_mask, one_layer)
        np.testing.assert_allclose(computed[valid], expected[valid], rtol=0, atol=TOLERANCE)


def test_positions_count_from_the_first_piece(tmp_path):
    checkpoint = Checkpoint.open(tiny_checkpoint.write(tmp_path))
    tensors = cache(checkpoint.tensor)
    ids = np.array([[7, 7, 7]])
    embedded = embedding_output(checkpoint.config, tensors, ids)
    assert len(np.unique(embedded[0, :, 0])) == 3
    first = embedding_output(checkpoint.config, tensors, ids[:, :1])
    np.testing.assert_allclose(embedded[:, :1], first, rtol=1e-12, atol=1e-12)
