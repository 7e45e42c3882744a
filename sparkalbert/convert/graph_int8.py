"""The int8 product of a layer as ONNX nodes: rows of floats become integers, and back.

A row (piece) has a scale of its own, so a vector depends on nothing but its sentence, and no integer of a
row exceeds 127, so that the sums are exact on every CPU; :mod:`sparkalbert.convert.quantize` says why. It
knows the names under which that module stores a matrix, and nothing of where in a layer it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sparkalbert.convert.graph_nodes import CONTRIB, Nodes
from sparkalbert.convert.quantize import SCALE

__all__ = ["IntegerRows", "non_negative_rows", "product", "symmetric_rows"]

_LARGEST: Final = 127
_ZERO_POINT: Final = 64
_LARGEST_SYMMETRIC: Final = 63
_SMALLEST_PEAK: Final = 1e-30


@dataclass(frozen=True)
class IntegerRows:
    """Names of what rows of floats have become, to be multiplied by any number of matrices.

    Attributes
    ----------
    floats
        float32 ``[batch, pieces, in]``, for the outer shape of a product.
    integers
        uint8 ``[batch * pieces, in]``, 0 to 127.
    scale
        float32 ``[batch * pieces]``.
    zero_point
        uint8 scalar, or empty for 0.
    """

    floats: str
    integers: str
    scale: str
    zero_point: str = ""


def symmetric_rows(nodes: Nodes, floats: str) -> IntegerRows:
    """Add what makes a row ``x`` into ``round(63 * x / max|x|) + 64``, uint8.

    Parameters
    ----------
    nodes
        Where to add.
    floats
        Name of float32 ``[batch, pieces, in]``.
    """
    flat = nodes.add("Flatten", floats, axis=-1)
    axes = nodes.constants.add([-1], "int64")
    top = nodes.add("ReduceMax", flat, axes, keepdims=0)
    bottom = nodes.add("Neg", nodes.add("ReduceMin", flat, axes, keepdims=0))
    scale = _row_scale(nodes, [top, bottom], _LARGEST_SYMMETRIC)
    zero_point = nodes.constants.add(_ZERO_POINT, "uint8")
    zero_points = nodes.add("Expand", zero_point, nodes.add("Shape", scale))
    integers = nodes.add("QuantizeLinear", flat, scale, zero_points, axis=0)
    return IntegerRows(floats, integers, scale, zero_point)


def non_negative_rows(nodes: Nodes, floats: str, floor: float) -> IntegerRows:
    """Add what makes a row ``x``, nowhere below ``-floor``, into uint8 of its whole range.

    The integers are ``round(127 * (x + floor) / max(x + floor))``. A product of these rows is that of the
    shifted rows: what is added to it next must contain the matrix's
    :data:`~sparkalbert.convert.quantize.OFFSET`.

    Parameters
    ----------
    nodes
        Where to add.
    floats
        Name of float32 ``[batch, pieces, in]``.
    floor
        The activation's :data:`~sparkalbert.convert.quantize.ACTIVATION_FLOOR`.
    """
    flat = nodes.add("Flatten", floats, axis=-1)
    shifted = nodes.add("Add", flat, nodes.constants.add(floor, "float32")) if floor else flat
    top = nodes.add("ReduceMax", shifted, nodes.constants.add([-1], "int64"), keepdims=0)
    scale = _row_scale(nodes, [top], _LARGEST)
    return IntegerRows(floats, nodes.add("QuantizeLinear", shifted, scale, axis=0), scale)


def product(nodes: Nodes, rows: IntegerRows, weight: str) -> str:
    """Add the product of rows with an int8 matrix; return its name, float32 ``[batch, pieces, out]``.

    Parameters
    ----------
    nodes
        Where to add.
    rows
        The rows.
    weight
        Name of the matrix; its scales are beside it.
    """
    one = nodes.constants.add(1, "float32")
    operands = [rows.integers, weight, one, weight + SCALE, *([rows.zero_point] if rows.zero_point else [])]
    sums = nodes.add("MatMulIntegerToFloat", *operands, domain=CONTRIB)
    scaled = nodes.add("Mul", sums, nodes.add("Unsqueeze", rows.scale, nodes.constants.add([1], "int64")))
    outer = nodes.add("Shape", rows.floats, start=0, end=-1)
    shape = nodes.add("Concat", outer, nodes.constants.add([-1], "int64"), axis=0)
    return nodes.add("Reshape", scaled, shape)


def _row_scale(nodes: Nodes, peaks: list[str], largest: int) -> str:
    """Return float32 ``[rows]``; a row of zeros gets a scale that is not zero."""
    peak = nodes.add("Max", *peaks, nodes.constants.add(_SMALLEST_PEAK, "float32"))
    return nodes.add("Div", peak, nodes.constants.add(largest, "float32"))
