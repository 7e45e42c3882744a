"""Vectors that were stored as bytes, back in NumPy; for programs that read Parquet without Spark.

A vector's bytes are its numbers as little-endian float32, one after the other and nothing else. Spark has
:func:`sparkalbert.ml.binary_to_array` for the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sparkalbert.errors import ParamError

__all__ = ["binary_to_numpy"]


def binary_to_numpy(vectors: Iterable[bytes]) -> npt.NDArray[np.float32]:
    """Return vectors as an array.

    Parameters
    ----------
    vectors
        The bytes of each: one cell of a column written with ``vectorFormat`` ``binary``, as pandas, pyarrow
        (``to_pylist``) and Spark's rows give it. All vectors have one length.

    Returns
    -------
    ndarray
        float32 ``[vectors, dimension]``, writable; ``[0, 0]`` for none.

    Raises
    ------
    ParamError
        When the lengths differ or are not those of float32 numbers.

    Examples
    --------
    >>> binary_to_numpy([bytes.fromhex("0000803f00000040")]).tolist()
    [[1.0, 2.0]]

    A column of a pandas frame becomes one array for each row::

        frame["vectors"] = frame["vectors"].map(binary_to_numpy)
    """
    parts = list(vectors)
    if not parts:
        return np.zeros((0, 0), dtype=np.float32)
    lengths = sorted({len(part) for part in parts})
    if len(lengths) > 1 or lengths[0] % 4:
        msg = f"vectors of {', '.join(map(str, lengths))} bytes, expected one length, a multiple of 4."
        raise ParamError(msg)
    numbers = np.frombuffer(b"".join(parts), dtype="<f4")
    return numbers.reshape(len(parts), -1).astype(np.float32)
