"""One ALBERT layer as ONNX nodes: self-attention, then the feed-forward network, each normed after.

fp16 keeps what adds up small differences in float32: the stream between blocks, and both layer norms.
"""

from __future__ import annotations

from typing import Final

from onnx import TensorProto

from sparkalbert.bundle import Precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph_nodes import CONTRIB, Nodes
from sparkalbert.convert.quantize import ACTIVATION_FLOOR, OFFSET, non_negative_product, symmetric_product

__all__ = ["add_ffn_output", "add_product", "layer"]

_GELU: Final = {"erf": "BiasGelu", "tanh": "FastGelu"}


def layer(
    nodes: Nodes, config: AlbertConfig, precision: Precision, prefix: str, hidden: str, lengths: str
) -> str:
    """Add one layer and return the name of its output, float32 ``[batch, pieces, hidden]``.

    Parameters
    ----------
    nodes
        The loop body to add to.
    config
        Shape of the model.
    precision
        Number format of the matrices.
    prefix
        How the names of the layer's weights begin.
    hidden
        Name of the input, float32 ``[batch, pieces, hidden]``.
    lengths
        Name of the valid pieces of each sequence, int32 ``[batch]``.
    """
    context = _attention(nodes, config, precision, prefix, hidden, lengths)
    attended = _norm(nodes, config, prefix + "attention.", context, hidden, f"{prefix}attention.bias")
    expanded = add_product(nodes, precision, attended, f"{prefix}ffn.weight")
    activated = _activation(nodes, config, expanded, f"{prefix}ffn.bias")
    narrowed, bias = add_ffn_output(nodes, config, precision, f"{prefix}ffn_output.", activated)
    return _norm(nodes, config, prefix + "ffn_output.", narrowed, attended, bias)


def _attention(
    nodes: Nodes, config: AlbertConfig, precision: Precision, prefix: str, hidden: str, lengths: str
) -> str:
    qkv = add_product(nodes, precision, hidden, f"{prefix}qkv.weight")
    query, key, value = nodes.add_many(
        "Split", nodes.add("Add", qkv, f"{prefix}qkv.bias"), outputs=3, axis=-1, num_outputs=3
    )
    context = nodes.add(
        "MultiHeadAttention",
        query,
        key,
        value,
        "",
        lengths,
        domain=CONTRIB,
        num_heads=config.num_attention_heads,
    )
    return _to_float32(nodes, precision, add_product(nodes, precision, context, f"{prefix}attention.weight"))


def add_product(nodes: Nodes, precision: Precision, rows: str, weight: str) -> str:
    """Multiply by a matrix from the right; biases are added by the operator that follows."""
    if precision == "int8":
        return symmetric_product(nodes, rows, weight)
    if precision == "fp16":
        rows = nodes.add("Cast", rows, to=TensorProto.FLOAT16)
    return nodes.add("MatMul", rows, weight)


def add_ffn_output(
    nodes: Nodes, config: AlbertConfig, precision: Precision, prefix: str, activated: str
) -> tuple[str, str]:
    """Return the product's name and that of the bias still to be added."""
    weight, bias = f"{prefix}weight", f"{prefix}bias"
    if precision != "int8":
        return _to_float32(nodes, precision, add_product(nodes, precision, activated, weight)), bias
    floor = ACTIVATION_FLOOR[config.activation]
    return non_negative_product(nodes, activated, weight, floor), nodes.add("Add", bias, weight + OFFSET)


def _to_float32(nodes: Nodes, precision: Precision, value: str) -> str:
    return nodes.add("Cast", value, to=TensorProto.FLOAT) if precision == "fp16" else value


def _activation(nodes: Nodes, config: AlbertConfig, value: str, bias: str) -> str:
    if config.activation in _GELU:
        return nodes.add(_GELU[config.activation], value, bias, domain=CONTRIB)
    return nodes.add("Relu", nodes.add("Add", value, bias))


def _norm(nodes: Nodes, config: AlbertConfig, prefix: str, value: str, skip: str, bias: str) -> str:
    """Add the product's bias and the skip connection, and normalise."""
    norm = f"{prefix}norm."
    return nodes.add(
        "SkipLayerNormalization",
        value,
        skip,
        norm + "weight",
        norm + "bias",
        bias,
        domain=CONTRIB,
        epsilon=config.layer_norm_eps,
    )
