"""Which checkpoint tensors make which weight of the graph, as one table, in both directions.

A Hugging Face Linear holds ``[out, in]``; the graph multiplies from the right and holds ``[in, out]``,
with query, key and value side by side in one matrix. Row 0 of the token types is added to every
position, because sparkalbert never embeds a second segment. Nothing here reads files or knows nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

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

Float32Array = npt.NDArray[np.float32]
Role = Literal["pieces", "positions", "vector", "matrix"]

IGNORED_PREFIXES: Final = (
    "pooler.",
    "predictions.",
    "sop_classifier.",
    "classifier.",
    "qa_outputs.",
    "embeddings.position_ids",
)
"""Tensors that do not take part in hidden states: heads, pooler, and a buffer of older files."""

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
        ``pieces`` and ``positions`` are tables, ``matrix`` is multiplied from the right, ``vector``
        is a bias or belongs to a layer norm.
    sources
        The checkpoint tensors it is made of, in order.
    shape
        Its shape in the graph.
    """

    name: str
    role: Role
    sources: tuple[str, ...]
    shape: tuple[int, ...]


def layer_prefix(group: int, inner: int) -> str:
    """Return how the graph's names of one layer's weights begin."""
    return f"group_{group}.layer_{inner}."


def checkpoint_shapes(config: AlbertConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor a checkpoint of this configuration must hold, by name.

    Names carry no ``albert.`` prefix. The pooler and the heads are left out.

    Examples
    --------
    >>> shapes = checkpoint_shapes(AlbertConfig())
    >>> shapes["encoder.embedding_hidden_mapping_in.weight"]
    (4096, 128)
    """
    hidden, narrow = config.hidden_size, config.embedding_size
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config.vocab_size, narrow),
        "embeddings.position_embeddings.weight": (config.max_position_embeddings, narrow),
        "embeddings.token_type_embeddings.weight": (config.type_vocab_size, narrow),
        "embeddings.LayerNorm.weight": (narrow,),
        "embeddings.LayerNorm.bias": (narrow,),
        "encoder.embedding_hidden_mapping_in.weight": (hidden, narrow),
        "encoder.embedding_hidden_mapping_in.bias": (hidden,),
    }
    for group, inner in _layers(config):
        prefix = _checkpoint_prefix(group, inner)
        for _, role, names in _LAYER:
            for name in names:
                width = config.intermediate_size if name.startswith("ffn.") else hidden
                depth = config.intermediate_size if name.startswith("ffn_output.") else hidden
                shapes[prefix + name] = (width, depth) if role == "matrix" else (width,)
    return shapes


def graph_weights(config: AlbertConfig) -> tuple[GraphWeight, ...]:
    """Return every weight of the graph, in the order in which they are written.

    Examples
    --------
    >>> weights = graph_weights(AlbertConfig(hidden_size=768, num_attention_heads=12))
    >>> weights[6].name, weights[6].shape, len(weights[6].sources)
    ('group_0.layer_0.qkv.weight', (768, 2304), 3)
    """
    shapes = checkpoint_shapes(config)
    table = [*_EMBEDDINGS]
    for group, inner in _layers(config):
        ours, theirs = layer_prefix(group, inner), _checkpoint_prefix(group, inner)
        table += [
            (ours + name, role, tuple(theirs + source for source in sources))
            for name, role, sources in _LAYER
        ]
    return tuple(
        GraphWeight(name, role, sources, _shape(role, sources, shapes)) for name, role, sources in table
    )


def to_graph(weight: GraphWeight, tensors: Sequence[Float32Array]) -> Float32Array:
    """Return a weight of the graph from its checkpoint tensors, in the order of ``weight.sources``.

    Parameters
    ----------
    weight
        The weight to make.
    tensors
        float32 arrays as the checkpoint holds them.

    Returns
    -------
    ndarray
        float32 of ``weight.shape``; a transposed view where that is enough.
    """
    if weight.role == "matrix":
        joined = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        return joined.T
    if weight.role == "positions":
        positions, token_types = tensors
        added: Float32Array = positions + token_types[0]
        return added
    return tensors[0] if len(tensors) == 1 else np.concatenate(tensors)


def from_graph(weight: GraphWeight, array: Float32Array) -> dict[str, Float32Array]:
    """Return checkpoint tensors that :func:`to_graph` turns into `array`.

    The token types come back as one row of zeros: they were added to the positions.
    """
    if weight.role == "matrix":
        return dict(zip(weight.sources, np.split(array.T, len(weight.sources)), strict=True))
    if weight.role == "positions":
        positions, token_types = weight.sources
        return {positions: array, token_types: np.zeros((1, array.shape[1]), dtype=np.float32)}
    return dict(zip(weight.sources, np.split(array, len(weight.sources)), strict=True))


def _layers(config: AlbertConfig) -> list[tuple[int, int]]:
    return [
        (group, inner) for group in range(config.num_hidden_groups) for inner in range(config.inner_group_num)
    ]


def _checkpoint_prefix(group: int, inner: int) -> str:
    return f"encoder.albert_layer_groups.{group}.albert_layers.{inner}."


def _shape(role: Role, sources: tuple[str, ...], shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    first = shapes[sources[0]]
    if role == "matrix":
        return (first[1], sum(shapes[source][0] for source in sources))
    if role == "vector":
        return (sum(shapes[source][0] for source in sources),)
    return first
