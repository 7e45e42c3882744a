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
from sparkalbert.convert.graph.int8 import non_negative_rows, product, symmetric_rows
from sparkalbert.convert.graph.nodes import CONTRIB, Nodes
from sparkalbert.convert.weights.names import layer_prefix
from sparkalbert.convert.weights.quantize import ACTIVATION_FLOOR, OFFSET, RESIDUAL, SCALE

__all__ = [
    "LayerForm",
    "add_ffn_output",
    "add_norm",
    "add_padding",
    "add_product",
    "add_projections",
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


def add_padding(nodes: Nodes, form: LayerForm) -> str:
    """Add what tells a layer which pieces are padding: a mask for int8, the lengths of the sequences for fp32."""
    return additive_mask(nodes) if form.precision == "int8" else sequence_lengths(nodes)


def split_projections(nodes: Nodes, form: LayerForm) -> None:
    """Add a matrix, scales and a bias each for query, key and value, in int8, where they are stored side by side.

    ONNX Runtime computes this once, as it loads the graph. Three products cost nothing more than one, which would have
    to be split for each batch: 3 % of the time of a base model.
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


def layer(nodes: Nodes, form: LayerForm, prefix: str, hidden: str, padding: str) -> str:
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
    padding
        Name of what :func:`add_padding` added.
    """
    projections = add_projections(nodes, form, hidden, prefix)
    attention = written_out_attention if form.precision == "int8" else fused_attention
    context = add_product(nodes, form, attention(nodes, form.config, projections, padding), f"{prefix}attention.weight")
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
    residual = f"{prefix}qkv.weight{RESIDUAL}"
    if residual in form.stored:
        value = nodes.add("Add", value, product(nodes, integers, residual))
    return [*query_and_key, value]


def add_product(nodes: Nodes, form: LayerForm, rows: str, weight: str) -> str:
    """Add the product of rows and a matrix; the operator that follows adds the bias."""
    if form.precision != "int8":
        return nodes.add("MatMul", rows, weight)
    integers = symmetric_rows(nodes, rows)
    multiplied = product(nodes, integers, weight)
    residual = weight + RESIDUAL
    return nodes.add("Add", multiplied, product(nodes, integers, residual)) if residual in form.stored else multiplied


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


def _activation(nodes: Nodes, config: AlbertConfig, value: str) -> str:
    """Add the activation of a product whose bias is added already.

    ONNX Runtime's operators that add the bias as well are slower on CPUs: of a layer in int8, BiasGelu took 54 us per
    piece and FastGelu 52, Add and either 38 and 44.
    """
    if config.activation in _GELU:
        return nodes.add(_GELU[config.activation], value, domain=CONTRIB)
    return nodes.add("Relu", value)
