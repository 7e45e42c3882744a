"""The annotation column: its Spark type, its column metadata, and how input columns are found.

Types are those of Spark NLP's ``Annotation.dataType`` (Scala), down to the nullability of each level,
because its finishers compare for exact equality. It computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    FloatType,
    IntegerType,
    MapType,
    StringType,
    StructField,
    StructType,
)

from sparkalbert.errors import ColumnError

__all__ = [
    "ANNOTATION",
    "ANNOTATIONS",
    "BINARY_VECTORS",
    "CHUNK",
    "DOCUMENT",
    "SENTENCE_EMBEDDINGS",
    "TOKEN",
    "VECTORS",
    "WITH_VECTORS",
    "WORD_EMBEDDINGS",
    "annotator_type",
    "check_column",
    "find_annotation_columns",
    "is_annotation_type",
    "is_token_list",
    "reference",
    "wrong_type",
]

CHUNK: Final = "chunk"
DOCUMENT: Final = "document"
SENTENCE_EMBEDDINGS: Final = "sentence_embeddings"
TOKEN: Final = "token"  # noqa: S105 - an annotator type
WORD_EMBEDDINGS: Final = "word_embeddings"
WITH_VECTORS: Final = frozenset({WORD_EMBEDDINGS, SENTENCE_EMBEDDINGS})
"""Annotator types whose annotations hold vectors."""

_TYPE_KEY: Final = "annotatorType"

ANNOTATION: Final = StructType(
    [
        StructField("annotatorType", StringType(), nullable=True),
        StructField("begin", IntegerType(), nullable=False),
        StructField("end", IntegerType(), nullable=False),
        StructField("result", StringType(), nullable=True),
        StructField("metadata", MapType(StringType(), StringType(), valueContainsNull=True), nullable=True),
        StructField("embeddings", ArrayType(FloatType(), containsNull=False), nullable=True),
    ]
)
"""One annotation. ``begin`` and ``end`` count UTF-16 units of the document; ``end`` is inclusive."""

ANNOTATIONS: Final = ArrayType(ANNOTATION, containsNull=True)
"""An annotation column."""

VECTORS: Final = ArrayType(ArrayType(FloatType(), containsNull=False), containsNull=False)
"""One vector per token. Without nulls: Spark reads such a column nearly twice as fast."""

BINARY_VECTORS: Final = ArrayType(BinaryType(), containsNull=False)
"""One vector per token as its bytes, little-endian float32: Spark moves and stores them as they are."""


def annotator_type(frame: DataFrame, column: str) -> str | None:
    """Return the annotator type a column's metadata names, None for an ordinary column."""
    found: Any = frame.schema[column].metadata.get(_TYPE_KEY)
    return found if isinstance(found, str) else None


def reference(column: str) -> str:
    """Return a column's name quoted for ``F.col``, so that dots in it are part of the name."""
    return "`" + column.replace("`", "``") + "`"


def check_column(frame: DataFrame, column: str, stage: str) -> StructField:
    """Return the field of a column.

    Raises
    ------
    ColumnError
        When there is none; the message lists the columns.
    """
    for field in frame.schema.fields:
        if field.name == column:
            return field
    msg = (
        f"{stage}: the dataset does not have any '{column}' column. Its columns: {', '.join(frame.columns)}."
    )
    raise ColumnError(msg)


def find_annotation_columns(
    frame: DataFrame, columns: Sequence[str], wanted: Sequence[str], stage: str
) -> Mapping[str, str]:
    """Return the column of each wanted annotator type; the order of `columns` does not matter.

    Columns are told by the ``annotatorType`` in their metadata, as Spark NLP tells them. Where some
    operation lost it, the order of `wanted` decides, provided the types fit.

    Raises
    ------
    ColumnError
        When a column is missing, is no annotation column, or a type has no column or two.
    """
    fields = [check_column(frame, column, stage) for column in columns]
    shaped = [field for field in fields if is_annotation_type(field.dataType)]
    types = [annotator_type(frame, field.name) for field in shaped]
    if len(shaped) == len(wanted) == len(columns):
        if sorted(map(str, types)) == sorted(wanted):
            return {kind: field.name for kind, field in zip(types, shaped, strict=True) if kind}
        if all(found in {None, expected} for found, expected in zip(types, wanted, strict=True)):
            return {kind: field.name for kind, field in zip(wanted, shaped, strict=True)}
    raise ColumnError(_wrong_columns(frame, columns, wanted, stage))


def is_annotation_type(data_type: DataType) -> bool:
    """Whether a type has the fields of an annotation column, whatever their nullability.

    Nullability is lost in a Parquet round trip, so it is not asked for.
    """
    if not (isinstance(data_type, ArrayType) and isinstance(data_type.elementType, StructType)):
        return False
    fields = data_type.elementType.fields
    return [(field.name, field.dataType.typeName()) for field in fields] == [
        (field.name, field.dataType.typeName()) for field in ANNOTATION.fields
    ]


def is_token_list(data_type: DataType) -> bool:
    """Whether a type is ``array<string>``."""
    return isinstance(data_type, ArrayType) and isinstance(data_type.elementType, StringType)


def wrong_type(stage: str, column: str, found: DataType, expected: str) -> str:
    """Return the text of the error for a plain column of another type."""
    return (
        f"{stage}: column '{column}' is {found.simpleString()}, expected {expected}. Please cast it or name "
        "another."
    )


def _wrong_columns(frame: DataFrame, columns: Sequence[str], wanted: Sequence[str], stage: str) -> str:
    lines = []
    for field in frame.schema.fields:
        kind = annotator_type(frame, field.name)
        shown = f"is_nlp_annotator=true,type={kind}" if kind else "is_nlp_annotator=false"
        lines.append(f"(column_name={field.name},{shown})")
    listing = "\n".join(lines)
    return (
        f"Wrong or missing inputCols annotators in {stage}.\n\n"
        f"Current inputCols: {','.join(columns)}. Dataset's columns:\n{listing}.\n"
        "Make sure such annotators exist in your pipeline, with the right output names and that they have "
        f"following annotator types: {', '.join(wanted)}"
    )
