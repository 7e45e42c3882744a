"""The fields of annotation columns that tasks read, as Spark expressions and as Arrow arrays.

A task sees plain lists, because pandas has neither structs nor maps. Each field is defined once in both forms, so
that a task runs on the same input with Spark and without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

__all__ = [
    "BEGIN",
    "CHUNK_NUMBER",
    "EMBEDDINGS",
    "END",
    "IS_OOV",
    "METADATA",
    "RESULT",
    "SENTENCE",
    "TOKEN_LIST",
    "AnnotationField",
    "Field",
]

_METADATA: Final = "metadata"


class Field(Protocol):
    """What a task reads of a column, as a Spark expression and as an Arrow array."""

    @property
    def type(self) -> pa.DataType:
        """Arrow type of what is read."""

    def column(self, column: Column, /) -> Column:
        """Return what is read of a Spark column."""

    def array(self, array: pa.Array, /) -> pa.Array:
        """Return what is read of an Arrow array of that column."""


@dataclass(frozen=True)
class AnnotationField:
    """One field of each annotation of a column.

    Attributes
    ----------
    name
        Name of the field.
    type
        Arrow type of the field's column, one list per row.
    key
        For the metadata, the key whose value is read; None for all entries.
    """

    name: str
    type: pa.DataType
    key: str | None = None

    def column(self, annotations: Column) -> Column:
        """Return the field of a Spark column of annotations."""
        part = annotations.getField(self.name)
        if self.name != _METADATA:
            return part
        if self.key is None:
            return F.transform(part, F.map_entries)
        return F.transform(part, lambda entries: entries.getItem(self.key))

    def array(self, annotations: pa.Array) -> pa.Array:
        """Return the field of an Arrow array of annotations, ``list<struct>`` ``[rows]``."""
        part = annotations.values.field(self.name)
        if self.name == _METADATA:
            part = _entries(part) if self.key is None else pc.map_lookup(part, self.key, "first")
        found = _lists_like(annotations, part)
        return found if found.type == self.type else found.cast(self.type)


@dataclass(frozen=True)
class WholeColumn:
    """A column that is not an annotation column and is read as a whole.

    Attributes
    ----------
    type
        Its Arrow type.
    """

    type: pa.DataType

    def column(self, column: Column) -> Column:
        """Return the column."""
        return column

    def array(self, array: pa.Array) -> pa.Array:
        """Return the array."""
        return array


_ENTRY: Final = pa.struct([("key", pa.string()), ("value", pa.string())])

BEGIN: Final = AnnotationField("begin", pa.list_(pa.int32()))
END: Final = AnnotationField("end", pa.list_(pa.int32()))
RESULT: Final = AnnotationField("result", pa.list_(pa.string()))
METADATA: Final = AnnotationField(_METADATA, pa.list_(pa.list_(_ENTRY)))
SENTENCE: Final = AnnotationField(_METADATA, pa.list_(pa.string()), key="sentence")
CHUNK_NUMBER: Final = AnnotationField(_METADATA, pa.list_(pa.string()), key="chunk")
IS_OOV: Final = AnnotationField(_METADATA, pa.list_(pa.string()), key="isOOV")
EMBEDDINGS: Final = AnnotationField("embeddings", pa.list_(pa.list_(pa.float32())))
TOKEN_LIST: Final = WholeColumn(pa.list_(pa.string()))


def _entries(maps: pa.Array) -> pa.Array:
    """Return ``map`` as ``list<struct<key, value>>``."""
    pairs = pa.StructArray.from_arrays([maps.keys, maps.items], names=["key", "value"])
    return _lists_like(maps, pairs)


def _lists_like(array: pa.Array, values: pa.Array) -> pa.Array:
    """Return lists of `values` with the bounds and nulls of `array`."""
    if not array.null_count:
        return pa.ListArray.from_arrays(array.offsets, values)
    offsets = pa.array(np.asarray(array.offsets))  # a copy: Arrow takes no mask for a slice
    return pa.ListArray.from_arrays(offsets, values, mask=array.is_null())
