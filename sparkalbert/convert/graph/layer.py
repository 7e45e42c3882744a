"""Builds an ALBERT layer in fp32 or int8 as ONNX nodes: self-attention, feed-forward network, each normalized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sparkalbert.bundle import Precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph.int8 import non_negative_rows, product, symmetric_rows
from sparkalbert.convert.graph.nodes import CONTRIB, Nodes
from sparkalbert.convert.weights.quantize import ACTIVATION_FLOOR, OFFSET, RESIDUAL

__all__ = ["LayerForm", "add_ffn_output", "add_norm", "add_product", "add_qkv", "layer"]

_GELU: Final = {"erf": "BiasGelu", "tanh": "FastGelu"}


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


def layer(nodes: Nodes, form: LayerForm, prefix: str, hidden: str, lengths: str) -> str:
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
    lengths
        Name of the number of valid pieces of each sequence, int32 ``[batch]``.
    """
    context = _attention(nodes, form, prefix, hidden, lengths)
    attended = add_norm(nodes, form.config, prefix + "attention.", context, hidden, f"{prefix}attention.bias")
    expanded = add_product(nodes, form, attended, f"{prefix}ffn.weight")
    activated = _activation(nodes, form.config, expanded, f"{prefix}ffn.bias")
    output, bias = add_ffn_output(nodes, form, f"{prefix}ffn_output.", activated)
    return add_norm(nodes, form.config, prefix + "ffn_output.", output, attended, bias)


def _attention(nodes: Nodes, form: LayerForm, prefix: str, hidden: str, lengths: str) -> str:
    context = nodes.add(
        "MultiHeadAttention",
        *add_qkv(nodes, form, hidden, f"{prefix}qkv."),
        "",
        lengths,
        domain=CONTRIB,
        num_heads=form.config.num_attention_heads,
    )
    return add_product(nodes, form, context, f"{prefix}attention.weight")


def add_qkv(nodes: Nodes, form: LayerForm, rows: str, prefix: str) -> list[str]:
    """Add query, key and value with their biases, each ``[batch, pieces, hidden]``."""
    packed, residual = _product_and_residual(nodes, form, rows, f"{prefix}weight")
    *query_and_key, value = nodes.add_many(
        "Split", nodes.add("Add", packed, f"{prefix}bias"), outputs=3, axis=-1, num_outputs=3
    )
    return [*query_and_key, nodes.add("Add", value, residual) if residual else value]


def add_product(nodes: Nodes, form: LayerForm, rows: str, weight: str) -> str:
    """Add the product of rows and a matrix; the operator that follows adds the bias."""
    multiplied, residual = _product_and_residual(nodes, form, rows, weight)
    return nodes.add("Add", multiplied, residual) if residual else multiplied


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


def _product_and_residual(nodes: Nodes, form: LayerForm, rows: str, weight: str) -> tuple[str, str]:
    """Add the products of rows with a matrix and with its residual; without a residual the second name is empty."""
    if form.precision == "int8":
        integers = symmetric_rows(nodes, rows)
        has_residual = weight + RESIDUAL in form.stored
        residual = product(nodes, integers, weight + RESIDUAL) if has_residual else ""
        return product(nodes, integers, weight), residual
    return nodes.add("MatMul", rows, weight), ""


def _activation(nodes: Nodes, config: AlbertConfig, value: str, bias: str) -> str:
    if config.activation in _GELU:
        return nodes.add(_GELU[config.activation], value, bias, domain=CONTRIB)
    return nodes.add("Relu", nodes.add("Add", value, bias))
