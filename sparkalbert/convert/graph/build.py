"""The ONNX graph of an ALBERT in fp32 or int8: each group's layer is written once and run in a loop.

Every graph built here has these inputs and this output, which :mod:`sparkalbert.inference` relies on; the fp16 graph is
built by :mod:`sparkalbert.convert.graph.accelerator`:

==================  ===================================  =================================
``input_ids``       int64 ``[batch, pieces]``            right-padded
``attention_mask``  int64 ``[batch, pieces]``            1 for a piece, 0 for padding
``layer_weights``   float32 ``[layers + 1]``             a weight for each hidden state
``hidden_state``    float32 ``[batch, pieces, hidden]``  the weighted sum of hidden states
==================  ===================================  =================================

The hidden states are those of Hugging Face: the embeddings, then the output of each layer.

All layers of a group share their weights, so each group is one ``Loop`` whose body reads the weights from
the outer scope: the file is as large as the checkpoint, and a session loads each weight once. The loops
stop after the last layer whose weight is not zero, and the sum begins with the first such layer: until then it is a
single zero. Adding every layer to the sum took 1.0 % of the time of ``albert_mini_en`` in fp32 and 1.3 % in int8 (CPU).
It begins by an ``If`` within the loop, not in a second loop as in fp16: two bodies would keep two rearranged copies of
every matrix in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onnx import GraphProto, ModelProto, TensorProto, helper

from sparkalbert.bundle import Precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph.layer import LayerForm, add_valid_pieces, layer, split_projections
from sparkalbert.convert.graph.nodes import CONTRIB, Constants, Nodes
from sparkalbert.convert.weights.names import layer_prefix
from sparkalbert.convert.weights.quantize import HALF

__all__ = [
    "IR_VERSION",
    "OPSET",
    "PRODUCER",
    "build_graph",
    "embeddings",
    "graph_model",
    "layers_until",
    "needed_layers",
    "widen_halves",
]

PRODUCER: Final = "sparkalbert"
OPSET: Final = 18
IR_VERSION: Final = 8
"""The oldest version that has opset 18; ONNX Runtime rejects files whose version is newer than its own."""


def build_graph(config: AlbertConfig, precision: Precision, weights: Sequence[TensorProto]) -> ModelProto:
    """Return the graph of an ALBERT.

    Parameters
    ----------
    config
        Shape of the model.
    precision
        ``fp32`` or ``int8``: the number format of the matrices in `weights`.
    weights
        The initializers, under the names of :func:`sparkalbert.convert.weights.quantize.stored_arrays`, some with
        the suffix :data:`~sparkalbert.convert.weights.quantize.HALF`.

    Returns
    -------
    onnx.ModelProto
        Opset 18 and ``com.microsoft`` 1; the same bytes for the same arguments.
    """
    form = LayerForm(config, precision, frozenset(weight.name for weight in weights))
    nodes = Nodes(Constants())
    widen_halves(nodes, weights)
    split_projections(nodes, form)
    valid = add_valid_pieces(nodes, form)
    first_needed, last_needed = needed_layers(nodes, config)
    hidden = embeddings(nodes, config, precision)
    mixed = nodes.constants.add([[[0]]], "float32")
    mixed = _add_weighted(nodes, mixed, hidden, nodes.constants.add(0, "int64"), first_needed)
    first_layer = 0
    for group, num_layers in enumerate(config.layers_of_groups()):
        iterations = layers_until(nodes, last_needed, first_layer, num_layers)
        body = _group_body(nodes.constants, form, valid, group, first_layer, first_needed)
        hidden, mixed = nodes.add_many("Loop", iterations, "", hidden, mixed, outputs=2, body=body)
        first_layer += num_layers
    nodes.rename_output(mixed, "hidden_state")
    return graph_model(config, nodes, weights)


def widen_halves(nodes: Nodes, weights: Sequence[TensorProto]) -> None:
    """Add the float32 form of each weight with the suffix :data:`~sparkalbert.convert.weights.quantize.HALF`."""
    for weight in weights:
        if weight.name.endswith(HALF):
            # ONNX Runtime computes this once, as it loads the graph.
            nodes.rename_output(nodes.add("Cast", weight.name, to=TensorProto.FLOAT), weight.name.removesuffix(HALF))


def embeddings(nodes: Nodes, config: AlbertConfig, precision: Precision) -> str:
    """Add the embedding block and return the name of its output, float32 ``[batch, pieces, hidden]``."""
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


def needed_layers(nodes: Nodes, config: AlbertConfig) -> tuple[str, str]:
    """Add the indices of the first and the last layer weight that is not zero; 0 and 0 if all are zero."""
    needed = nodes.add("Cast", "layer_weights", to=TensorProto.BOOL)
    indices = nodes.constants.add(range(config.num_hidden_layers + 1), "int64")
    last = nodes.add("ReduceMax", nodes.add("Where", needed, indices, nodes.constants.add(0, "int64")), keepdims=0)
    first = nodes.add("ReduceMin", nodes.add("Where", needed, indices, last), keepdims=0)
    return first, last


def layers_until(nodes: Nodes, last_state: str, layers_before: int, num_layers: int) -> str:
    """Add the number of a group's layers up to hidden state `last_state`; `layers_before` layers precede the group."""
    constants = nodes.constants
    count = nodes.add("Sub", last_state, constants.add(layers_before, "int64"))
    return nodes.add("Clip", count, constants.add(0, "int64"), constants.add(num_layers, "int64"))


def _add_weighted(nodes: Nodes, mixed: str, hidden: str, index: str, first_needed: str) -> str:
    """Add the sum with a hidden state times its layer weight; before state `first_needed`, the sum unchanged."""
    weighted = Nodes(nodes.constants, f"{nodes.scope}weighted.")
    product = weighted.add("Mul", hidden, weighted.add("Gather", "layer_weights", index))
    weighted.rename_output(weighted.add("Add", mixed, product), f"{weighted.scope}sum")
    unchanged = Nodes(nodes.constants, f"{nodes.scope}unchanged.")
    unchanged.rename_output(mixed, f"{unchanged.scope}sum")
    branches = {
        f"{name}_branch": helper.make_graph(
            branch.nodes,
            branch.scope.rstrip("."),
            [],
            [helper.make_tensor_value_info(f"{branch.scope}sum", TensorProto.FLOAT, None)],
        )
        for name, branch in (("then", weighted), ("else", unchanged))
    }
    return nodes.add("If", nodes.add("LessOrEqual", first_needed, index), **branches)


def _group_body(
    constants: Constants, form: LayerForm, valid: str, group: int, first_layer: int, first_needed: str
) -> GraphProto:
    """Return the loop body of one group: its inner layers, and the update of the weighted sum."""
    scope = f"group_{group}."
    nodes = Nodes(constants, scope)
    names = {name: scope + name for name in ("trip", "go_on", "hidden", "mixed")}
    outputs = {name: f"{scope}{name}_out" for name in ("go_on", "hidden", "mixed")}
    hidden = names["hidden"]
    for inner in range(form.config.inner_group_num):
        hidden = layer(nodes, form, layer_prefix(group, inner), hidden, valid)
    index = nodes.add("Add", names["trip"], constants.add(first_layer + 1, "int64"))
    mixed = _add_weighted(nodes, names["mixed"], hidden, index, first_needed)
    nodes.rename_output(mixed, outputs["mixed"])
    nodes.rename_output(hidden, outputs["hidden"])
    nodes.rename_output(names["go_on"], outputs["go_on"])
    state: list[str | int | None] = ["batch", "pieces", form.config.hidden_size]
    # The sum has no declared shape: it is a single zero at first, then [batch, pieces, hidden].
    return helper.make_graph(
        nodes.nodes,
        f"group_{group}",
        [
            helper.make_tensor_value_info(names["trip"], TensorProto.INT64, []),
            helper.make_tensor_value_info(names["go_on"], TensorProto.BOOL, []),
            helper.make_tensor_value_info(names["hidden"], TensorProto.FLOAT, state),
            helper.make_tensor_value_info(names["mixed"], TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info(outputs["go_on"], TensorProto.BOOL, []),
            helper.make_tensor_value_info(outputs["hidden"], TensorProto.FLOAT, state),
            helper.make_tensor_value_info(outputs["mixed"], TensorProto.FLOAT, None),
        ],
    )


def graph_model(
    config: AlbertConfig, nodes: Nodes, weights: Sequence[TensorProto], *, takes_rows: bool = False
) -> ModelProto:
    """Return the model of finished nodes; if `takes_rows`, its output has the rows of the input ``rows``."""
    ids = ["batch", "pieces"]
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, ids),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ids),
        helper.make_tensor_value_info("layer_weights", TensorProto.FLOAT, [config.num_hidden_layers + 1]),
    ]
    if takes_rows:
        inputs.append(helper.make_tensor_value_info("rows", TensorProto.INT64, ["rows"]))
    vectors = ["rows"] if takes_rows else ids
    graph = helper.make_graph(
        nodes.nodes,
        "albert",
        inputs,
        [helper.make_tensor_value_info("hidden_state", TensorProto.FLOAT, [*vectors, config.hidden_size])],
        [*nodes.constants.tensors.values(), *weights],
    )
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        producer_name=PRODUCER,
    )
