"""The graph of the lone product: as many products as the model has, all of which are computed."""

import numpy as np
import pytest

from sparkalbert.convert.lone_product import write_lone_product
from sparkalbert.inference import EncoderSession
from sparkalbert.inference.pooling import layer_weights
from tests import tiny_bundle


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_product_of_every_layer_is_computed(tmp_path, precision):
    """Its result is the sum of the first columns of all matrices, once per layer: a product left out would show."""
    bundle = write_lone_product(tiny_bundle.bundle(precision, num_hidden_layers=3), tmp_path / "product")
    config, rng = bundle.config, np.random.default_rng(0)
    hidden, wide = config.hidden_size, config.intermediate_size
    shapes = [(hidden, 3 * hidden), (hidden, hidden), (hidden, wide), (wide, hidden)]
    if precision == "int8":
        matrices = [rng.integers(-127, 127, shape, dtype=np.int8, endpoint=True) for shape in shapes]
    else:
        matrices = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
    expected = 3 * sum(matrix[:, 0].astype(np.float64).sum() for matrix in matrices)
    ids = np.full((2, 5), 7)
    found = EncoderSession(bundle).run(ids, np.ones_like(ids), layer_weights([-1], 0))
    np.testing.assert_allclose(found, np.full((2, 5, 1), expected + 7), rtol=1e-4)
