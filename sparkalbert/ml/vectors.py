"""Converts vectors that were stored as bytes back to numbers that Spark can compute with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkalbert.errors import ParamError
from sparkalbert.ml.schema import VECTORS
from sparkalbert.ml.worker.arrow import list_array
from sparkalbert.ml.worker.rows import item_counts
from sparkalbert.ml.worker.udf import arrow_column

__all__ = ["binary_to_array"]

_FLOAT_BYTES: Final = 4


def binary_to_array(vectors: Column | str) -> Column:
    """Return ``array<binary>`` vectors as ``array<array<float>>``; null rows stay null.

    Parameters
    ----------
    vectors
        A column, or its name, of vectors that :class:`~sparkalbert.AlbertEmbeddings` wrote with ``vectorFormat``
        ``binary``.

    Raises
    ------
    ParamError
        In the job, if a vector is null or its length is not a multiple of four bytes.

    Examples
    --------
    ::

        stored = spark.read.parquet("vectors")
        stored.select("tokens", binary_to_array("vectors").alias("vectors"))
    """
    column = F.col(vectors) if isinstance(vectors, str) else vectors
    return arrow_column(_DecodeTask(), [column], (pa.list_(pa.binary()),), VECTORS)


@dataclass(frozen=True)
class _DecodeTask:
    """Converts ``array<binary>`` to ``array<array<float>>``: the same bytes with another type."""

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the vectors of every row, in order."""
        for (column,) in batches:
            counts, valid = item_counts(column)
            yield list_array(counts, _floats(column.flatten()), valid=valid, nullable=False)


def _floats(binary: pa.Array) -> pa.Array:
    """Return ``list<float>`` over the bytes of binary ``[n]``, without a copy."""
    if binary.null_count:
        msg = f"{binary.null_count} of {len(binary)} vectors are null, expected bytes. Filter the nulls out first."
        raise ParamError(msg)
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False))
    if not len(binary):
        return pa.array([], type=kind)
    _, offsets, data = binary.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[binary.offset : binary.offset + len(binary) + 1]
    if np.any(ends % _FLOAT_BYTES):
        msg = (
            f"The length of a vector is not a multiple of {_FLOAT_BYTES} bytes, expected float32 numbers. Pass a "
            "column that AlbertEmbeddings wrote with vectorFormat 'binary'."
        )
        raise ParamError(msg)
    numbers = pa.Array.from_buffers(pa.float32(), int(ends[-1]) // _FLOAT_BYTES, [None, data])
    return pa.ListArray.from_arrays(pa.array(ends // _FLOAT_BYTES), numbers, type=kind)
