"""The unrolled graph computes what the looped one computes."""

import numpy as np
import pytest

from sparkalbert.convert import convert_checkpoint
from sparkalbert.convert.unrolled import convert_unrolled
from sparkalbert.inference import EncoderSession
from sparkalbert.inference.pooling import layer_weights
from tests import tiny_bundle


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"hidden_act": "gelu"},
        {"hidden_act": "relu"},
        {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2},
    ],
    ids=["tanh", "erf", "relu", "groups"],
)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_computes_the_same_vectors(tmp_path, shape, precision):
    checkpoint = tiny_bundle.checkpoint(**shape)
    looped = EncoderSession(convert_checkpoint(checkpoint, tmp_path / "looped", precision=precision))
    unrolled = EncoderSession(convert_unrolled(checkpoint, tmp_path / "unrolled", precision))
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 100, (3, 9))
    mask = (np.arange(9) < np.array([[9], [4], [1]])).astype(np.int64)
    expected, computed = (
        session.run(ids, mask, layer_weights([-1], layers))[mask == 1]
        for session, layers in ((looped, looped.bundle.manifest.num_layers), (unrolled, 0))
    )
    # Integers are sums of rounded numbers: another order of float operations may round one differently.
    np.testing.assert_allclose(computed, expected, atol=1e-5 if precision == "fp32" else 0.05)


def test_weights_are_stored_once_however_many_layers_there_are(tmp_path):
    few, many = (
        convert_unrolled(tiny_bundle.checkpoint(num_hidden_layers=layers), tmp_path / str(layers)) for layers in (2, 8)
    )
    assert few.manifest.files["model.onnx.data"] == many.manifest.files["model.onnx.data"]
