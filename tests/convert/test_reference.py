"""Parity with the installed Hugging Face implementation (make test-reference)."""

from importlib.util import find_spec

import numpy as np
import pytest

from sparkalbert.convert import convert_checkpoint
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.inference.session import EncoderSession, SessionOptions
from tests import tiny_checkpoint
from tests.full_shapes import BASE, XLARGE
from tests.golden import reference

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(
        find_spec("torch") is None or find_spec("transformers") is None,
        reason="needs torch and transformers",
    ),
]

LENGTHS = (1, 9, 33)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"hidden_act": "gelu", "num_hidden_groups": 3, "inner_group_num": 2},
        {"hidden_act": "relu", "embedding_size": 9, "num_attention_heads": 16},
        {"hidden_act": "gelu_fast", "num_hidden_layers": 7, "num_hidden_groups": 3},
        pytest.param(BASE, marks=pytest.mark.slow, id="base"),
        pytest.param({**BASE, "hidden_act": "gelu"}, marks=pytest.mark.slow, id="base-v1"),
        pytest.param(XLARGE, marks=pytest.mark.slow, id="xlarge"),
    ],
)
def test_every_layer_equals_hugging_face(tmp_path, shape):
    source = tiny_checkpoint.write(tmp_path / "checkpoint", seed=21, **shape)
    checkpoint = Checkpoint.open(source)
    config = checkpoint.config
    mask = (np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]).astype(np.int64)
    ids = np.random.default_rng(2).integers(config.vocab_size, size=mask.shape) * mask
    tensors = tiny_checkpoint.random_tensors(config, seed=21)
    expected = reference.hidden_states(config, tensors, ids, mask)
    session = EncoderSession(convert_checkpoint(source, tmp_path / "bundle"), SessionOptions(threads=2))
    for layer, state in enumerate(expected):
        computed = session.run(ids, mask, np.eye(len(expected), dtype=np.float32)[layer])
        np.testing.assert_allclose(computed[mask == 1], state[mask == 1], rtol=0, atol=1e-5)
