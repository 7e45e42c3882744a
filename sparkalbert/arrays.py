"""Type aliases for NumPy arrays, named by dtype."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "Float32Array", "Float64Array", "Int8Array", "Int64Array", "Uint8Array"]

BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]
Int8Array = npt.NDArray[np.int8]
Uint8Array = npt.NDArray[np.uint8]
