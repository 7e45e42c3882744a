"""Estimates the size, the memory and the work per piece of a model from its configuration alone."""

from __future__ import annotations

from sparkalbert.bundle.manifest import Precision
from sparkalbert.config import AlbertConfig

__all__ = ["linear_flop", "megaflop_per_piece", "weight_bytes", "worker_bytes"]


def weight_bytes(config: AlbertConfig, precision: Precision) -> int:
    """Return the size of the weights of a bundle, without the padding between them.

    For ``int8`` this is a lower bound: a matrix that loses much by rounding gets a residual, which depends on its
    values (see :mod:`sparkalbert.convert.weights.quantize`).

    Examples
    --------
    >>> shape = {"hidden_size": 2048, "num_attention_heads": 16, "intermediate_size": 8192}
    >>> config = AlbertConfig(num_hidden_layers=24, **shape)
    >>> [weight_bytes(config, precision) // 10**6 for precision in ("fp32", "fp16", "int8")]
    [218, 109, 67]
    """
    from sparkalbert.convert.weights.names import graph_weights  # loads NumPy, which names do not need

    total = 0
    for weight in graph_weights(config):
        rows, columns = weight.shape if len(weight.shape) > 1 else (1, weight.shape[0])
        in_layer = not weight.name.startswith("embeddings.")
        is_table = weight.role in {"pieces", "positions"}
        if precision == "int8" and in_layer and weight.role == "matrix":
            vectors = 2 if weight.name.endswith(".ffn_output.weight") else 1  # scales, and an offset
            total += columns * (rows + 4 * vectors)
        elif precision == "fp16" and (is_table or in_layer):
            total += 2 * rows * columns
        else:
            total += 4 * rows * columns
    return total


def worker_bytes(config: AlbertConfig, precision: Precision) -> int:
    """Return the memory that one Python worker takes by default.

    Examples
    --------
    >>> shape = {"hidden_size": 2048, "num_attention_heads": 16, "intermediate_size": 8192}
    >>> config = AlbertConfig(num_hidden_layers=24, **shape)
    >>> [worker_bytes(config, precision) // 10**6 for precision in ("fp32", "int8")]
    [696, 507]
    """
    from sparkalbert.inference.memory import expected_memory  # loads NumPy, which names do not need

    return expected_memory(config, weight_bytes(config, precision)).total


def megaflop_per_piece(config: AlbertConfig) -> float:
    """Return the millions of multiplications and additions that a piece takes, without attention between pieces.

    Examples
    --------
    >>> round(megaflop_per_piece(AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072)), 1)
    170.1
    """
    return linear_flop(config) / 1e6


def linear_flop(config: AlbertConfig) -> int:
    """Return the multiplications and additions that a piece takes in matrices of weights.

    Examples
    --------
    >>> linear_flop(AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072))
    170065920
    """
    hidden, wide = config.hidden_size, config.intermediate_size
    depth = config.num_hidden_layers * config.inner_group_num
    return depth * 2 * (4 * hidden * hidden + 2 * hidden * wide) + 2 * config.embedding_size * hidden
