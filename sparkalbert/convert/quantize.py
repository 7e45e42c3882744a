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

The same CPU on ONNX Runtime's AVX2 kernels (2048 x 8192 alone): 84, 79, 112 and 166 ms in this order.

The bit that is missing costs little, because rounded weights weigh more: the same rounding is applied by
every layer. Distance to float32 (1 - mean cosine of the last layer, xlarge shape, random weights):
weights alone 0.0020; with 8-bit activations 0.0021; with 7-bit ones 0.0030 when all are symmetric, and
0.0026 when the range of the activation function's output is used whole. That is free here: GELU is never
below -0.17004, so adding 0.1701 makes its output non-negative, and what that adds to the product is a
constant per column, joined to the bias. Clipping each column of the weights where its squared error is
least brings another 0.0003, paid at conversion.

The second term, and what trained weights say
---------------------------------------------
What rounds alike for every piece of a text is not averaged away by attention but handed from layer to layer,
and grows with the square of the depth. Trained weights (an early ``albert_mini_en``, 2,532 pieces of news)
lose most there: a column of the value or the attention output matrix has one weight 11 to 15 times its root
mean square, which makes all other steps coarse. Such a matrix gets a second int8 term, the rounded rest of
the first: two products, 15 bits. Only columns on the value path may have one (query and key lose 0.0000004
to rounding), and only where rounding takes more than 1.5 % of them: evenly distributed weights pay nothing,
others a sixth of the integer products (xlarge shape, pieces a second of CPU time: float32 37, one term 124,
two terms 112; with the AVX2 kernels 37, 77 and 65).

=====================================================  ======================  ==========
trained weights, 4 layers                              1 - mean cosine         worst
=====================================================  ======================  ==========
one term, 7-bit activations                            0.00102                 0.9970
weights alone: one term                                0.00080                 0.9982
weights alone: two terms on the value path             0.000015                0.99997
**two terms on the value path, 7-bit activations**     **0.00022**             **0.9981**
the same, a zero point of its own for every row        0.00017                 0.9990
the same, 8-bit activations                            0.00006                 0.9997
=====================================================  ======================  ==========

``albert_mini_en`` as it ships, six layers, 5,899 words of news: mean cosine 0.99970 and worst 0.9988 in the
last layer, 0.99970 to 0.99981 in each of the six, so depth costs little here; 97.0 % of the words have the
same nearest word, and of ten nearest 9.85 are the same. With an earlier checkpoint of four layers, over
tweets, reviews and texts made to be difficult, the mean is 0.9995 to 0.9998 and the worst 0.996.

Speed of one term against float32, 256 pieces in sentences of 32, one thread, in turns: xlarge 3.8 times with
VNNI and 2.0 times with the AVX2 kernels of the same ONNX Runtime, base 3.1 and 1.7 times.

Tried there and left out:

- correcting each layer's bias by the mean error on other text: 0.0011, no gain; what is left differs from
  text to text;
- rounding that compensates its own errors (GPTQ, 800 to 1,400 pieces of other text or of random ids): a fifth
  of the error in the first layer, but 0.0008 to 0.0010 in the last, and conversion would depend on a text;
- a scale for every 64 weights of a column: weights alone 0.0002, for many small products;
- smoothing the layer norms' channels into the weights: no gain, because no channel of these weights stands
  out; with three channels made 4 to 10 times larger, 1.5 times closer;
- a zero point for every row: two more passes over each product, about 4 % of the time;
- 8-bit activations: free on CPUs with VNNI, elsewhere exact with uint8 x uint8 only, 1.4 times as slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle import Precision
from sparkalbert.convert.weight_names import GraphWeight
from sparkalbert.errors import CheckpointError

__all__ = [
    "ACTIVATION_FLOOR",
    "OFFSET",
    "REST",
    "SCALE",
    "dequantize",
    "quantize_columns",
    "stored_arrays",
]

Float32Array = npt.NDArray[np.float32]
Int8Array = npt.NDArray[np.int8]

SCALE: Final = ".scale"
"""Ends the name of an int8 matrix's scales, float32 ``[columns]``."""

OFFSET: Final = ".offset"
"""Ends the name of what must be added to a product of shifted rows, float32 ``[columns]``."""

REST: Final = ".rest"
"""Ends the name of an int8 matrix's second term: what rounding took from its last columns, rounded."""

ACTIVATION_FLOOR: Final = {"erf": 0.1701, "tanh": 0.1701, "relu": 0.0}
"""What makes each activation's output non-negative: erf GELU ends at -0.16997, tanh GELU at -0.17004."""

_LARGEST_WEIGHT: Final = 127
_SMALLEST_PEAK: Final = 1e-30
_CLIP_RATIOS: Final = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
_COLUMNS_AT_ONCE: Final = 128
_HALF: Final = ("qkv.bias", "ffn.bias")
_VALUE_PATH: Final = {".qkv.weight": 3, ".attention.weight": 1}
"""The matrices on the way of a value from piece to piece, and which share of their columns, from the
last one, is on it: of query, key and value a third."""

_LARGEST_LOSS: Final = 0.015
"""How much of a matrix rounding may take, as the ratio of norms, before it gets a second term. Columns of
normally distributed weights lose 0.007 to 0.009."""


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
        float16. ``int8`` stores layer matrices with a scale per column, and a second term of those on
        the value path that need one.
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
        yield from _second_term(weight.name, array, dequantize(integers, scales))
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


def _second_term(
    name: str, matrix: Float32Array, rounded: Float32Array
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the second term of a matrix where rounding took too much of it."""
    share = next((share for end, share in _VALUE_PATH.items() if name.endswith(end)), None)
    if share is None:
        return
    columns = slice(-(matrix.shape[1] // share), None)
    rest = matrix[:, columns] - rounded[:, columns]
    if np.linalg.norm(rest) > _LARGEST_LOSS * np.linalg.norm(matrix[:, columns]):
        integers, scales = quantize_columns(rest)
        yield name + REST, integers
        yield name + REST + SCALE, scales


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
