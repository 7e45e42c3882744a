"""Builds the int8 matrix product from ONNX nodes: rows of floats are quantized, multiplied and scaled back.

Each row (piece) has its own scale, so a vector depends on its sentence alone. No integer of a row exceeds
127, so the sums are exact on every CPU; :mod:`sparkalbert.convert.weights.quantize` explains why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sparkalbert.convert.graph.nodes import CONTRIB, Nodes
from sparkalbert.convert.weights.quantize import SCALE

__all__ = ["IntegerRows", "non_negative_rows", "product", "symmetric_rows"]

_MAX_NON_NEGATIVE: Final = 127
_MAX_SYMMETRIC: Final = 63
_ZERO_POINT: Final = 64
_MIN_PEAK: Final = 1e-30


@dataclass(frozen=True)
class IntegerRows:
    """Names of quantized rows and of what is needed to multiply them by any number of matrices.

    Attributes
    ----------
    floats
        float32 ``[batch, pieces, in]``, which gives a product its shape.
    integers
        uint8 ``[batch * pieces, in]``, 0 to 127.
    scale
        float32 ``[batch * pieces]``.
    zero_point
        uint8 scalar; an empty name means 0.
    """

    floats: str
    integers: str
    scale: str
    zero_point: str = ""


def symmetric_rows(nodes: Nodes, floats: str) -> IntegerRows:
    """Add nodes that turn a row ``x`` into ``round(63 * x / max|x|) + 64``, uint8.

    Parameters
    ----------
    nodes
        The graph to add to.
    floats
        Name of float32 ``[batch, pieces, in]``.
    """
    flat = nodes.add("Flatten", floats, axis=-1)
    axes = nodes.constants.add([-1], "int64")
    top = nodes.add("ReduceMax", flat, axes, keepdims=0)
    bottom = nodes.add("Neg", nodes.add("ReduceMin", flat, axes, keepdims=0))
    scale = _row_scale(nodes, [top, bottom], _MAX_SYMMETRIC)
    zero_point = nodes.constants.add(_ZERO_POINT, "uint8")
    zero_points = nodes.add("Expand", zero_point, nodes.add("Shape", scale))
    integers = nodes.add("QuantizeLinear", flat, scale, zero_points, axis=0)
    return IntegerRows(floats, integers, scale, zero_point)


def non_negative_rows(nodes: Nodes, floats: str, floor: float) -> IntegerRows:
    """Add nodes that turn a row ``x`` of numbers above ``-floor`` into uint8 that uses its whole range.

    The integers are ``round(127 * (x + floor) / max(x + floor))``, so a product of these rows is that of the
    shifted rows. The caller must add the matrix's :data:`~sparkalbert.convert.weights.quantize.OFFSET` to it.

    Parameters
    ----------
    nodes
        The graph to add to.
    floats
        Name of float32 ``[batch, pieces, in]``.
    floor
        The activation's :data:`~sparkalbert.convert.weights.quantize.ACTIVATION_FLOOR`.
    """
    flat = nodes.add("Flatten", floats, axis=-1)
    shifted = nodes.add("Add", flat, nodes.constants.add(floor, "float32")) if floor else flat
    top = nodes.add("ReduceMax", shifted, nodes.constants.add([-1], "int64"), keepdims=0)
    scale = _row_scale(nodes, [top], _MAX_NON_NEGATIVE)
    return IntegerRows(floats, nodes.add("QuantizeLinear", shifted, scale, axis=0), scale)


def product(nodes: Nodes, rows: IntegerRows, weight: str) -> str:
    """Add the product of rows and an int8 matrix; return its name, float32 ``[batch, pieces, out]``.

    Parameters
    ----------
    nodes
        The graph to add to.
    rows
        The rows.
    weight
        Name of the matrix; its scales have the same name with the suffix ``.scale``.
    """
    one = nodes.constants.add(1, "float32")
    operands = [rows.integers, weight, one, weight + SCALE, *([rows.zero_point] if rows.zero_point else [])]
    sums = nodes.add("MatMulIntegerToFloat", *operands, domain=CONTRIB)
    scaled = nodes.add("Mul", sums, nodes.add("Unsqueeze", rows.scale, nodes.constants.add([1], "int64")))
    batch_shape = nodes.add("Shape", rows.floats, start=0, end=-1)
    shape = nodes.add("Concat", batch_shape, nodes.constants.add([-1], "int64"), axis=0)
    return nodes.add("Reshape", scaled, shape)


def _row_scale(nodes: Nodes, peaks: list[str], max_integer: int) -> str:
    """Add the scale of each row, float32 ``[rows]``; that of a row of zeros is not zero."""
    peak = nodes.add("Max", *peaks, nodes.constants.add(_MIN_PEAK, "float32"))
    return nodes.add("Div", peak, nodes.constants.add(max_integer, "float32"))
