"""Builds an ALBERT layer in fp32 or int8 as ONNX nodes: self-attention, feed-forward network, each normalized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sparkalbert.bundle import Precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph.attention import (
    additive_mask,
    fused_attention,
    sequence_lengths,
    written_out_attention,
)
from sparkalbert.convert.graph.int8 import IntegerRows, non_negative_rows, product, symmetric_rows
from sparkalbert.convert.graph.nodes import CONTRIB, Nodes
from sparkalbert.convert.weights.names import layer_prefix
from sparkalbert.convert.weights.quantize import ACTIVATION_FLOOR, OFFSET, RESIDUAL, SCALE

__all__ = [
    "LayerForm",
    "add_ffn_output",
    "add_norm",
    "add_product",
    "add_projections",
    "add_valid_pieces",
    "layer",
    "split_projections",
]

_GELU: Final = {"erf": "Gelu", "tanh": "FastGelu"}
_PROJECTIONS: Final = ("query", "key", "value")


@dataclass(frozen=True)
class LayerForm:
    """The shape and number format of every layer of a graph.

    Attributes
    ----------
    config
        Shape of the model.
    precision
        ``fp32`` or ``int8``: the number format of the matrices.
    stored
        Names of all weights of the graph; they show which matrices have a residual.
    """

    config: AlbertConfig
    precision: Precision
    stored: frozenset[str]


def add_valid_pieces(nodes: Nodes, form: LayerForm) -> str:
    """Add what marks the valid pieces for attention: an additive mask in int8, the length of each sequence in fp32."""
    return additive_mask(nodes) if form.precision == "int8" else sequence_lengths(nodes)


def split_projections(nodes: Nodes, form: LayerForm) -> None:
    """In int8, split the stored matrix of query, key and value, its scales and its bias into three; else add nothing.

    ONNX Runtime splits them once, when it loads the graph. Three products take no longer than one product of all three,
    whose output would have to be split for each batch: 3 % of the time of a base model.
    """
    if form.precision != "int8":
        return
    for group in range(form.config.num_hidden_groups):
        for inner in range(form.config.inner_group_num):
            prefix = layer_prefix(group, inner)
            for kind in ("weight", f"weight{SCALE}", "bias"):
                parts = nodes.add_many("Split", f"{prefix}qkv.{kind}", outputs=3, axis=-1, num_outputs=3)
                for projection, part in zip(_PROJECTIONS, parts, strict=True):
                    nodes.rename_output(part, f"{prefix}{projection}.{kind}")


def layer(nodes: Nodes, form: LayerForm, prefix: str, hidden: str, valid: str) -> str:
    """Add one layer and return the name of its output, float32 ``[batch, pieces, hidden]``.

    Parameters
    ----------
    nodes
        The loop body to add to.
    form
        Shape and number format.
    prefix
        Prefix of the names of the layer's weights.
    hidden
        Name of the input, float32 ``[batch, pieces, hidden]``.
    valid
        Name of what :func:`add_valid_pieces` added.
    """
    projections = add_projections(nodes, form, hidden, prefix)
    attention = written_out_attention if form.precision == "int8" else fused_attention
    context = add_product(nodes, form, attention(nodes, form.config, projections, valid), f"{prefix}attention.weight")
    attended = add_norm(nodes, form.config, prefix + "attention.", context, hidden, f"{prefix}attention.bias")
    expanded = add_product(nodes, form, attended, f"{prefix}ffn.weight")
    activated = _activation(nodes, form.config, nodes.add("Add", expanded, f"{prefix}ffn.bias"))
    output, bias = add_ffn_output(nodes, form, f"{prefix}ffn_output.", activated)
    return add_norm(nodes, form.config, prefix + "ffn_output.", output, attended, bias)


def add_projections(nodes: Nodes, form: LayerForm, rows: str, prefix: str) -> list[str]:
    """Add query, key and value with their biases, each ``[batch, pieces, hidden]``.

    In int8 they need what :func:`split_projections` added.
    """
    if form.precision != "int8":
        packed = nodes.add("Add", nodes.add("MatMul", rows, f"{prefix}qkv.weight"), f"{prefix}qkv.bias")
        return nodes.add_many("Split", packed, outputs=3, axis=-1, num_outputs=3)
    integers = symmetric_rows(nodes, rows)
    *query_and_key, value = (
        nodes.add("Add", product(nodes, integers, f"{prefix}{projection}.weight"), f"{prefix}{projection}.bias")
        for projection in _PROJECTIONS
    )
    return [*query_and_key, _with_residual(nodes, form, value, integers, f"{prefix}qkv.weight")]


def add_product(nodes: Nodes, form: LayerForm, rows: str, weight: str) -> str:
    """Add the product of rows and a matrix; the operator that follows adds the bias."""
    if form.precision != "int8":
        return nodes.add("MatMul", rows, weight)
    integers = symmetric_rows(nodes, rows)
    return _with_residual(nodes, form, product(nodes, integers, weight), integers, weight)


def add_ffn_output(nodes: Nodes, form: LayerForm, prefix: str, activated: str) -> tuple[str, str]:
    """Add the second product of the feed-forward network; return its name and the bias still to be added."""
    weight, bias = f"{prefix}weight", f"{prefix}bias"
    if form.precision != "int8":
        return add_product(nodes, form, activated, weight), bias
    rows = non_negative_rows(nodes, activated, ACTIVATION_FLOOR[form.config.activation])
    return product(nodes, rows, weight), nodes.add("Add", bias, weight + OFFSET)


def add_norm(nodes: Nodes, config: AlbertConfig, prefix: str, value: str, skip: str, bias: str) -> str:
    """Add the product's bias and the skip connection, then normalize.

    Separate operators, because ONNX Runtime's fused one is slower on CPUs; see
    :mod:`sparkalbert.inference.session`, which also prevents the fusion.
    """
    norm = f"{prefix}norm."
    return nodes.add(
        "LayerNormalization",
        nodes.add("Add", nodes.add("Add", value, bias), skip),
        norm + "weight",
        norm + "bias",
        axis=-1,
        epsilon=config.layer_norm_eps,
    )


def _with_residual(nodes: Nodes, form: LayerForm, multiplied: str, integers: IntegerRows, weight: str) -> str:
    """Add the product of the matrix's residual to that of the matrix, if it has a residual."""
    residual = weight + RESIDUAL
    return nodes.add("Add", multiplied, product(nodes, integers, residual)) if residual in form.stored else multiplied


def _activation(nodes: Nodes, config: AlbertConfig, value: str) -> str:
    """Add the activation of a product whose bias is added already.

    In int8 ONNX Runtime runs the addition and the activation one after the other, which is faster on CPUs than its
    operators that do both: 38 instead of 54 us for erf GELU, 44 instead of 52 for tanh, per piece in the 12 layers of
    base, one thread, CPU with AMX. In fp32 it fuses the two, which makes no difference there.
    """
    if config.activation in _GELU:
        return nodes.add(_GELU[config.activation], value, domain=CONTRIB)
    return nodes.add("Relu", value)
