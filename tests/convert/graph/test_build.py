from itertools import combinations_with_replacement

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.graph.build import IR_VERSION, OPSET
from sparkalbert.convert.verify.forward import hidden_states
from sparkalbert.inference.session import EncoderSession, SessionOptions
from tests import tiny_bundle
from tests.convert.graph.profiled import profiled_kernels

GROUPS = {"num_hidden_layers": 5, "num_hidden_groups": 2, "inner_group_num": 2, "hidden_act": "gelu"}
PRECISIONS = ("fp32", "fp16", "int8")
RNG_SEED = 3


def one_layer(layer: int, layers: int) -> np.ndarray:
    return np.eye(layers + 1, dtype=np.float32)[layer]


def right_padded(lengths: list[int], pieces: int) -> tuple[np.ndarray, np.ndarray]:
    mask = (np.arange(pieces) < np.array(lengths)[:, None]).astype(np.int64)
    ids = np.random.default_rng(RNG_SEED).integers(6, 290, size=mask.shape)
    return ids * mask, mask


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_inputs_and_output_are_the_documented_ones(precision):
    bundle = tiny_bundle.bundle(precision, **GROUPS)
    model = onnx.load(str(bundle.graph_path), load_external_data=False)
    types = {onnx.TensorProto.INT64: "int64", onnx.TensorProto.FLOAT: "float32"}

    def declared(values):
        return {
            value.name: (
                types[value.type.tensor_type.elem_type],
                [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
            )
            for value in values
        }

    assert declared(model.graph.input) == {
        "input_ids": ("int64", ["batch", "pieces"]),
        "attention_mask": ("int64", ["batch", "pieces"]),
        "layer_weights": ("float32", [6]),
    }
    assert declared(model.graph.output) == {"hidden_state": ("float32", ["batch", "pieces", 32])}
    assert {(opset.domain, opset.version) for opset in model.opset_import} == {
        ("", OPSET),
        ("com.microsoft", 1),
    }
    assert (OPSET, model.ir_version) == (18, IR_VERSION)
    assert IR_VERSION <= 10
    assert [node.op_type for node in model.graph.node].count("Loop") == 2


def test_weights_start_on_pages_of_one_file():
    bundle = tiny_bundle.bundle(**GROUPS)
    model = onnx.load(str(bundle.graph_path), load_external_data=False)
    external = [tensor for tensor in model.graph.initializer if tensor.external_data]
    internal = [tensor for tensor in model.graph.initializer if not tensor.external_data]
    positions = [{entry.key: entry.value for entry in tensor.external_data} for tensor in external]
    assert {position["location"] for position in positions} == {"model.onnx.data"}
    assert all(int(position["offset"]) % 4096 == 0 for position in positions)
    assert sum(tensor.ByteSize() for tensor in internal) < 2000
    onnx.checker.check_model(str(bundle.graph_path.parent / "model.onnx"), skip_opset_compatibility_check=True)


@pytest.mark.parametrize("shape", [{}, GROUPS], ids=["plain", "groups"])
def test_the_output_is_the_weighted_sum_of_hidden_states(shape):
    bundle = tiny_bundle.bundle(**shape)
    checkpoint = Checkpoint.open(tiny_bundle.checkpoint(**shape))
    ids, mask = right_padded([1, 4, 9], 9)
    states = hidden_states(checkpoint.config, checkpoint.tensor, ids, mask)
    session = EncoderSession(bundle)
    weights = np.random.default_rng(1).standard_normal(len(states)).astype(np.float32)
    places = np.arange(len(states))
    for first, last in combinations_with_replacement(places, 2):
        mix = np.where((first <= places) & (places <= last), weights, 0).astype(np.float32)
        mixed = session.run(ids, mask, mix)
        expected = np.tensordot(mix.astype(np.float64), states, 1)
        np.testing.assert_allclose(mixed[mask == 1], expected[mask == 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_single_layer_has_exactly_the_bits_of_that_layer(precision):
    session = EncoderSession(tiny_bundle.bundle(precision, **GROUPS))
    ids, mask = right_padded([4, 9], 9)
    alone = [session.run(ids, mask, one_layer(layer, 5)) for layer in range(6)]
    for layer in range(5):
        # A second layer of weight 2**-120 makes the loop continue; its contribution is below the rounding of any state.
        longer = one_layer(layer, 5)
        longer[5] = 2.0**-120
        np.testing.assert_array_equal(session.run(ids, mask, longer), alone[layer])
    # Scaling by a power of two is exact, so a weight of 1/2 gives exactly half of the state.
    np.testing.assert_array_equal(session.run(ids, mask, one_layer(5, 5) / 2) * 2, alone[5])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("shape", [{}, GROUPS], ids=["plain", "groups"])
def test_without_layers_the_output_is_zero_and_padding_alone_is_finite(precision, shape):
    session = EncoderSession(tiny_bundle.bundle(precision, **shape))
    num_layers = session.bundle.manifest.num_layers
    ids, mask = right_padded([3, 0], 3)
    nothing = np.zeros(num_layers + 1, dtype=np.float32)
    np.testing.assert_array_equal(session.run(ids, mask, nothing), np.zeros((2, 3, 32)))
    assert np.isfinite(session.run(ids, mask, one_layer(num_layers, num_layers))).all()


@pytest.mark.parametrize(("precision", "once_a_layer"), [("fp32", "MultiHeadAttention"), ("int8", "Softmax")])
@pytest.mark.parametrize(
    ("layers", "computed", "summed"),
    [((-1,), 5, 1), ((0,), 0, 1), ((1,), 1, 1), ((3,), 3, 1), ((2, 4), 4, 3), ((0, -1), 5, 6), ((), 0, 1)],
)
def test_layers_are_computed_up_to_the_last_needed_and_summed_from_the_first_on(
    tmp_path, precision, once_a_layer, layers, computed, summed
):
    ids, mask = right_padded([4], 4)
    weights = np.isin(np.arange(6), np.array(layers, dtype=int) % 6).astype(np.float32)
    feed = {"input_ids": ids, "attention_mask": mask, "layer_weights": weights}
    kernels = profiled_kernels(tiny_bundle.bundle(precision, **GROUPS), feed, tmp_path)
    assert [operator for _, operator in kernels].count(once_a_layer) == computed * 2  # each layer has two inner layers
    assert sum("weighted.Mul_" in name for name, _ in kernels) == summed


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    extra=st.integers(0, 9),
    precision=st.sampled_from(["fp32", "int8"]),
    grouped=st.booleans(),
    threads=st.sampled_from([1, 2]),
)
def test_a_sequence_has_the_same_bits_in_every_batch(lengths, extra, precision, grouped, threads):
    shape = GROUPS if grouped else {}
    bundle = tiny_bundle.bundle(precision, **shape)
    layers = bundle.manifest.num_layers
    ids, mask = right_padded(lengths, max(lengths) + extra)
    together = EncoderSession(bundle, SessionOptions(threads=threads)).run(ids, mask, one_layer(layers, layers))
    alone = EncoderSession(bundle, SessionOptions(threads=1))
    for row, length in enumerate(lengths):
        single = alone.run(ids[row : row + 1, :length], mask[row : row + 1, :length], one_layer(layers, layers))
        np.testing.assert_array_equal(together[row, :length], single[0])


def test_a_sequence_that_fills_every_position_runs():
    bundle = tiny_bundle.bundle(max_position_embeddings=40)
    ids, mask = right_padded([40], 40)
    assert EncoderSession(bundle).run(ids, mask, one_layer(3, 3)).shape == (1, 40, 32)
