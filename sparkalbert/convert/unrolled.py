"""Builds the graph of an ALBERT as other exporters do: every layer written out, with standard operators.

Only the products in int8 are ours. The graph shows the benchmark what ONNX Runtime can do with the same weights: the
limit is the speed of the faster graph, this one or our own. ONNX Runtime fuses the standard operators as it does those
of a torch export. The weights are still stored once, because all layers of a group refer to the same initializers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from onnx import ModelProto, TensorProto, helper

from sparkalbert.bundle import Bundle, Manifest, Precision, write_bundle
from sparkalbert.bundle.folder import GRAPH_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.conversion import library_versions, weight_arrays
from sparkalbert.convert.graph.attention import additive_mask
from sparkalbert.convert.graph.build import IR_VERSION, OPSET, PRODUCER, embeddings
from sparkalbert.convert.graph.layer import (
    LayerForm,
    add_ffn_output,
    add_norm,
    add_product,
    add_projections,
    split_projections,
)
from sparkalbert.convert.graph.nodes import CONTRIB, Constants, Nodes
from sparkalbert.convert.weights.file import write_weights
from sparkalbert.convert.weights.names import layer_prefix

__all__ = ["convert_unrolled"]

_INPUTS: Final = ("input_ids", "attention_mask")
_SQRT_2_OVER_PI: Final = 0.7978845608028654


def convert_unrolled(source: str | Path, target: str | Path, precision: Precision = "fp32") -> Bundle:
    """Convert a checkpoint into a bundle with an unrolled graph, and open it.

    The graph takes ``input_ids`` and ``attention_mask`` and returns the last layer only, as an imported graph
    does.

    Parameters
    ----------
    source
        A Hugging Face ALBERT folder.
    target
        The bundle folder to write.
    precision
        ``fp32`` or ``int8``; the matrices are those of :func:`~sparkalbert.convert.convert_checkpoint`.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be converted; the message lists every problem.
    OutputError
        If `target` exists.
    """
    checkpoint = Checkpoint.open(source)
    config = checkpoint.config
    tokenizer = checkpoint.tokenizer.check_vocabulary()
    manifest = Manifest(
        name=f"{checkpoint.folder.resolve().name}-unrolled",
        source=checkpoint.folder.resolve().name,
        revision=None,
        precision=precision,
        dimension=config.hidden_size,
        max_pieces=config.max_position_embeddings,
        num_layers=0,
        files={},
        versions=library_versions(),
        note="Unrolled, for comparison only.",
        tokenizer=tokenizer.record,
    )
    with write_bundle(target, manifest) as folder:
        tokenizer.save(folder)
        initializers = write_weights(folder, weight_arrays(checkpoint, precision))
        model = _graph(config, precision, initializers)
        (folder / GRAPH_FILE).write_bytes(model.SerializeToString(deterministic=True))
    return Bundle.open(target)


def _graph(config: AlbertConfig, precision: Precision, weights: list[TensorProto]) -> ModelProto:
    form = LayerForm(config, precision, frozenset(weight.name for weight in weights))
    nodes = Nodes(Constants())
    split_projections(nodes, form)
    mask = additive_mask(nodes)
    hidden = embeddings(nodes, config, precision)
    layer = 0
    for group, num_layers in enumerate(config.layers_of_groups()):
        for _ in range(num_layers):
            for inner in range(config.inner_group_num):
                nodes = replace(nodes, scope=f"layer_{layer}_{inner}.")
                hidden = _layer(nodes, form, layer_prefix(group, inner), hidden, mask)
            layer += 1
    nodes.rename_output(hidden, "last_hidden_state")
    ids = ["batch", "pieces"]
    graph = helper.make_graph(
        nodes.nodes,
        "albert_unrolled",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ids) for name in _INPUTS],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*ids, config.hidden_size])],
        [*nodes.constants.tensors.values(), *weights],
    )
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        producer_name=PRODUCER,
    )


def _layer(nodes: Nodes, form: LayerForm, prefix: str, hidden: str, mask: str) -> str:
    config = form.config
    context = _attention(nodes, form, prefix, hidden, mask)
    attended = add_norm(nodes, config, f"{prefix}attention.", context, hidden, f"{prefix}attention.bias")
    expanded = add_product(nodes, form, attended, f"{prefix}ffn.weight")
    activated = _activation(nodes, config, nodes.add("Add", expanded, f"{prefix}ffn.bias"))
    output, bias = add_ffn_output(nodes, form, f"{prefix}ffn_output.", activated)
    return add_norm(nodes, config, f"{prefix}ffn_output.", output, attended, bias)


def _attention(nodes: Nodes, form: LayerForm, prefix: str, hidden: str, mask: str) -> str:
    config, constants = form.config, nodes.constants
    projections = add_projections(nodes, form, hidden, prefix)
    shape = constants.add([0, 0, config.num_attention_heads, config.head_size], "int64")
    query, key, value = (
        nodes.add("Transpose", nodes.add("Reshape", part, shape), perm=perm)
        for part, perm in zip(projections, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scores = nodes.add("Div", nodes.add("MatMul", query, key), constants.add(config.head_size**0.5, "float32"))
    weights = nodes.add("Softmax", nodes.add("Add", scores, mask), axis=-1)
    heads = nodes.add("Transpose", nodes.add("MatMul", weights, value), perm=[0, 2, 1, 3])
    context = nodes.add("Reshape", heads, constants.add([0, 0, config.hidden_size], "int64"))
    return add_product(nodes, form, context, f"{prefix}attention.weight")


def _activation(nodes: Nodes, config: AlbertConfig, value: str) -> str:
    """Add the activation in the form in which torch exports it, which ONNX Runtime recognizes and fuses."""
    if config.activation == "relu":
        return nodes.add("Relu", value)
    constant = nodes.constants.add
    if config.activation == "erf":
        inner = nodes.add("Erf", nodes.add("Div", value, constant(2**0.5, "float32")))
        gate = nodes.add("Add", inner, constant(1, "float32"))
        return nodes.add("Mul", nodes.add("Mul", value, gate), constant(0.5, "float32"))
    cube = nodes.add("Mul", nodes.add("Pow", value, constant(3, "float32")), constant(0.044715, "float32"))
    inner = nodes.add("Mul", nodes.add("Add", value, cube), constant(_SQRT_2_OVER_PI, "float32"))
    gate = nodes.add("Add", nodes.add("Tanh", inner), constant(1, "float32"))
    return nodes.add("Mul", nodes.add("Mul", value, constant(0.5, "float32")), gate)
