"""Converts vectors that were stored as bytes back to numbers that Spark can compute with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkalbert.errors import ParamError
from sparkalbert.ml.schema import VECTORS
from sparkalbert.ml.worker.arrow import list_array
from sparkalbert.ml.worker.rows import item_counts
from sparkalbert.ml.worker.udf import arrow_column
from sparkalbert.vectors import BinaryFormat, number_type

__all__ = ["binary_to_array", "binary_to_vector"]


def binary_to_array(vectors: Column | str, vector_format: BinaryFormat = "binary") -> Column:
    """Return ``array<binary>`` vectors as ``array<array<float>>``; null rows stay null.

    Parameters
    ----------
    vectors
        A column, or its name, of vectors that :class:`~sparkalbert.AlbertEmbeddings` wrote with ``vectorFormat``
        ``binary`` or ``binary16``.
    vector_format
        Which of the two. The bytes do not show it.

    Raises
    ------
    ParamError
        If `vector_format` is unknown; in the job, if a vector is null or its length is not a multiple of the size of a
        number.

    Examples
    --------
    ::

        stored = spark.read.parquet("vectors")
        stored.select("tokens", binary_to_array("vectors").alias("vectors"))
    """
    column = F.col(vectors) if isinstance(vectors, str) else vectors
    number_type(vector_format)
    return arrow_column(_DecodeTask(vector_format), [column], (pa.list_(pa.binary()),), VECTORS)


def binary_to_vector(vector: Column | str, vector_format: BinaryFormat = "binary") -> Column:
    """Return one ``binary`` vector per row, such as that of a document, as ``array<float>``; null stays null.

    Parameters
    ----------
    vector, vector_format
        As for :func:`binary_to_array`.

    Raises
    ------
    ParamError
        As :func:`binary_to_array` does.
    """
    column = F.col(vector) if isinstance(vector, str) else vector
    return binary_to_array(F.when(column.isNotNull(), F.array(column)), vector_format).getItem(0)


@dataclass(frozen=True)
class _DecodeTask:
    """Converts ``array<binary>`` to ``array<array<float>>``; float32 are the same bytes with another type."""

    vector_format: BinaryFormat

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the vectors of every row, in order."""
        for (column,) in batches:
            counts, valid = item_counts(column)
            items = _floats(column.flatten(), self.vector_format)
            yield list_array(counts, items, valid=valid, nullable=False)


def _floats(binary: pa.Array, vector_format: BinaryFormat) -> pa.Array:
    """Return ``list<float>`` over the bytes of binary ``[n]``, float32 without a copy."""
    if binary.null_count:
        msg = f"{binary.null_count} of {len(binary)} vectors are null, expected bytes. Filter the nulls out first."
        raise ParamError(msg)
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False))
    if not len(binary):
        return pa.array([], type=kind)
    _, offsets, data = binary.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[binary.offset : binary.offset + len(binary) + 1]
    numbers_are = number_type(vector_format)
    size = numbers_are.itemsize
    if np.any(ends % size):
        msg = (
            f"The length of a vector is not a multiple of {size} bytes, expected {numbers_are.name} numbers. Pass a "
            f"column that AlbertEmbeddings wrote with vectorFormat {vector_format!r}."
        )
        raise ParamError(msg)
    count = int(ends[-1]) // size
    if numbers_are == np.float32:
        numbers = pa.Array.from_buffers(pa.float32(), count, [None, data])
    else:
        numbers = pa.array(np.frombuffer(data, dtype=numbers_are, count=count).astype(np.float32))
    return pa.ListArray.from_arrays(pa.array(ends // size), numbers, type=kind)
