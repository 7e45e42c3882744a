"""Finds columns of a DataFrame by name, as Spark resolves names, and annotation columns by their annotator types."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructField, StructType

from sparkalbert.errors import ColumnError
from sparkalbert.ml.schema import ANNOTATION_TYPE, is_annotation_type

__all__ = [
    "InputColumn",
    "add_column",
    "annotator_type",
    "check_output",
    "find_annotation_columns",
    "find_column",
    "put_column",
    "quote_name",
    "unused_name",
    "wrong_type",
]

_TYPE_KEY: Final = "annotatorType"


@dataclass(frozen=True)
class InputColumn:
    """A column of a DataFrame.

    Attributes
    ----------
    name
        Its name in the DataFrame's spelling, with dots for a field of a struct.
    column
        The column, for expressions.
    field
        Its type and metadata.
    """

    name: str
    column: Column
    field: StructField

    @property
    def type(self) -> DataType:
        """Its Spark type."""
        return self.field.dataType


def quote_name(name: str) -> str:
    """Return a column's name quoted for ``F.col``, so that dots in it are part of the name."""
    return "`" + name.replace("`", "``") + "`"


def unused_name() -> str:
    """Return a name for a column that is dropped or renamed again."""
    return f"_sparkalbert_{uuid.uuid4().hex}"


def find_column(frame: DataFrame, name: str, stage: str) -> InputColumn:
    """Return a column by its name, resolved as Spark does.

    Names are case-sensitive if ``spark.sql.caseSensitive`` is true. A dot selects a field of a struct or of each struct
    in an array, or a value of a map, unless the whole name is that of a column.

    Raises
    ------
    ColumnError
        If no such column exists, or if several have the name.
    """
    found = _by_path(frame, [name], stage) or _by_path(frame, name.split("."), stage)
    if found is None:
        raise ColumnError(_missing(frame, name, stage))
    return found


def check_output(frame: DataFrame, name: str, stage: str) -> None:
    """Raise ColumnError if a column that a stage would add exists already."""
    if _matching(frame, frame.schema.fields, name):
        msg = f"{stage}: output column '{name}' already exists. Drop it first, or set another outputCol."
        raise ColumnError(msg)


def add_column(frame: DataFrame, name: str, column: Column, metadata: Mapping[str, Any] | None = None) -> DataFrame:
    """Return the DataFrame with a column of any name added.

    ``withMetadata`` fails on names with dots, and ``withColumn`` with an alias loses the metadata on Spark Connect, so
    neither is used.
    """
    named = column.alias(name) if metadata is None else column.alias(name, metadata=dict(metadata))
    return frame.select("*", named)


def put_column(
    frame: DataFrame, name: str, column: Column, function: str, metadata: Mapping[str, Any] | None = None
) -> DataFrame:
    """Return the DataFrame with a column of any name added, or replaced in its place.

    The other columns are not listed by name: after a join, several may have the same name.

    Raises
    ------
    ColumnError
        If several columns have the name of the one to replace.
    """
    if _field(frame, frame.schema.fields, name, function) is None:
        return add_column(frame, name, column, metadata)
    placed = frame.withColumn(name, column)
    if metadata is None:
        return placed
    if "." not in name and "`" not in name:
        return placed.withMetadata(name, dict(metadata))
    # withMetadata would read the name as a path. Spark 3.5 renames no column on Connect if two others share a name.
    holder = unused_name()
    return placed.withColumnRenamed(name, holder).withMetadata(holder, dict(metadata)).withColumnRenamed(holder, name)


def annotator_type(field: StructField) -> str | None:
    """Return the annotator type in a column's metadata, None for an ordinary column."""
    found: Any = field.metadata.get(_TYPE_KEY)
    return found if isinstance(found, str) else None


def find_annotation_columns(
    frame: DataFrame, columns: Sequence[str], types: Sequence[str], stage: str
) -> Mapping[str, InputColumn]:
    """Return the column of each annotator type; the order of `columns` does not matter.

    As in Spark NLP, the ``annotatorType`` in a column's metadata decides. If an operation on the DataFrame lost the
    metadata, the order of `types` decides, provided that the types fit.

    Raises
    ------
    ColumnError
        If a column is missing or is not an annotation column, or if an annotator type matches zero or several
        columns.
    """
    found = [find_column(frame, column, stage) for column in columns]
    for column in found:
        _check_fields(column, stage)
    shaped = [column for column in found if is_annotation_type(column.type)]
    kinds = [annotator_type(column.field) for column in shaped]
    if len(shaped) == len(types) == len(columns):
        if sorted(map(str, kinds)) == sorted(types):
            return {kind: column for kind, column in zip(kinds, shaped, strict=True) if kind}
        if all(kind in {None, expected} for kind, expected in zip(kinds, types, strict=True)):
            return dict(zip(types, shaped, strict=True))
    raise ColumnError(_wrong_columns(frame, columns, types, stage))


def wrong_type(stage: str, column: InputColumn, expected: str) -> str:
    """Return the message for a plain column of another type."""
    return (
        f"{stage}: column '{column.name}' is {column.type.simpleString()}, expected {expected}. Cast it, or set "
        "another column."
    )


def _is_case_sensitive(frame: DataFrame) -> bool:
    return str(frame.sparkSession.conf.get("spark.sql.caseSensitive", "false")).lower() == "true"


def _matching(frame: DataFrame, fields: Sequence[StructField], name: str) -> list[StructField]:
    """Return the fields that Spark would take a name for."""
    alike = [field for field in fields if field.name.lower() == name.lower()]
    exact = [field for field in alike if field.name == name]
    # The setting is read only if it matters: on Spark Connect that is a call to the server.
    return exact if len(exact) < len(alike) and _is_case_sensitive(frame) else alike


def _by_path(frame: DataFrame, path: Sequence[str], stage: str) -> InputColumn | None:
    """Return a column, or what a path leads to within a column, None if there is none."""
    first, *rest = path
    field = _field(frame, frame.schema.fields, first, stage)
    if field is None:
        return None
    names, column = [field.name], F.col(quote_name(field.name))
    for part in rest:
        field = _inner_field(frame, field.dataType, part, stage)
        if field is None:
            return None
        names, column = [*names, field.name], column.getItem(field.name)
    return InputColumn(".".join(names), column, field)


def _inner_field(frame: DataFrame, kind: DataType, name: str, stage: str) -> StructField | None:
    """Return what a name selects of a column's values, None if nothing."""
    if isinstance(kind, MapType) and isinstance(kind.keyType, StringType):
        return StructField(name, kind.valueType)
    if isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType):
        found = _field(frame, kind.elementType.fields, name, stage)
        return None if found is None else StructField(found.name, ArrayType(found.dataType))
    return _field(frame, kind.fields, name, stage) if isinstance(kind, StructType) else None


def _field(frame: DataFrame, fields: Sequence[StructField], name: str, stage: str) -> StructField | None:
    """Return the field of a name, None if there is none; raises ColumnError if there are several."""
    found = _matching(frame, fields, name)
    if len(found) > 1:
        spellings = ", ".join(repr(field.name) for field in found)
        msg = f"{stage}: column '{name}' is ambiguous, the dataset has {spellings}. Rename or drop the others."
        raise ColumnError(msg)
    return found[0] if found else None


def _missing(frame: DataFrame, name: str, stage: str) -> str:
    names = {column.lower(): column for column in frame.columns}
    close = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f" Did you mean '{names[close[0]]}'?" if close else ""
    return f"{stage}: the dataset does not have any '{name}' column.{hint} Its columns: {', '.join(frame.columns)}."


def _check_fields(column: InputColumn, stage: str) -> None:
    """Raise ColumnError if a column has the fields of an annotation, but some with another type."""
    if not isinstance(column.type, ArrayType) or not isinstance(column.type.elementType, StructType):
        return
    fields, expected = column.type.elementType.fields, ANNOTATION_TYPE.fields
    if [field.name for field in fields] != [field.name for field in expected]:
        return
    different = [
        f"'{field.name}' is {field.dataType.simpleString()}, expected {wanted.dataType.simpleString()}"
        for field, wanted in zip(fields, expected, strict=True)
        if field.dataType.typeName() != wanted.dataType.typeName()
    ]
    if different:
        msg = (
            f"{stage}: column '{column.name}' has the fields of an annotation, but {'; '.join(different)}. Cast the "
            "column to Annotation.arrayType().simpleString()."
        )
        raise ColumnError(msg)


def _wrong_columns(frame: DataFrame, columns: Sequence[str], types: Sequence[str], stage: str) -> str:
    lines = []
    for field in frame.schema.fields:
        kind = annotator_type(field)
        shown = f"is_nlp_annotator=true,type={kind}" if kind else "is_nlp_annotator=false"
        lines.append(f"(column_name={field.name},{shown})")
    listing = "\n".join(lines)
    return (
        f"Wrong or missing inputCols annotators in {stage}.\n\n"
        f"Current inputCols: {','.join(columns)}. Dataset's columns:\n{listing}.\n"
        "Make sure such annotators exist in your pipeline, with the right output names and that they have "
        f"following annotator types: {', '.join(types)}"
    )
