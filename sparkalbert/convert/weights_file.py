"""The weights file of a bundle: one ONNX external-data file, written weight by weight.

Each tensor begins on a page, so that ONNX Runtime can map it into memory. At no time is more than one
weight of the graph held. It knows bytes and offsets, and nothing of ALBERT.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from sparkalbert.bundle.folder import WEIGHTS_FILE

__all__ = ["read_tensor", "write_weights"]

_PAGE_BYTES: Final = 4096
_ROWS_AT_ONCE_BYTES: Final = 4 << 20


def write_weights(folder: Path, weights: Iterable[tuple[str, npt.NDArray[Any]]]) -> list[TensorProto]:
    """Write weights one after the other and return where each one lies.

    Parameters
    ----------
    folder
        The folder to write ``model.onnx.data`` into.
    weights
        Names and arrays; arrays may be views in any memory order. Consumed one by one.

    Returns
    -------
    list of onnx.TensorProto
        For the graph's initializers: name, type, shape, and the place in the file.
    """
    located = []
    with (folder / WEIGHTS_FILE).open("wb") as file:
        for name, array in weights:
            offset_bytes = -(-file.tell() // _PAGE_BYTES) * _PAGE_BYTES
            file.write(b"\0" * (offset_bytes - file.tell()))
            rows_at_once = max(1, _ROWS_AT_ONCE_BYTES // max(1, array[:1].nbytes))
            for start in range(0, array.shape[0], rows_at_once):
                # A transposed view is laid out in the file's order a few rows at a time.
                file.write(np.ascontiguousarray(array[start : start + rows_at_once]).data)
            located.append(_external(name, array, offset_bytes))
    return located


def read_tensor(folder: Path, tensor: TensorProto) -> npt.NDArray[Any]:
    """Return one weight from the file that :func:`write_weights` wrote."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    with (folder / WEIGHTS_FILE).open("rb") as file:
        file.seek(int(entries["offset"]))
        values = np.fromfile(file, dtype=dtype, count=int(entries["length"]) // dtype.itemsize)
    return values.reshape(tuple(tensor.dims))


def _external(name: str, array: npt.NDArray[Any], offset_bytes: int) -> TensorProto:
    tensor = TensorProto(
        name=name,
        data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
        dims=array.shape,
        data_location=TensorProto.EXTERNAL,
    )
    place = {"location": WEIGHTS_FILE, "offset": str(offset_bytes), "length": str(array.nbytes)}
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    return tensor
