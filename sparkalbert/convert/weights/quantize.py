"""The number formats of a bundle's weights, and the int8 matrix product that belongs to one of them.

Why the int8 product is computed this way
-----------------------------------------
A vector must depend on its sentence alone, on every CPU. So each row (piece) has its own scale, and the
integer sums must be exact.
On CPUs without VNNI, ONNX Runtime's uint8 x int8 kernel adds two products in 16 bits and saturates. Two
products of 7-bit activations and int8 weights always fit (2 * 127 * 127 < 2**15). uint8 x uint8 is exact
too, but slower. The two feed-forward products of the xlarge shape (2048 x 8192 and 8192 x 2048), 512 rows,
2 threads, CPU with AVX512-VNNI:

===================================  ==============  =====================
operands                             exact anywhere  milliseconds
===================================  ==============  =====================
uint8 x int8, 8 bits both            no              46 / 42
**7-bit uint8 x int8**               **yes**         **45 / 42**
uint8 x uint8                        yes             108 / 113
float32                              -               178 / 182
===================================  ==============  =====================

With ONNX Runtime's AVX2 kernels the first product takes 84, 79, 112 and 166 ms, in this order.

The missing bit costs little, because the error of the weights dominates: every layer repeats it. Distance to
float32 (1 - mean cosine of the last layer, xlarge shape, random weights): 0.0020 with rounded weights alone,
0.0021 with 8-bit activations, 0.0030 with symmetric 7-bit activations, and 0.0026 if the output of the
activation function uses the whole 7-bit range. The last option is free: GELU is never below -0.17004, so adding
0.1701 makes its output non-negative, and what this adds to the product is a constant per column, which is
subtracted from the bias. Clipping each column of the weights where its squared error is smallest gains another
0.0003, at conversion time.

The residual, and what trained weights showed
---------------------------------------------
Rounding errors shared by all pieces of a text do not cancel in attention; they accumulate across layers and
grow with the square of the depth. Trained weights (an early ``albert_mini_en``, 2,532 pieces of news) lose
most there: a column of the value matrix or the attention output matrix has one weight of 11 to 15 times its
root mean square, which makes the steps of all other weights coarse. Such a matrix is stored with a
residual, an int8 matrix of what rounding lost: two products, 15 bits. Only columns on the value path can
have a residual (query and key lose 0.0000004 to rounding), and only where rounding loses more than 1.5 % of
them. Evenly distributed weights cost nothing extra, others a sixth of the integer products (xlarge shape,
pieces per second of CPU time: float32 37, without residual 124, with residual 112; with the AVX2 kernels
37, 77 and 65).

=====================================================  ======================  ==========
trained weights, 4 layers                              1 - mean cosine         worst
=====================================================  ======================  ==========
no residual, 7-bit activations                         0.00102                 0.9970
no residual, float activations                         0.00080                 0.9982
residual on the value path, float activations          0.000015                0.99997
**residual on the value path, 7-bit activations**      **0.00022**             **0.9981**
the same, with a zero point for each row               0.00017                 0.9990
the same, with 8-bit activations                       0.00006                 0.9997
=====================================================  ======================  ==========

The published ``albert_mini_en`` (8 layers, the first 1,000 words of news) has a mean cosine of 0.99964 and a worst
of 0.9993 in the last layer, and a mean of 0.99977 to 0.99997 in the layers before; 97.7 % of the words keep their
nearest word, and 9.9 of the ten nearest on average. With an earlier checkpoint of four layers, on tweets, reviews and
texts made to be difficult, the mean is 0.9995 to 0.9998 and the worst 0.996.

Speed without residual relative to float32, 256 pieces in sentences of 32, one thread, measured in turns:
xlarge 3.8 times with VNNI and 2.0 times with the AVX2 kernels of the same ONNX Runtime, base 3.1 and 1.7
times.

Tried and rejected:

- Correcting each layer's bias by the mean error on other text: 0.0011, no gain. The remaining error differs
  from text to text.
- Rounding that compensates its own errors (GPTQ, on 800 to 1,400 pieces of other text or random ids): a
  fifth of the error in the first layer, but 0.0008 to 0.0010 in the last, and conversion would depend on a
  text.
- A scale for every 64 weights of a column: 0.0002 with float activations, but many small products.
- Smoothing the channels of the layer norms into the weights: no gain, because no channel of these weights
  stands out. With three channels made 4 to 10 times larger, 1.5 times closer.
- A zero point for every row: two more passes over each product, about 4 % of the time.
- 8-bit activations: free on CPUs with VNNI; elsewhere only uint8 x uint8 is exact, which is 1.4 times as
  slow.
- One scale for each product of each layer, from other text, instead of one for each row: it would save the search for
  the largest number of a row and a pass over every product, about a fifth of a base model's time on a CPU with AMX.
  But of ``albert_mini_en`` (150 sentences to calibrate, 150 others to measure) it loses five times as much at the best
  clip: 1 - mean cosine 0.0021 instead of 0.0004, and the worst word 0.977 instead of 0.999.

Where the time goes
-------------------
Of the time of base (256 pieces in sentences of 32, one thread, CPU with AMX) the products take 44 %, GELU 9 %, scaling
the rows of the products 8 %, biases 7 %, attention 7 %, quantizing and finding the largest numbers 9 %, moving GELU's
output above zero 4 %, layer norms 3 %, the rest 9 %. Without AMX the products take more. What did not help: a loop body
that holds the weights itself instead of reading those of the graph around it; batches of 64, 128 or 512 pieces instead
of 256 (within 3 %); ONNX Runtime's fused operators (see :mod:`sparkalbert.convert.graph.attention` and ``layer``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.arrays import Float32Array, Int8Array
from sparkalbert.bundle import Precision
from sparkalbert.convert.weights.names import GraphWeight
from sparkalbert.errors import CheckpointError

__all__ = [
    "ACTIVATION_FLOOR",
    "HALF",
    "OFFSET",
    "RESIDUAL",
    "SCALE",
    "dequantize",
    "halved",
    "quantize_columns",
    "stored_arrays",
]

SCALE: Final = ".scale"
"""Suffix of the name of an int8 matrix's scales, float32 ``[columns]``."""

OFFSET: Final = ".offset"
"""Suffix of the name of the vector that corrects a product of shifted rows, float32 ``[columns]``."""

RESIDUAL: Final = ".residual"
"""Suffix of the name of an int8 matrix's residual: what rounding lost of its last columns, itself rounded."""

HALF: Final = ".half"
"""Suffix of the name of a float16 array that the graph widens to float32 when it is loaded."""

ACTIVATION_FLOOR: Final = {"erf": 0.1701, "tanh": 0.1701, "relu": 0.0}
"""What makes each activation's output non-negative: the minimum of erf GELU is -0.16997, of tanh GELU -0.17004."""

_MAX_WEIGHT: Final = 127
_MIN_PEAK: Final = 1e-30
_CLIP_RATIOS: Final = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
_COLUMNS_PER_BLOCK: Final = 128
_VALUE_PATH: Final = {".qkv.weight": 3, ".attention.weight": 1}
"""The matrices that carry values from piece to piece, with a number ``n``: the last ``1 / n`` of their columns do so
(of query, key and value, the last third)."""

_MAX_LOSS: Final = 0.015
"""The loss by rounding, as a ratio of norms, above which a matrix gets a residual. Columns of normally
distributed weights lose 0.007 to 0.009."""


def stored_arrays(
    weight: GraphWeight, array: Float32Array, precision: Precision, activation: str
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the names and arrays that a bundle stores for one weight.

    Parameters
    ----------
    weight
        The weight.
    array
        Its values, float32 of ``weight.shape``.
    precision
        ``fp32`` stores the array unchanged. ``fp16`` stores the tables and everything inside the layers as
        float16. ``int8`` stores layer matrices as int8 with a scale per column, and a residual for those on the
        value path that need it.
    activation
        ``erf``, ``tanh`` or ``relu``: the function that the input rows of ``ffn_output`` come from.

    Raises
    ------
    CheckpointError
        If a value does not fit into float16.
    """
    in_layer = not weight.name.startswith("embeddings.")
    is_table = weight.role in {"pieces", "positions"}
    if precision == "fp16" and (is_table or in_layer):
        yield weight.name, _to_float16(weight.name, array)
    elif precision == "int8" and in_layer and weight.role == "matrix":
        integers, scales = quantize_columns(array)
        yield weight.name, integers
        yield weight.name + SCALE, scales
        if weight.name.endswith(".ffn_output.weight"):
            sums = integers.sum(axis=0, dtype=np.int64) * scales.astype(np.float64)
            yield weight.name + OFFSET, (-ACTIVATION_FLOOR[activation] * sums).astype(np.float32)
        yield from _residual(weight.name, array, dequantize(integers, scales))
    else:
        yield weight.name, array


def halved(name: str, array: npt.NDArray[Any]) -> tuple[str, npt.NDArray[Any]]:
    """Return a float32 array as float16, its name with the suffix :data:`HALF`, if float16 represents it exactly.

    Any other array is returned unchanged.

    Examples
    --------
    >>> halved("bias", np.float32([0.5, 0.1]))[0], halved("bias", np.float32([0.5, 0.25]))[0]
    ('bias', 'bias.half')
    """
    if array.dtype != np.float32:
        return name, array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return (name + HALF, half) if np.array_equal(half, array) else (name, array)


def quantize_columns(matrix: Float32Array) -> tuple[Int8Array, Float32Array]:
    """Return a matrix as integers from -127 to 127 and a scale per column.

    Each column is clipped where its squared error is smallest.

    Parameters
    ----------
    matrix
        float32 ``[in, out]``.

    Returns
    -------
    integers : ndarray
        int8 ``[in, out]``.
    scales : ndarray
        float32 ``[out]``; ``integers * scales`` approximates `matrix`.

    Examples
    --------
    >>> integers, scales = quantize_columns(np.float32([[0.0, 127.0], [-254.0, 64.0]]))
    >>> integers.tolist(), scales.tolist()
    ([[0, 127], [-127, 64]], [2.0, 1.0])
    """
    columns = matrix.T
    integers = np.empty(columns.shape, dtype=np.int8)
    scales = np.empty(len(columns), dtype=np.float32)
    for start in range(0, len(columns), _COLUMNS_PER_BLOCK):
        block = slice(start, start + _COLUMNS_PER_BLOCK)
        integers[block], scales[block] = _quantize_block(np.ascontiguousarray(columns[block]))
    return integers.T, scales


def dequantize(integers: Int8Array, scales: Float32Array) -> Float32Array:
    """Return the float32 matrix that int8 integers and their column scales represent."""
    return integers.astype(np.float32) * scales


def _residual(name: str, matrix: Float32Array, rounded: Float32Array) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the residual of a matrix if it is on the value path and rounding lost too much of it."""
    share = next((share for suffix, share in _VALUE_PATH.items() if name.endswith(suffix)), None)
    if share is None:
        return
    columns = slice(-(matrix.shape[1] // share), None)
    lost = matrix[:, columns] - rounded[:, columns]
    if np.linalg.norm(lost) > _MAX_LOSS * np.linalg.norm(matrix[:, columns]):
        integers, scales = quantize_columns(lost)
        yield name + RESIDUAL, integers
        yield name + RESIDUAL + SCALE, scales


def _quantize_block(columns: Float32Array) -> tuple[Int8Array, Float32Array]:
    """Quantize ``[out, in]``, where each column of the matrix is contiguous."""
    peaks = np.maximum(np.abs(columns).max(axis=1, keepdims=True), np.float32(_MIN_PEAK))
    best_scales = peaks / np.float32(_MAX_WEIGHT)
    best = np.rint(columns / best_scales)
    best_errors = _squared_errors(columns, best, best_scales)
    for ratio in _CLIP_RATIOS:
        scales = peaks * np.float32(ratio / _MAX_WEIGHT)
        integers = np.clip(np.rint(columns / scales), -_MAX_WEIGHT, _MAX_WEIGHT)
        errors = _squared_errors(columns, integers, scales)
        better = errors < best_errors
        best[better], best_scales[better], best_errors[better] = (
            integers[better],
            scales[better],
            errors[better],
        )
    return best.astype(np.int8), best_scales[:, 0]


def _squared_errors(columns: Float32Array, integers: Float32Array, scales: Float32Array) -> Float32Array:
    differences: Float32Array = integers * scales - columns
    errors: Float32Array = np.einsum("ij,ij->i", differences, differences)
    return errors


def _to_float16(name: str, array: Float32Array) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():
        limit = float(np.finfo(np.float16).max)
        msg = (
            f"{name} holds {float(np.abs(array).max()):g}, but the largest float16 is {limit:g}. "
            "Convert with precision fp32 or int8."
        )
        raise CheckpointError(msg)
    return half
