"""Reads tensors from the files of a checkpoint: raw numbers at a position in a file, for any format.

The readers beside this module find the positions without reading a number. A tensor is read when it is needed,
so at most one is in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.errors import CheckpointError
from sparkalbert.storage.reading import wrap_unreadable

__all__ = ["FLOATS", "StoredTensor", "check_inside"]

FLOATS: Final[Mapping[str, str]] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""The number formats that can be read, by their names in safetensors, and NumPy's type of their bytes."""


@dataclass(frozen=True)
class StoredTensor:
    """The position of one tensor in its file.

    Attributes
    ----------
    path
        The file.
    offset_bytes
        Position of the first number.
    dtype
        Number format: a key of :data:`FLOATS`, or the file's own name for any other.
    shape
        The shape in the file.
    strides
        Distance of neighbours in each dimension, in numbers; None if they follow each other in C order.
    transposed
        Whether the file has ``[in, out]`` where a checkpoint of PyTorch has ``[out, in]``.
    """

    path: Path
    offset_bytes: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    transposed: bool = False

    @property
    def checkpoint_shape(self) -> tuple[int, ...]:
        """The shape of what :meth:`read` returns."""
        return self.shape[::-1] if self.transposed else self.shape

    @property
    def span(self) -> int:
        """How many numbers of the file the tensor stretches over."""
        if 0 in self.shape:
            return 0
        if self.strides is None:
            return _product(self.shape)
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))

    def read(self) -> Float32Array:
        """Read the tensor and return it as float32 in the layout of a PyTorch checkpoint, ``[out, in]``.

        Raises
        ------
        CheckpointError
            If the file has become shorter or cannot be read.
        """
        with wrap_unreadable(self.path), self.path.open("rb") as file:
            file.seek(self.offset_bytes)
            numbers = np.fromfile(file, dtype=FLOATS[self.dtype], count=self.span)
        if numbers.size != self.span:
            msg = f"{self.path} became shorter while it was read. Copy the checkpoint again."
            raise CheckpointError(msg)
        if self.strides is None:
            values = numbers.reshape(self.shape)
        else:
            strides = [stride * numbers.itemsize for stride in self.strides]
            values = np.lib.stride_tricks.as_strided(numbers, self.shape, strides)
        if self.dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)  # the upper half of a float32
        single: Float32Array = values.astype(np.float32, copy=False)
        return single.T if self.transposed else single


def check_inside(tensor: StoredTensor, name: str, start_bytes: int, stop_bytes: int) -> None:
    """Check that a tensor is between two positions of its file and takes no more memory than the part between them.

    Parameters
    ----------
    tensor
        The tensor. It passes if its number format is not in :data:`FLOATS`, because it is then never read.
    name
        Its name, for messages.
    start_bytes, stop_bytes
        The part of the file that may be read.

    Raises
    ------
    CheckpointError
        If the file cannot hold the tensor that it describes.
    """
    if tensor.dtype not in FLOATS:
        return
    width = np.dtype(FLOATS[tensor.dtype]).itemsize
    numbers = max(tensor.span, _product(tensor.shape))  # an expanded tensor repeats the same numbers
    is_negative = min((*tensor.shape, *(tensor.strides or ())), default=0) < 0
    stop = tensor.offset_bytes + width * numbers
    if is_negative or tensor.offset_bytes < start_bytes or stop > min(stop_bytes, tensor.path.stat().st_size):
        msg = (
            f"{tensor.path.name} does not hold the tensor {name} {list(tensor.shape)} that it describes; "
            "download it again"
        )
        raise CheckpointError(msg)


def _product(shape: tuple[int, ...]) -> int:
    """Return the number of elements; Python's integers cannot overflow."""
    product = 1
    for size in shape:
        product *= size
    return product
