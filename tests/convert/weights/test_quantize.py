import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.convert.weights.names import graph_weights
from sparkalbert.convert.weights.quantize import (
    ACTIVATION_FLOOR,
    OFFSET,
    RESIDUAL,
    SCALE,
    dequantize,
    quantize_columns,
    stored_arrays,
)
from sparkalbert.errors import CheckpointError
from tests import tiny_checkpoint


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 300)),
    tail=st.sampled_from([1.5, 3.0, 100.0]),
)
def test_columns_are_rounded_within_their_own_scale(seed, shape, tail):
    matrix = np.random.default_rng(seed).standard_t(tail, size=shape).astype(np.float32)
    integers, scales = quantize_columns(matrix)
    assert integers.dtype == np.int8
    assert integers.min() >= -127
    plain = np.abs(matrix).max(axis=0) / 127
    rounded = np.rint(matrix / plain) * plain
    ours = ((dequantize(integers, scales) - matrix) ** 2).sum(axis=0)
    assert (ours <= ((rounded - matrix) ** 2).sum(axis=0) * (1 + 1e-4) + 1e-12).all()
    inside = np.abs(matrix) <= scales * 127
    off = np.abs(dequantize(integers, scales) - matrix)
    assert (off[inside] <= (np.broadcast_to(scales, shape) * 0.5001)[inside]).all()


def test_a_column_of_zeros_stays_zero():
    integers, scales = quantize_columns(np.zeros((4, 3), dtype=np.float32))
    np.testing.assert_array_equal(dequantize(integers, scales), np.zeros((4, 3)))
    assert np.isfinite(scales).all()


@pytest.mark.parametrize("activation", ["tanh", "erf", "relu"])
def test_the_offset_undoes_the_shift(activation):
    config = tiny_checkpoint.tiny_config()
    weight = next(weight for weight in graph_weights(config) if weight.name.endswith(".ffn_output.weight"))
    matrix = np.random.default_rng(2).standard_normal(weight.shape, dtype=np.float32)
    stored = dict(stored_arrays(weight, matrix, "int8", activation))
    represented = dequantize(stored[weight.name], stored[weight.name + SCALE])
    expected = -ACTIVATION_FLOOR[activation] * represented.sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(stored[weight.name + OFFSET], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "share"), [("qkv.weight", 3), ("attention.weight", 1)])
def test_a_matrix_with_a_strong_diagonal_has_a_residual(name, share):
    """One large weight per column makes its steps coarse; the residual holds what they lose."""
    weight, matrix = value_path(name, diagonal=0.6)
    stored = dict(stored_arrays(weight, matrix, "int8", "tanh"))
    residual = dequantize(stored[weight.name + RESIDUAL], stored[weight.name + RESIDUAL + SCALE])
    columns = matrix.shape[1] // share
    assert residual.shape == (matrix.shape[0], columns)
    rounded = dequantize(stored[weight.name], stored[weight.name + SCALE])[:, -columns:]
    expected = matrix[:, -columns:]
    assert np.linalg.norm(rounded - expected) > 0.015 * np.linalg.norm(expected)
    assert np.linalg.norm(rounded + residual - expected) < 0.0003 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["qkv.weight", "attention.weight"])
def test_an_evenly_distributed_matrix_has_no_residual(name):
    weight, matrix = value_path(name, diagonal=0)
    assert set(dict(stored_arrays(weight, matrix, "int8", "tanh"))) == {weight.name, weight.name + SCALE}


def value_path(name, diagonal):
    """A matrix on the value path; its last square block has a diagonal."""
    config = tiny_checkpoint.tiny_config(hidden_size=256, intermediate_size=512)
    weight = next(weight for weight in graph_weights(config) if weight.name.endswith(f".{name}"))
    matrix = np.random.default_rng(4).standard_normal(weight.shape, dtype=np.float32) * np.float32(0.02)
    matrix[:, -256:] += diagonal * np.eye(256, dtype=np.float32)
    return weight, matrix


def test_the_floor_is_below_every_gelu():
    values = np.linspace(-10, 0, 200_001)
    tanh_gelu = 0.5 * values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3)))
    assert 0 < tanh_gelu.min() + ACTIVATION_FLOOR["tanh"] < 1e-3
    assert ACTIVATION_FLOOR["erf"] == ACTIVATION_FLOOR["tanh"]


def test_a_number_too_large_for_float16_is_refused():
    config = tiny_checkpoint.tiny_config()
    weight = next(weight for weight in graph_weights(config) if weight.name.endswith("qkv.weight"))
    matrix = np.zeros(weight.shape, dtype=np.float32)
    matrix[1, 2] = 70_000
    with pytest.raises(CheckpointError, match=r"qkv\.weight holds 70000, but the largest float16 is 65504"):
        list(stored_arrays(weight, matrix, "fp16", "tanh"))
