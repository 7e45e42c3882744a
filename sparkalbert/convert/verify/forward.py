"""ALBERT's forward pass in NumPy, written from the paper's equations and Hugging Face's tensor names.

It shares nothing with the graph, neither the layout of the weights nor fused operators. Sums are
float64, so a comparison shows the error of the graph alone. It is slow, and verification runs only a few
sequences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array, Float64Array, Int64Array
from sparkalbert.config import AlbertConfig

__all__ = ["Tensors", "embedding_output", "hidden_states"]

Tensors = Callable[[str], Float32Array]
"""Returns a checkpoint tensor, float32, by its name without the ``albert.`` prefix."""

_COLUMNS_PER_BLOCK: Final = 1024
_erf: Final = np.vectorize(math.erf, otypes=[np.float64])


def hidden_states(
    config: AlbertConfig,
    tensors: Tensors,
    input_ids: Int64Array,
    attention_mask: Int64Array,
    after_layer: Callable[[], None] | None = None,
) -> Float64Array:
    """Return every hidden state of right-padded sequences.

    Parameters
    ----------
    config
        Shape of the model.
    tensors
        Returns the weights by name.
    input_ids
        int64 ``[batch, pieces]``.
    attention_mask
        int64 ``[batch, pieces]``: 1 for a piece, 0 for padding.
    after_layer
        Called after each layer.

    Returns
    -------
    ndarray
        float64 ``[num_hidden_layers + 1, batch, pieces, hidden]``: the projected embeddings, then the output
        of each layer, as ``hidden_states`` of Hugging Face's ``AlbertModel``. Rows of padding are undefined.
    """
    hidden = embedding_output(config, tensors, input_ids)
    states = [hidden]
    for layer in range(config.num_hidden_layers):
        group = int(layer / (config.num_hidden_layers / config.num_hidden_groups))
        for inner in range(config.inner_group_num):
            prefix = f"encoder.albert_layer_groups.{group}.albert_layers.{inner}."
            hidden = _layer(config, tensors, prefix, hidden, attention_mask)
        states.append(hidden)
        if after_layer is not None:
            after_layer()
    return np.stack(states)


def embedding_output(config: AlbertConfig, tensors: Tensors, input_ids: Int64Array) -> Float64Array:
    """Return the projected embeddings, float64 ``[batch, pieces, hidden]``."""
    embedded = (
        tensors("embeddings.word_embeddings.weight")[input_ids].astype(np.float64)
        + tensors("embeddings.token_type_embeddings.weight")[0]
        + tensors("embeddings.position_embeddings.weight")[: input_ids.shape[1]]
    )
    normed = _layer_norm(config, tensors, "embeddings.LayerNorm", embedded)
    return _linear(tensors, "encoder.embedding_hidden_mapping_in", normed)


def _layer(config: AlbertConfig, tensors: Tensors, prefix: str, hidden: Float64Array, mask: Int64Array) -> Float64Array:
    context = _attention(config, tensors, f"{prefix}attention.", hidden, mask)
    attended = _layer_norm(config, tensors, f"{prefix}attention.LayerNorm", hidden + context)
    expanded = _activate(config, _linear(tensors, f"{prefix}ffn", attended))
    return _layer_norm(
        config,
        tensors,
        f"{prefix}full_layer_layer_norm",
        _linear(tensors, f"{prefix}ffn_output", expanded) + attended,
    )


def _attention(
    config: AlbertConfig, tensors: Tensors, prefix: str, hidden: Float64Array, mask: Int64Array
) -> Float64Array:
    batch, pieces, _ = hidden.shape

    def heads(name: str) -> Float64Array:
        projected = _linear(tensors, prefix + name, hidden)
        return projected.reshape(batch, pieces, config.num_attention_heads, -1).transpose(0, 2, 1, 3)

    scores = heads("query") @ heads("key").swapaxes(-1, -2) / math.sqrt(config.head_size)
    scores = np.where(mask[:, None, None, :] == 1, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    context = (weights @ heads("value")).transpose(0, 2, 1, 3).reshape(hidden.shape)
    return _linear(tensors, f"{prefix}dense", context)


def _linear(tensors: Tensors, name: str, rows: Float64Array) -> Float64Array:
    """Multiply block by block, because a float64 copy of the whole matrix would need twice its memory."""
    weight = tensors(f"{name}.weight")
    blocks = [
        rows @ weight[start : start + _COLUMNS_PER_BLOCK].astype(np.float64).T
        for start in range(0, len(weight), _COLUMNS_PER_BLOCK)
    ]
    product: Float64Array = np.concatenate(blocks, axis=-1) + tensors(f"{name}.bias")
    return product


def _layer_norm(config: AlbertConfig, tensors: Tensors, name: str, rows: Float64Array) -> Float64Array:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + config.layer_norm_eps)
    normed: Float64Array = centred / deviation * tensors(f"{name}.weight") + tensors(f"{name}.bias")
    return normed


def _activate(config: AlbertConfig, values: Float64Array) -> Float64Array:
    if config.activation == "relu":
        return np.maximum(values, 0)
    if config.activation == "tanh":
        cubic = values * values * values
        gate: Float64Array = np.tanh(math.sqrt(2 / math.pi) * (values + 0.044715 * cubic))
    else:
        gate = _erf(values / math.sqrt(2))
    return 0.5 * values * (1 + gate)
