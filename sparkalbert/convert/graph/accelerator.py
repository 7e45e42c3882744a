"""The ONNX graph of an ALBERT in fp16, for GPUs: float16 throughout, few and fused operators, rows gathered inside.

Besides the inputs of :mod:`sparkalbert.convert.graph.build`, it takes the rows whose vectors are needed, so that the
hidden states of a batch never leave the GPU:

==================  ==================================  =================================================
``rows``            int64 ``[rows]``                    indices into ``[batch * pieces]``
``hidden_state``    float32 ``[rows, hidden]``          the weighted sum of hidden states, at these rows
==================  ==================================  =================================================

Why the graph has this form
---------------------------
Pieces per second of one forward pass, xlarge shape with random weights, 32 sequences of 128 pieces, onnxruntime-gpu
1.31, the output left on the GPU. A product of two float16 matrices of 8192 x 8192 ran at 705 TFLOP/s on the H200 and at
659 on the H100; 236,000 pieces per second are 577.

=====================================================================  ===========  ===========
graph                                                                  NVIDIA H200  NVIDIA H100
=====================================================================  ===========  ===========
torch 2.11, ``AlbertModel`` of transformers, SDPA                      179,000
torch 2.11, written by hand: packed QKV, one GELU kernel, SDPA         245,000
residual stream in float32, weighted sum after every layer             184,000
``MultiHeadAttention`` after product, bias and split, same sum         187,000
``Attention``, same sum                                                198,000
the same, every layer written out instead of ``Loop``                  212,000
every layer written out, weighted sum after the last layer only        236,000
``Loop`` without, then with a weighted sum, condition from ``go_on``                208,000
**the same, condition from a shape: this graph**                                    **216,000**
=====================================================================  ===========  ===========

float16 in the residual stream costs little accuracy: 1 - mean cosine to float32 is 3.3e-6, with a float32 residual
stream 2.1e-6, and in the torch programs 2.7e-6 and 2.4e-6 (24 layers). With the weights of ``albert_mini_en`` it is
1.9e-6, the worst of 1,000 words 3.3e-6, and 99.9 % of the words keep their nearest word.

The mask of ``Attention`` has its long form, lengths and where each sequence starts. With lengths alone ONNX Runtime
chooses cuDNN: 2 % faster, but cuDNN compiles a kernel for every new shape of a batch, which took 60 to 100 ms, several
times the forward pass. Only the memory-efficient kernel reads the long form so. It needs a head size that is a multiple
of 8; for another head size ONNX Runtime takes its unfused kernel, which would read the starts as those of padding on
the left, so the mask has lengths alone then (read in ``contrib_ops/cuda/bert``; not run on a GPU).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onnx import GraphProto, ModelProto, TensorProto, helper

from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph.attention import sequence_lengths
from sparkalbert.convert.graph.build import embeddings, graph_model, layers_until, needed_layers, widen_halves
from sparkalbert.convert.graph.nodes import CONTRIB, Constants, Nodes
from sparkalbert.convert.weights.names import layer_prefix

__all__ = ["build_accelerator_graph"]

_EFFICIENT_HEAD_SIZES: Final = 8
"""The memory-efficient attention kernel of ONNX Runtime runs for head sizes that are multiples of this number."""

_GELU: Final = {"erf": "BiasGelu", "tanh": "FastGelu"}


def build_accelerator_graph(
    config: AlbertConfig, weights: Sequence[TensorProto], *, all_rows: bool = False
) -> ModelProto:
    """Return the graph of an ALBERT in fp16.

    Parameters
    ----------
    config
        Shape of the model.
    weights
        The initializers, under the names of :func:`sparkalbert.convert.weights.quantize.stored_arrays`, some with
        the suffix :data:`~sparkalbert.convert.weights.quantize.HALF`.
    all_rows
        If true, the graph has the interface of fp32 instead: no ``rows``, and the hidden states of all pieces.

    Returns
    -------
    onnx.ModelProto
        Opset 18 and ``com.microsoft`` 1; the same bytes for the same arguments.
    """
    nodes = Nodes(Constants())
    widen_halves(nodes, weights)
    constants = nodes.constants
    if all_rows:
        zero, one = constants.add(0, "int64"), constants.add(1, "int64")
        nodes.rename_output(nodes.add("Range", zero, nodes.add("Size", "input_ids"), one), "rows")
    mask = _attention_mask(nodes, config)
    first_needed, last_needed = needed_layers(nodes, config)
    hidden = nodes.add("Cast", embeddings(nodes, config, "fp16"), to=TensorProto.FLOAT16)
    mixed = _weighted_rows(nodes, config, hidden, constants.add(0, "int64"))
    first_layer = 0
    for group, num_layers in enumerate(config.layers_of_groups()):
        # The layers before the first that is needed; then the others, with their weights.
        plain = layers_until(nodes, nodes.add("Sub", first_needed, constants.add(1, "int64")), first_layer, num_layers)
        weighted = nodes.add("Sub", layers_until(nodes, last_needed, first_layer, num_layers), plain)
        offset = nodes.add("Add", plain, constants.add(first_layer + 1, "int64"))
        body = _plain_body(constants, config, mask, group)
        hidden = nodes.add("Loop", plain, "", hidden, body=body)
        body = _weighted_body(constants, config, mask, group, offset)
        hidden, mixed = nodes.add_many("Loop", weighted, "", hidden, mixed, outputs=2, body=body)
        first_layer += num_layers
    if all_rows:
        width = constants.add([config.hidden_size], "int64")
        mixed = nodes.add("Reshape", mixed, nodes.add("Concat", nodes.add("Shape", "input_ids"), width, axis=0))
    nodes.rename_output(mixed, "hidden_state")
    return graph_model(config, nodes, weights, takes_rows=not all_rows)


def _attention_mask(nodes: Nodes, config: AlbertConfig) -> str:
    """Add int32 ``[3 * batch + 2]``: the length of each sequence, then twice where each starts and the last ends.

    If the memory-efficient kernel does not support the head size, add int32 ``[batch]``, the lengths alone.
    """
    constants = nodes.constants
    lengths = sequence_lengths(nodes)
    if config.head_size % _EFFICIENT_HEAD_SIZES:
        return lengths
    zero, one = constants.add(0, "int64"), constants.add(1, "int64")
    shape = nodes.add("Shape", "attention_mask")
    stop = nodes.add("Add", nodes.add("Gather", shape, zero), one)
    numbers = nodes.add("Range", zero, stop, one)
    starts = nodes.add("Cast", nodes.add("Mul", numbers, nodes.add("Gather", shape, one)), to=TensorProto.INT32)
    return nodes.add("Concat", lengths, starts, starts, axis=0)


def _weighted_rows(nodes: Nodes, config: AlbertConfig, hidden: str, index: str) -> str:
    """Add the needed rows of a hidden state times a layer weight, float32 ``[rows, hidden]``."""
    flat = nodes.add("Reshape", hidden, nodes.constants.add([-1, config.hidden_size], "int64"))
    rows = nodes.add("Cast", nodes.add("Gather", flat, "rows"), to=TensorProto.FLOAT)
    return nodes.add("Mul", rows, nodes.add("Gather", "layer_weights", index))


def _plain_body(constants: Constants, config: AlbertConfig, mask: str, group: int) -> GraphProto:
    """Return the loop body of a group without a weighted sum."""
    nodes = Nodes(constants, f"group_{group}.plain.")
    _layers(nodes, config, mask, group)
    return _body(nodes, config, with_sum=False)


def _weighted_body(constants: Constants, config: AlbertConfig, mask: str, group: int, offset: str) -> GraphProto:
    """Return the loop body of a group with a weighted sum; `offset` is the index of its first layer weight."""
    nodes = Nodes(constants, f"group_{group}.weighted.")
    hidden = _layers(nodes, config, mask, group)
    weighted = _weighted_rows(nodes, config, hidden, nodes.add("Add", nodes.scope + "trip", offset))
    nodes.rename_output(nodes.add("Add", nodes.scope + "mixed", weighted), nodes.scope + "mixed_out")
    return _body(nodes, config, with_sum=True)


def _body(nodes: Nodes, config: AlbertConfig, *, with_sum: bool) -> GraphProto:
    scope = nodes.scope
    hidden: list[str | int | None] = ["batch", "pieces", config.hidden_size]
    states = [("hidden", TensorProto.FLOAT16, hidden)]
    if with_sum:
        states.append(("mixed", TensorProto.FLOAT, ["rows", config.hidden_size]))
    value = helper.make_tensor_value_info
    return helper.make_graph(
        nodes.nodes,
        scope.rstrip("."),
        [
            value(scope + "trip", TensorProto.INT64, []),
            value(scope + "go_on", TensorProto.BOOL, []),
            *(value(scope + name, kind, shape) for name, kind, shape in states),
        ],
        [
            value(scope + "go_on_out", TensorProto.BOOL, []),
            *(value(f"{scope}{name}_out", kind, shape) for name, kind, shape in states),
        ],
    )


def _layers(nodes: Nodes, config: AlbertConfig, mask: str, group: int) -> str:
    """Add a group's inner layers and the condition of its loop; return the name of the hidden state."""
    hidden = nodes.scope + "hidden"
    for inner in range(config.inner_group_num):
        hidden = _layer(nodes, config, layer_prefix(group, inner), hidden, mask)
    # Always true, but taken from a shape: ONNX Runtime keeps shapes on the CPU, so the loop never waits for the GPU.
    batch = nodes.add("Gather", nodes.add("Shape", nodes.scope + "hidden"), nodes.constants.add(0, "int64"))
    nodes.rename_output(nodes.add("Cast", batch, to=TensorProto.BOOL), nodes.scope + "go_on_out")
    nodes.rename_output(hidden, nodes.scope + "hidden_out")
    return hidden


def _layer(nodes: Nodes, config: AlbertConfig, prefix: str, hidden: str, mask: str) -> str:
    """Add one layer and return the name of its output, float16 ``[batch, pieces, hidden]``."""
    heads = config.num_attention_heads
    packed = (f"{prefix}qkv.weight", f"{prefix}qkv.bias")
    context = nodes.add("Attention", hidden, *packed, mask, domain=CONTRIB, num_heads=heads)
    attended = _product_and_norm(nodes, config, f"{prefix}attention.", context, hidden)
    expanded = nodes.add("MatMul", attended, f"{prefix}ffn.weight")
    if config.activation in _GELU:
        activated = nodes.add(_GELU[config.activation], expanded, f"{prefix}ffn.bias", domain=CONTRIB)
    else:
        activated = nodes.add("Relu", nodes.add("Add", expanded, f"{prefix}ffn.bias"))
    return _product_and_norm(nodes, config, f"{prefix}ffn_output.", activated, attended)


def _product_and_norm(nodes: Nodes, config: AlbertConfig, prefix: str, rows: str, skip: str) -> str:
    """Add a product, its bias and the skip connection, normalized."""
    return nodes.add(
        "SkipLayerNormalization",
        nodes.add("MatMul", rows, f"{prefix}weight"),
        skip,
        f"{prefix}norm.weight",
        f"{prefix}norm.bias",
        f"{prefix}bias",
        domain=CONTRIB,
        epsilon=config.layer_norm_eps,
    )
