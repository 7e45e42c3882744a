"""The ONNX graph of an ALBERT: its layer written once, and looped over.

Inputs and output of every graph built here (the contract with :mod:`sparkalbert.inference`):

==================  =================================  =================================================
``input_ids``       int64 ``[batch, pieces]``          right-padded
``attention_mask``  int64 ``[batch, pieces]``          1 for a piece, 0 for padding
``layer_weights``   float32 ``[layers + 1]``           weight of each of Hugging Face's ``hidden_states``
``hidden_state``    float32 ``[batch, pieces, hidden]``  the weighted sum
==================  =================================  =================================================

All layers of a group share their weights, so each group is one ``Loop`` whose body reads the weights
from the outer scope: the file has the checkpoint's size and a session loads them once. The loops stop
after the last layer with a non-zero weight. The module knows shapes and names; the numbers are written
by :mod:`sparkalbert.convert.weights_file`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onnx import GraphProto, ModelProto, TensorProto, helper

from sparkalbert.bundle import Precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph_layer import LayerForm, layer
from sparkalbert.convert.graph_nodes import CONTRIB, Constants, Nodes
from sparkalbert.convert.weight_names import layer_prefix

__all__ = ["IR_VERSION", "OPSET", "build_graph", "embeddings"]

OPSET: Final = 18
IR_VERSION: Final = 8
"""The oldest that has opset 18: older ONNX Runtimes refuse newer files."""


def build_graph(config: AlbertConfig, precision: Precision, weights: Sequence[TensorProto]) -> ModelProto:
    """Return the graph of an ALBERT.

    Parameters
    ----------
    config
        Shape of the model.
    precision
        Number format of the matrices in `weights`.
    weights
        Where each weight lies in the weights file, under the names of
        :func:`sparkalbert.convert.quantize.stored_arrays`.

    Returns
    -------
    onnx.ModelProto
        Opset 18 and ``com.microsoft`` 1; the same bytes for the same arguments.
    """
    form = LayerForm(config, precision, frozenset(weight.name for weight in weights))
    nodes = Nodes(Constants())
    lengths = nodes.add(
        "Cast",
        nodes.add("ReduceSum", "attention_mask", nodes.constants.add([1], "int64"), keepdims=0),
        to=TensorProto.INT32,
    )
    last_layer = _last_layer(nodes, config)
    hidden = embeddings(nodes, config, precision)
    mixed = nodes.add("Mul", hidden, _layer_weight(nodes, nodes.constants.add(0, "int64")))
    first = 0
    for group, count in enumerate(config.layers_of_groups()):
        trips = _trips(nodes, last_layer, first, count)
        body = _group_body(nodes.constants, form, lengths, group, first)
        hidden, mixed = nodes.add_many("Loop", trips, "", hidden, mixed, outputs=2, body=body)
        first += count
    nodes.rename_output(mixed, "hidden_state")
    return _model(config, nodes, weights)


def embeddings(nodes: Nodes, config: AlbertConfig, precision: Precision) -> str:
    """Add pieces and positions, normalise, and project to the hidden size."""
    constants = nodes.constants
    count = nodes.add("Shape", "input_ids", start=1, end=2)
    positions = nodes.add("Slice", "embeddings.positions", constants.add([0], "int64"), count)
    pieces = nodes.add("Gather", "embeddings.pieces", "input_ids")
    if precision == "fp16":
        positions = nodes.add("Cast", positions, to=TensorProto.FLOAT)
        pieces = nodes.add("Cast", pieces, to=TensorProto.FLOAT)
    normed = nodes.add(
        "LayerNormalization",
        nodes.add("Add", pieces, positions),
        "embeddings.norm.weight",
        "embeddings.norm.bias",
        axis=-1,
        epsilon=config.layer_norm_eps,
    )
    projected = nodes.add("MatMul", normed, "embeddings.projection.weight")
    return nodes.add("Add", projected, "embeddings.projection.bias")


def _last_layer(nodes: Nodes, config: AlbertConfig) -> str:
    """Return the index of the last non-zero layer weight, int64 scalar; 0 where all are zero."""
    wanted = nodes.add("Cast", "layer_weights", to=TensorProto.BOOL)
    indices = nodes.constants.add(range(config.num_hidden_layers + 1), "int64")
    named = nodes.add("Where", wanted, indices, nodes.constants.add(0, "int64"))
    return nodes.add("ReduceMax", named, keepdims=0)


def _trips(nodes: Nodes, last_layer: str, first: int, count: int) -> str:
    """Return how many of a group's `count` layers are needed; `first` layers stand before it."""
    constants = nodes.constants
    left = nodes.add("Sub", last_layer, constants.add(first, "int64"))
    return nodes.add("Clip", left, constants.add(0, "int64"), constants.add(count, "int64"))


def _layer_weight(nodes: Nodes, index: str) -> str:
    return nodes.add("Gather", "layer_weights", index)


def _group_body(constants: Constants, form: LayerForm, lengths: str, group: int, first: int) -> GraphProto:
    """Return the loop body of one group: its inner layers once, and the running sum."""
    scope = f"group_{group}."
    nodes = Nodes(constants, scope)
    names = {name: scope + name for name in ("trip", "go_on", "hidden", "mixed")}
    outputs = {name: f"{scope}{name}_out" for name in ("go_on", "hidden", "mixed")}
    hidden = names["hidden"]
    for inner in range(form.config.inner_group_num):
        hidden = layer(nodes, form, layer_prefix(group, inner), hidden, lengths)
    index = nodes.add("Add", names["trip"], constants.add(first + 1, "int64"))
    share = nodes.add("Mul", hidden, _layer_weight(nodes, index))
    nodes.rename_output(nodes.add("Add", names["mixed"], share), outputs["mixed"])
    nodes.rename_output(hidden, outputs["hidden"])
    nodes.rename_output(names["go_on"], outputs["go_on"])
    state: list[str | int | None] = ["batch", "pieces", form.config.hidden_size]
    return helper.make_graph(
        nodes.nodes,
        f"group_{group}",
        [
            helper.make_tensor_value_info(names["trip"], TensorProto.INT64, []),
            helper.make_tensor_value_info(names["go_on"], TensorProto.BOOL, []),
            helper.make_tensor_value_info(names["hidden"], TensorProto.FLOAT, state),
            helper.make_tensor_value_info(names["mixed"], TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info(outputs["go_on"], TensorProto.BOOL, []),
            helper.make_tensor_value_info(outputs["hidden"], TensorProto.FLOAT, state),
            helper.make_tensor_value_info(outputs["mixed"], TensorProto.FLOAT, state),
        ],
    )


def _model(config: AlbertConfig, nodes: Nodes, weights: Sequence[TensorProto]) -> ModelProto:
    ids = ["batch", "pieces"]
    graph = helper.make_graph(
        nodes.nodes,
        "albert",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ids),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ids),
            helper.make_tensor_value_info("layer_weights", TensorProto.FLOAT, [config.num_hidden_layers + 1]),
        ],
        [helper.make_tensor_value_info("hidden_state", TensorProto.FLOAT, [*ids, config.hidden_size])],
        [*nodes.constants.tensors.values(), *weights],
    )
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        producer_name="sparkalbert",
    )
