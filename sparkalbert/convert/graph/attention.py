"""Adds self-attention to an ONNX graph: as one fused operator (fp32), or as the operators that it stands for (int8).

Both give the same bits for every piece that is not padding. ONNX Runtime's fused operator is slower on CPUs, which
matters where the products around it are fast. Microseconds per piece in the 12 layers of base in int8, one thread, CPU
with AMX:

===================  =====  ===========
pieces per sequence  fused  written out
===================  =====  ===========
32                   40     **29**
128                  79     **70**
512                  310    **270**
===================  =====  ===========

In fp32 the difference is 1.4 % of the whole, and that graph can run on a GPU, too, where the fused operator is the
faster one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from onnx import TensorProto

from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph.nodes import CONTRIB, Nodes

__all__ = [
    "MAX_INVARIANT_HEAD_SIZE",
    "additive_mask",
    "fused_attention",
    "sequence_lengths",
    "written_out_attention",
]

MAX_INVARIANT_HEAD_SIZE: Final = 128
"""Largest width of a head with which attention gives the same bits for any padding, in both forms.

ONNX Runtime multiplies queries and keys by MLAS's SGEMM, which adds up the products of a head in blocks of 128 numbers;
if the batch is at most 64 pieces long, the blocks are longer. So a head of at most 128 numbers is one sum for every
length, but a wider head is the sum of one block or of several, which are rounded differently.
"""

_LOWEST: Final = float(np.finfo(np.float32).min)


def sequence_lengths(nodes: Nodes) -> str:
    """Add the number of valid pieces of each sequence, int32 ``[batch]``."""
    axes = nodes.constants.add([1], "int64")
    return nodes.add("Cast", nodes.add("ReduceSum", "attention_mask", axes, keepdims=0), to=TensorProto.INT32)


def additive_mask(nodes: Nodes) -> str:
    """Add float32 ``[batch, 1, 1, pieces]``: 0 for a piece, the lowest float32 for padding."""
    constants = nodes.constants
    valid = nodes.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    padding = nodes.add("Sub", constants.add(1, "float32"), valid)
    lowest = nodes.add("Mul", padding, constants.add(_LOWEST, "float32"))
    return nodes.add("Unsqueeze", lowest, constants.add([1, 2], "int64"))


def fused_attention(nodes: Nodes, config: AlbertConfig, projections: Sequence[str], lengths: str) -> str:
    """Add attention as one operator and return the name of its output, float32 ``[batch, pieces, hidden]``.

    Parameters
    ----------
    nodes
        The graph to add to.
    config
        Shape of the model.
    projections
        Names of query, key and value, each float32 ``[batch, pieces, hidden]``.
    lengths
        Name of what :func:`sequence_lengths` added.
    """
    heads = config.num_attention_heads
    return nodes.add("MultiHeadAttention", *projections, "", lengths, domain=CONTRIB, num_heads=heads)


def written_out_attention(nodes: Nodes, config: AlbertConfig, projections: Sequence[str], mask: str) -> str:
    """Add attention as single operators and return the name of its output, float32 ``[batch, pieces, hidden]``.

    Parameters
    ----------
    nodes
        The graph to add to.
    config
        Shape of the model.
    projections
        Names of query, key and value, each float32 ``[batch, pieces, hidden]``.
    mask
        Name of what :func:`additive_mask` added.
    """
    constants = nodes.constants
    by_head = constants.add([0, 0, config.num_attention_heads, config.head_size], "int64")
    query, key, value = (
        nodes.add("Transpose", nodes.add("Reshape", projection, by_head), perm=[0, 2, 1, 3])
        for projection in projections
    )
    scale = float(np.float32(1) / np.sqrt(np.float32(config.head_size)))  # rounded as the fused operator rounds it
    scores = nodes.add("FusedMatMul", query, key, domain=CONTRIB, transB=1, alpha=scale)
    weights = nodes.add("Softmax", nodes.add("Add", scores, mask), axis=-1)
    heads = nodes.add("Transpose", nodes.add("MatMul", weights, value), perm=[0, 2, 1, 3])
    return nodes.add("Reshape", heads, constants.add([0, 0, config.hidden_size], "int64"))
