"""Number formats of a bundle's weights, and the int8 product that belongs to one of them.

The int8 product, and why it is this one
----------------------------------------
A vector must depend on nothing but its sentence, on every CPU. So each row (piece) has its own scale,
and the integer sums must be exact. On CPUs without VNNI, ONNX Runtime's uint8 x int8 kernel adds two
products in 16 bits and saturates; two 7-bit activations times int8 weights fit (2 * 127 * 127 < 2**15).
With uint8 x uint8 the sums are exact as well, but measured on a CPU with AVX512-VNNI, 2 threads,
512 rows of the xlarge shape's two feed-forward products (2048 x 8192 and 8192 x 2048):

===================================  ==============  =====================
operands                             exact anywhere  milliseconds
===================================  ==============  =====================
uint8 x int8, 8 bit both             no              46 / 42
**7-bit uint8 x int8**               **yes**         **45 / 42**
uint8 x uint8                        yes             108 / 113
float32                              -               178 / 182
===================================  ==============  =====================

The bit that is missing costs little, because rounded weights weigh more: the same rounding is applied by
every layer. Distance to float32 (1 - mean cosine of the last layer, xlarge shape, random weights):
weights alone 0.0020; with 8-bit activations 0.0021; with 7-bit ones 0.0030 when all are symmetric, and
0.0026 when the range of the activation function's output is used whole. That is free here: GELU is never
below -0.17004, so adding 0.1701 makes its output non-negative, and what that adds to the product is a
constant per column, joined to the bias. A range per row with a zero point of its own for *every* product
reaches 0.0024, but costs two more passes over each product (computed: about 4 % of the time). Clipping
each column of the weights where its squared error is least brings another 0.0003, paid at conversion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle import Precision
from sparkalbert.convert.graph_nodes import CONTRIB, Nodes
from sparkalbert.convert.weight_names import GraphWeight
from sparkalbert.errors import CheckpointError

__all__ = [
    "ACTIVATION_FLOOR",
    "OFFSET",
    "SCALE",
    "dequantize",
    "non_negative_product",
    "quantize_columns",
    "stored_arrays",
    "symmetric_product",
]

Float32Array = npt.NDArray[np.float32]
Int8Array = npt.NDArray[np.int8]

SCALE: Final = ".scale"
"""Ends the name of an int8 matrix's scales, float32 ``[columns]``."""

OFFSET: Final = ".offset"
"""Ends the name of what must be added to a product of shifted rows, float32 ``[columns]``."""

ACTIVATION_FLOOR: Final = {"erf": 0.1701, "tanh": 0.1701, "relu": 0.0}
"""What makes each activation's output non-negative: erf GELU ends at -0.16997, tanh GELU at -0.17004."""

_LARGEST_WEIGHT: Final = 127
_LARGEST_ROW_VALUE: Final = 127
_ROW_ZERO_POINT: Final = 64
_LARGEST_SYMMETRIC: Final = 63
_SMALLEST_PEAK: Final = 1e-30
_CLIP_RATIOS: Final = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
_COLUMNS_AT_ONCE: Final = 128
_HALF: Final = ("qkv.bias", "ffn.bias")


def stored_arrays(
    weight: GraphWeight, array: Float32Array, precision: Precision, activation: str
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield what a bundle stores for one weight: names and arrays.

    Parameters
    ----------
    weight
        The weight.
    array
        Its values, float32 of ``weight.shape``.
    precision
        ``fp32`` stores it as it is. ``fp16`` halves tables, layer matrices and the two biases added in
        float16. ``int8`` stores layer matrices with a scale per column.
    activation
        ``erf``, ``tanh`` or ``relu``: what the rows of ``ffn_output`` have gone through.

    Raises
    ------
    CheckpointError
        When a value does not fit into float16.
    """
    in_layer = not weight.name.startswith("embeddings.")
    is_table = weight.role in {"pieces", "positions"}
    if precision == "fp16" and (
        is_table or (in_layer and (weight.role == "matrix" or weight.name.endswith(_HALF)))
    ):
        yield weight.name, _half(weight.name, array)
    elif precision == "int8" and in_layer and weight.role == "matrix":
        integers, scales = quantize_columns(array)
        yield weight.name, integers
        yield weight.name + SCALE, scales
        if weight.name.endswith(".ffn_output.weight"):
            sums = integers.sum(axis=0, dtype=np.int64) * scales.astype(np.float64)
            yield weight.name + OFFSET, (-ACTIVATION_FLOOR[activation] * sums).astype(np.float32)
    else:
        yield weight.name, array


def quantize_columns(matrix: Float32Array) -> tuple[Int8Array, Float32Array]:
    """Return a matrix as integers from -127 to 127 and a scale per column.

    Each column is clipped where its squared error is least.

    Parameters
    ----------
    matrix
        float32 ``[in, out]``.

    Returns
    -------
    tuple of ndarray
        int8 ``[in, out]`` and float32 ``[out]``; their product is close to `matrix`.

    Examples
    --------
    >>> integers, scales = quantize_columns(np.float32([[0.0, 127.0], [-254.0, 64.0]]))
    >>> integers.tolist(), scales.tolist()
    ([[0, 127], [-127, 64]], [2.0, 1.0])
    """
    columns = matrix.T
    integers = np.empty(columns.shape, dtype=np.int8)
    scales = np.empty(len(columns), dtype=np.float32)
    for start in range(0, len(columns), _COLUMNS_AT_ONCE):
        block = slice(start, start + _COLUMNS_AT_ONCE)
        integers[block], scales[block] = _quantize_block(np.ascontiguousarray(columns[block]))
    return integers.T, scales


def dequantize(integers: Int8Array, scales: Float32Array) -> Float32Array:
    """Return the float32 matrix that int8 integers and their column scales stand for."""
    return integers.astype(np.float32) * scales


def symmetric_product(nodes: Nodes, rows: str, weight: str) -> str:
    """Add the product of float32 rows with an int8 matrix; return its name, float32.

    A row ``x`` becomes ``round(63 * x / max|x|) + 64`` in uint8, never above 127.

    Parameters
    ----------
    nodes
        Where to add.
    rows
        Name of float32 ``[batch, pieces, in]``.
    weight
        Name of the matrix; its scales are beside it.
    """
    flat = nodes.add("Flatten", rows, axis=-1)
    axes = nodes.constants.add([-1], "int64")
    top = nodes.add("ReduceMax", flat, axes, keepdims=0)
    bottom = nodes.add("Neg", nodes.add("ReduceMin", flat, axes, keepdims=0))
    scale = _row_scale(nodes, [top, bottom], _LARGEST_SYMMETRIC)
    zero_point = nodes.constants.add(_ROW_ZERO_POINT, "uint8")
    zero_points = nodes.add("Expand", zero_point, nodes.add("Shape", scale))
    quantized = nodes.add("QuantizeLinear", flat, scale, zero_points, axis=0)
    return _scaled_product(nodes, rows, [quantized, weight, zero_point], scale)


def non_negative_product(nodes: Nodes, rows: str, weight: str, floor: float) -> str:
    """Add the product of rows that are nowhere below ``-floor``; return its name, float32.

    A row ``x`` becomes ``round(127 * (x + floor) / max(x + floor))`` in uint8. The product is that of the
    shifted rows: what the caller adds next must contain the matrix's :data:`OFFSET`.

    Parameters
    ----------
    nodes
        Where to add.
    rows
        Name of float32 ``[batch, pieces, in]``.
    weight
        Name of the matrix; its scales are beside it.
    floor
        The activation's :data:`ACTIVATION_FLOOR`.
    """
    flat = nodes.add("Flatten", rows, axis=-1)
    shifted = nodes.add("Add", flat, nodes.constants.add(floor, "float32")) if floor else flat
    top = nodes.add("ReduceMax", shifted, nodes.constants.add([-1], "int64"), keepdims=0)
    scale = _row_scale(nodes, [top], _LARGEST_ROW_VALUE)
    quantized = nodes.add("QuantizeLinear", shifted, scale, axis=0)
    return _scaled_product(nodes, rows, [quantized, weight], scale)


def _row_scale(nodes: Nodes, peaks: list[str], largest: int) -> str:
    """Return float32 ``[rows]``; a row of zeros gets a scale that is not zero."""
    peak = nodes.add("Max", *peaks, nodes.constants.add(_SMALLEST_PEAK, "float32"))
    return nodes.add("Div", peak, nodes.constants.add(largest, "float32"))


def _scaled_product(nodes: Nodes, rows: str, operands: list[str], scale: str) -> str:
    """Multiply integers, scale columns and rows, and give the result the outer shape of `rows`."""
    quantized, weight, *zero_point = operands
    one = nodes.constants.add(1, "float32")
    product = nodes.add(
        "MatMulIntegerToFloat", quantized, weight, one, weight + SCALE, *zero_point, domain=CONTRIB
    )
    scaled = nodes.add("Mul", product, nodes.add("Unsqueeze", scale, nodes.constants.add([1], "int64")))
    outer = nodes.add("Shape", rows, start=0, end=-1)
    shape = nodes.add("Concat", outer, nodes.constants.add([-1], "int64"), axis=0)
    return nodes.add("Reshape", scaled, shape)


def _quantize_block(columns: Float32Array) -> tuple[Int8Array, Float32Array]:
    """Quantise rows of ``[out, in]``: a column of the matrix is contiguous here."""
    peaks = np.maximum(np.abs(columns).max(axis=1, keepdims=True), np.float32(_SMALLEST_PEAK))
    best_scales = peaks / np.float32(_LARGEST_WEIGHT)
    best = np.rint(columns / best_scales)
    best_errors = _squared_errors(columns, best, best_scales)
    for ratio in _CLIP_RATIOS:
        scales = peaks * np.float32(ratio / _LARGEST_WEIGHT)
        integers = np.clip(np.rint(columns / scales), -_LARGEST_WEIGHT, _LARGEST_WEIGHT)
        errors = _squared_errors(columns, integers, scales)
        better = errors < best_errors
        best[better], best_scales[better], best_errors[better] = (
            integers[better],
            scales[better],
            errors[better],
        )
    return best.astype(np.int8), best_scales[:, 0]


def _squared_errors(columns: Float32Array, integers: Float32Array, scales: Float32Array) -> Float32Array:
    rest: Float32Array = integers * scales - columns
    errors: Float32Array = np.einsum("ij,ij->i", rest, rest)
    return errors


def _half(name: str, array: Float32Array) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():
        limit = float(np.finfo(np.float16).max)
        msg = (
            f"{name} holds {float(np.abs(array).max()):g}, the largest float16 is {limit:g}. "
            "Convert with precision fp32 or int8."
        )
        raise CheckpointError(msg)
    return half
