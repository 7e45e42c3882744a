"""The graph of fp16, run on the CPU; tests/gpu runs it on a GPU."""

import numpy as np
import onnx
import onnxruntime
import pytest

from sparkalbert.convert.graph.accelerator import build_accelerator_graph
from sparkalbert.inference.session import EncoderSession
from tests import tiny_bundle
from tests.convert.graph.profiled import profiled_kernels

GROUPS = {"num_hidden_layers": 5, "num_hidden_groups": 2, "inner_group_num": 2, "hidden_act": "gelu"}
RELU = {"num_hidden_layers": 5, "hidden_act": "relu"}


def right_padded():
    mask = (np.arange(12) < np.array([5, 12, 1])[:, None]).astype(np.int64)
    return np.random.default_rng(3).integers(6, 290, mask.shape) * mask, mask


def weights_of(*layers):
    weights = np.zeros(6, dtype=np.float32)
    weights[list(layers)] = 1 / len(layers)
    return weights


def shapes(values):
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values
    }


def test_it_takes_rows_and_returns_their_vectors():
    bundle = tiny_bundle.bundle("fp16", **GROUPS)
    graph = onnx.load(str(bundle.graph_path), load_external_data=False).graph
    assert shapes(graph.input) == {
        "input_ids": ["batch", "pieces"],
        "attention_mask": ["batch", "pieces"],
        "layer_weights": [6],
        "rows": ["rows"],
    }
    assert shapes(graph.output) == {"hidden_state": ["rows", 32]}


@pytest.mark.parametrize("shape", [GROUPS, RELU, {"num_hidden_layers": 5}], ids=["groups", "relu", "tanh"])
@pytest.mark.parametrize("layers", [(-1,), (0,), (1,), (3,), (1, -1), (2, 3), (0, 4), range(6)], ids=str)
def test_the_weighted_sum_is_that_of_fp32(shape, layers):
    ids, mask = right_padded()
    found, expected = (
        EncoderSession(tiny_bundle.bundle(precision, **shape)).run(ids, mask, weights_of(*layers))[mask == 1]
        for precision in ("fp16", "fp32")
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.03)


def test_without_layers_the_sum_is_zero():
    ids, mask = right_padded()
    session = EncoderSession(tiny_bundle.bundle("fp16", **GROUPS))
    np.testing.assert_array_equal(session.run(ids, mask, np.zeros(6, dtype=np.float32)), np.zeros((3, 12, 32)))


@pytest.mark.parametrize(("heads", "mask_shape"), [(4, [3 * 3 + 2]), (8, [3])])
def test_the_mask_suits_the_kernel_of_the_head_size(heads, mask_shape):
    """Heads of 8 and of 4 dimensions. The CPU reads both forms; on a GPU only one kernel reads the long form."""
    bundle = tiny_bundle.bundle("fp16", num_attention_heads=heads, num_hidden_layers=5)
    model = onnx.load(str(bundle.graph_path))
    bodies = [part.g for node in model.graph.node if node.op_type == "Loop" for part in node.attribute]
    masks = {node.input[3] for body in bodies for node in body.node if node.op_type == "Attention"}
    (mask,) = masks
    model.graph.output.append(onnx.helper.make_tensor_value_info(mask, onnx.TensorProto.INT32, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids, attention_mask = right_padded()
    feed = {"input_ids": ids, "attention_mask": attention_mask, "layer_weights": weights_of(-1), "rows": np.arange(3)}
    (found,) = session.run([mask], feed)
    assert list(found.shape) == mask_shape
    assert found[:3].tolist() == [5, 12, 1]
    assert found[3:].tolist() == [0, 12, 24, 36] * 2 * (heads == 4)
    expected = EncoderSession(tiny_bundle.bundle("fp32", num_attention_heads=heads, num_hidden_layers=5))
    np.testing.assert_allclose(
        EncoderSession(bundle).run(ids, attention_mask, weights_of(-1))[attention_mask == 1],
        expected.run(ids, attention_mask, weights_of(-1))[attention_mask == 1],
        rtol=0,
        atol=0.03,
    )


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_rows_come_in_the_order_asked_for(precision):
    ids, mask = right_padded()
    session = EncoderSession(tiny_bundle.bundle(precision, **GROUPS))
    everything = session.run(ids, mask, weights_of(-1)).reshape(-1, 32)
    rows = np.array([23, 0, 4, 4, 12])
    np.testing.assert_array_equal(session.run_rows(ids, mask, weights_of(-1), rows), everything[rows])


@pytest.mark.parametrize(
    ("layers", "computed", "summed"),
    [((-1,), 5, 1), ((0,), 0, 0), ((1,), 1, 1), ((2, 4), 4, 3), ((0, -1), 5, 5), ((), 0, 0)],
)
def test_only_the_layers_from_the_first_to_the_last_needed_are_summed(tmp_path, layers, computed, summed):
    ids, mask = right_padded()
    weights = np.isin(np.arange(6), np.array(layers, dtype=int) % 6).astype(np.float32)
    feed = {"input_ids": ids, "attention_mask": mask, "layer_weights": weights, "rows": np.arange(3)}
    kernels = profiled_kernels(tiny_bundle.bundle("fp16", **GROUPS), feed, tmp_path)
    assert sum("Attention" in name for name, _ in kernels) == computed * 2  # each layer has two inner layers
    assert sum(".weighted.Mul_" in name for name, _ in kernels) == summed  # the weight of a layer is its only Mul


def test_all_rows_give_the_interface_of_fp32():
    bundle = tiny_bundle.bundle("fp16", **GROUPS)
    stored = onnx.load(str(bundle.graph_path)).graph.initializer
    weights = [tensor for tensor in stored if not tensor.name.startswith("constant_")]
    model = build_accelerator_graph(bundle.config, weights, all_rows=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids, mask = right_padded()
    feed = {"input_ids": ids, "attention_mask": mask, "layer_weights": weights_of(-1)}
    (found,) = session.run(["hidden_state"], feed)
    assert {node.name for node in session.get_inputs()} == set(feed)
    np.testing.assert_array_equal(found, EncoderSession(bundle).run(ids, mask, weights_of(-1)))
