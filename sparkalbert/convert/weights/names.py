"""The weights of the graph and the checkpoint tensors that each is made from.

A Hugging Face ``Linear`` stores ``[out, in]``. The graph multiplies from the right, so it stores ``[in,
out]``, with query, key and value side by side in one matrix. Row 0 of the token type embeddings is added to
every position, because sparkalbert never embeds a second segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.config import AlbertConfig

__all__ = [
    "IGNORED_PREFIXES",
    "GraphWeight",
    "checkpoint_shapes",
    "from_graph",
    "graph_weights",
    "layer_prefix",
    "to_graph",
]

Role = Literal["pieces", "positions", "vector", "matrix"]

IGNORED_PREFIXES: Final = (
    "pooler.",
    "predictions.",
    "sop_classifier.",
    "classifier.",
    "qa_outputs.",
    "embeddings.position_ids",
)
"""Tensors that hidden states do not depend on: heads, the pooler, and a buffer found in older files."""

_EMBEDDINGS: Final[tuple[tuple[str, Role, tuple[str, ...]], ...]] = (
    ("embeddings.pieces", "pieces", ("embeddings.word_embeddings.weight",)),
    (
        "embeddings.positions",
        "positions",
        ("embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"),
    ),
    ("embeddings.norm.weight", "vector", ("embeddings.LayerNorm.weight",)),
    ("embeddings.norm.bias", "vector", ("embeddings.LayerNorm.bias",)),
    ("embeddings.projection.weight", "matrix", ("encoder.embedding_hidden_mapping_in.weight",)),
    ("embeddings.projection.bias", "vector", ("encoder.embedding_hidden_mapping_in.bias",)),
)
_LAYER: Final[tuple[tuple[str, Role, tuple[str, ...]], ...]] = (
    ("qkv.weight", "matrix", ("attention.query.weight", "attention.key.weight", "attention.value.weight")),
    ("qkv.bias", "vector", ("attention.query.bias", "attention.key.bias", "attention.value.bias")),
    ("attention.weight", "matrix", ("attention.dense.weight",)),
    ("attention.bias", "vector", ("attention.dense.bias",)),
    ("attention.norm.weight", "vector", ("attention.LayerNorm.weight",)),
    ("attention.norm.bias", "vector", ("attention.LayerNorm.bias",)),
    ("ffn.weight", "matrix", ("ffn.weight",)),
    ("ffn.bias", "vector", ("ffn.bias",)),
    ("ffn_output.weight", "matrix", ("ffn_output.weight",)),
    ("ffn_output.bias", "vector", ("ffn_output.bias",)),
    ("ffn_output.norm.weight", "vector", ("full_layer_layer_norm.weight",)),
    ("ffn_output.norm.bias", "vector", ("full_layer_layer_norm.bias",)),
)


@dataclass(frozen=True)
class GraphWeight:
    """One weight of the graph.

    Attributes
    ----------
    name
        Its name in the graph.
    role
        ``pieces`` and ``positions`` are embedding tables; a ``matrix`` is multiplied from the right; a
        ``vector`` is a bias or a parameter of a layer norm.
    sources
        The checkpoint tensors it is made from, in order.
    shape
        Its shape in the graph.
    """

    name: str
    role: Role
    sources: tuple[str, ...]
    shape: tuple[int, ...]


def layer_prefix(group: int, inner: int) -> str:
    """Return the prefix of the names of one layer's weights in the graph."""
    return f"group_{group}.layer_{inner}."


def checkpoint_shapes(config: AlbertConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor that a checkpoint of this configuration must hold, by name.

    Names have no ``albert.`` prefix. The pooler and the heads are not included.

    Examples
    --------
    >>> shapes = checkpoint_shapes(AlbertConfig())
    >>> shapes["encoder.embedding_hidden_mapping_in.weight"]
    (4096, 128)
    """
    hidden, embedding = config.hidden_size, config.embedding_size
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config.vocab_size, embedding),
        "embeddings.position_embeddings.weight": (config.max_position_embeddings, embedding),
        "embeddings.token_type_embeddings.weight": (config.type_vocab_size, embedding),
        "embeddings.LayerNorm.weight": (embedding,),
        "embeddings.LayerNorm.bias": (embedding,),
        "encoder.embedding_hidden_mapping_in.weight": (hidden, embedding),
        "encoder.embedding_hidden_mapping_in.bias": (hidden,),
    }
    for group, inner in _layers(config):
        prefix = _checkpoint_prefix(group, inner)
        for _, role, names in _LAYER:
            for name in names:
                rows = config.intermediate_size if name.startswith("ffn.") else hidden
                columns = config.intermediate_size if name.startswith("ffn_output.") else hidden
                shapes[prefix + name] = (rows, columns) if role == "matrix" else (rows,)
    return shapes


def graph_weights(config: AlbertConfig) -> tuple[GraphWeight, ...]:
    """Return every weight of the graph, in the order in which the weights are written.

    Examples
    --------
    >>> weights = graph_weights(AlbertConfig(hidden_size=768, num_attention_heads=12))
    >>> weights[6].name, weights[6].shape, len(weights[6].sources)
    ('group_0.layer_0.qkv.weight', (768, 2304), 3)
    """
    shapes = checkpoint_shapes(config)
    table = [*_EMBEDDINGS]
    for group, inner in _layers(config):
        graph_prefix, checkpoint_prefix = layer_prefix(group, inner), _checkpoint_prefix(group, inner)
        table += [
            (graph_prefix + name, role, tuple(checkpoint_prefix + source for source in sources))
            for name, role, sources in _LAYER
        ]
    return tuple(GraphWeight(name, role, sources, _shape(role, sources, shapes)) for name, role, sources in table)


def to_graph(weight: GraphWeight, tensors: Sequence[Float32Array]) -> Float32Array:
    """Return the values of a weight of the graph.

    Parameters
    ----------
    weight
        The weight to make.
    tensors
        The checkpoint's tensors, float32, in the order of ``weight.sources``.

    Returns
    -------
    ndarray
        float32 of ``weight.shape``; a transposed view where no copy is needed.
    """
    if weight.role == "matrix":
        joined = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        return joined.T
    if weight.role == "positions":
        positions, token_types = tensors
        summed: Float32Array = positions + token_types[0]
        return summed
    return tensors[0] if len(tensors) == 1 else np.concatenate(tensors)


def from_graph(weight: GraphWeight, array: Float32Array) -> dict[str, Float32Array]:
    """Return checkpoint tensors, by name, that :func:`to_graph` turns into `array`.

    The token type embeddings are returned as one row of zeros, because they were added to the positions.
    """
    if weight.role == "matrix":
        return dict(zip(weight.sources, np.split(array.T, len(weight.sources)), strict=True))
    if weight.role == "positions":
        positions, token_types = weight.sources
        return {positions: array, token_types: np.zeros((1, array.shape[1]), dtype=np.float32)}
    return dict(zip(weight.sources, np.split(array, len(weight.sources)), strict=True))


def _layers(config: AlbertConfig) -> list[tuple[int, int]]:
    return [(group, inner) for group in range(config.num_hidden_groups) for inner in range(config.inner_group_num)]


def _checkpoint_prefix(group: int, inner: int) -> str:
    return f"encoder.albert_layer_groups.{group}.albert_layers.{inner}."


def _shape(role: Role, sources: tuple[str, ...], shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    first = shapes[sources[0]]
    if role == "matrix":
        return (first[1], sum(shapes[source][0] for source in sources))
    if role == "vector":
        return (sum(shapes[source][0] for source in sources),)
    return first
