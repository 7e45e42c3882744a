"""The weights file of a bundle, a file of ONNX external data: written and read one weight at a time.

Each tensor starts on a page, so that ONNX Runtime can map it into memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from sparkalbert.bundle.folder import WEIGHTS_FILE
from sparkalbert.errors import BundleError

__all__ = ["read_tensor", "write_weights"]

_PAGE_BYTES: Final = 4096
_WRITE_BYTES: Final = 4 << 20


def write_weights(folder: Path, weights: Iterable[tuple[str, npt.NDArray[Any]]]) -> list[TensorProto]:
    """Write the weights file of a bundle; at most one weight is held in memory.

    Parameters
    ----------
    folder
        The folder to write ``model.onnx.data`` to.
    weights
        Names and arrays, consumed one by one. Arrays may be views in any memory order.

    Returns
    -------
    list of onnx.TensorProto
        The graph's initializers: name, type, shape, and position in the file.
    """
    initializers = []
    with (folder / WEIGHTS_FILE).open("wb") as file:
        for name, array in weights:
            offset_bytes = -(-file.tell() // _PAGE_BYTES) * _PAGE_BYTES
            file.write(b"\0" * (offset_bytes - file.tell()))
            rows_per_write = max(1, _WRITE_BYTES // max(1, array[:1].nbytes))
            for start in range(0, array.shape[0], rows_per_write):
                # A transposed view is copied into the file's order, so only some rows at a time.
                file.write(np.ascontiguousarray(array[start : start + rows_per_write]).data)
            initializers.append(_external_tensor(name, array, offset_bytes))
    return initializers


def read_tensor(folder: Path, tensor: TensorProto) -> npt.NDArray[Any]:
    """Return the values of an initializer that :func:`write_weights` returned.

    Raises
    ------
    BundleError
        If the weights file does not hold the tensor as its initializer describes it.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    shape = tuple(tensor.dims)
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        with (folder / WEIGHTS_FILE).open("rb") as file:
            file.seek(int(entries["offset"]))
            return np.fromfile(file, dtype=dtype, count=int(np.prod(shape, dtype=np.int64))).reshape(shape)
    except (KeyError, ValueError, OSError) as error:
        msg = (
            f"{folder / WEIGHTS_FILE} does not hold the weight {tensor.name} of shape {list(shape)} "
            f"({type(error).__name__}: {error}). Convert the checkpoint again."
        )
        raise BundleError(msg) from error


def _external_tensor(name: str, array: npt.NDArray[Any], offset_bytes: int) -> TensorProto:
    tensor = TensorProto(
        name=name,
        data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
        dims=array.shape,
        data_location=TensorProto.EXTERNAL,
    )
    position = {"location": WEIGHTS_FILE, "offset": str(offset_bytes), "length": str(array.nbytes)}
    for key, value in position.items():
        tensor.external_data.add(key=key, value=value)
    return tensor
