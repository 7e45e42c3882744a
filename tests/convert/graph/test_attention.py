import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph.attention import (
    MAX_INVARIANT_HEAD_SIZE,
    additive_mask,
    fused_attention,
    sequence_lengths,
    written_out_attention,
)
from sparkalbert.convert.graph.build import IR_VERSION, OPSET
from sparkalbert.convert.graph.nodes import CONTRIB, Constants, Nodes

CONFIGS = {
    heads: AlbertConfig(hidden_size=heads * 24, num_attention_heads=heads, intermediate_size=8) for heads in (1, 4)
}


def session(config):
    """Return a session that computes both forms of attention from the same query, key and value."""
    nodes = Nodes(Constants())
    projections = ("query", "key", "value")
    nodes.rename_output(fused_attention(nodes, config, projections, sequence_lengths(nodes)), "fused")
    nodes.rename_output(written_out_attention(nodes, config, projections, additive_mask(nodes)), "written_out")
    shape = ["batch", "pieces", config.hidden_size]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes.nodes,
        "attention",
        [value("attention_mask", TensorProto.INT64, shape[:2])]
        + [value(name, TensorProto.FLOAT, shape) for name in projections],
        [value(name, TensorProto.FLOAT, shape) for name in ("fused", "written_out")],
        list(nodes.constants.tensors.values()),
    )
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    model = helper.make_model(graph, ir_version=IR_VERSION, opset_imports=imports)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


SESSIONS = {heads: session(config) for heads, config in CONFIGS.items()}


def scaled_dot_products(query, key, value, heads):
    """Compute the attention of one sequence in float64."""
    by_head = [part.astype(np.float64).reshape(len(part), heads, -1).swapaxes(0, 1) for part in (query, key, value)]
    scores = by_head[0] @ by_head[1].swapaxes(1, 2) / np.sqrt(by_head[0].shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights / weights.sum(axis=-1, keepdims=True) @ by_head[2]).swapaxes(0, 1).reshape(query.shape)


@pytest.mark.parametrize("heads", SESSIONS)
@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=5), extra=st.integers(0, 9), seed=st.integers(0, 99))
def test_both_forms_give_the_same_bits_and_the_right_values(heads, lengths, extra, seed):
    pieces = max(lengths) + extra
    mask = (np.arange(pieces) < np.array(lengths)[:, None]).astype(np.int64)
    shape = (3, len(lengths), pieces, CONFIGS[heads].hidden_size)
    parts = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    feeds = dict(zip(("query", "key", "value"), parts, strict=True)) | {"attention_mask": mask}
    fused, written_out = SESSIONS[heads].run(["fused", "written_out"], feeds)
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(written_out[row, :length], fused[row, :length])
        expected = scaled_dot_products(*parts[:, row, :length], heads)
        np.testing.assert_allclose(written_out[row, :length], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("extra", [0, 41, 42, 150, 400])  # 64, 65 pieces and more
def test_the_widest_heads_do_not_depend_on_padding(extra):
    config = AlbertConfig(hidden_size=2 * MAX_INVARIANT_HEAD_SIZE, num_attention_heads=2, intermediate_size=8)
    length = 23
    parts = np.random.default_rng(0).standard_normal((3, 1, length + extra, config.hidden_size), dtype=np.float32)
    found = []
    for pieces in (length, length + extra):
        mask = (np.arange(pieces) < length).astype(np.int64)[None]
        feeds = dict(zip(("query", "key", "value"), parts[:, :, :pieces], strict=True)) | {"attention_mask": mask}
        found += [output[0, :length] for output in session(config).run(["fused", "written_out"], feeds)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
