import numpy as np
import pytest

from sparkalbert.errors import ParamError
from sparkalbert.inference.layers import layer_weights


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


def test_a_foreign_graph_offers_its_last_layer_only():
    np.testing.assert_array_equal(layer_weights([-1], 0), [1])
    with pytest.raises(ParamError, match="gives its last layer only"):
        layer_weights([-2], 0)
