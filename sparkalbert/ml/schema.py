"""The annotation column: its Spark types and annotator types.

Types are those of Spark NLP's ``Annotation.dataType`` (Scala), down to the nullability of each level, because its
finishers compare for exact equality.
"""

from __future__ import annotations

from typing import Final

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

__all__ = [
    "ANNOTATION_COLUMN_TYPE",
    "ANNOTATION_TYPE",
    "BINARY_VECTOR",
    "BINARY_VECTORS",
    "CHUNK",
    "DOCUMENT",
    "SENTENCE_EMBEDDINGS",
    "TOKEN",
    "VECTOR",
    "VECTORS",
    "WITH_VECTORS",
    "WORD_EMBEDDINGS",
    "AnnotatorType",
    "is_annotation_type",
    "is_token_list",
]

CHUNK: Final = "chunk"
DOCUMENT: Final = "document"
SENTENCE_EMBEDDINGS: Final = "sentence_embeddings"
TOKEN: Final = "token"  # noqa: S105 - an annotator type
WORD_EMBEDDINGS: Final = "word_embeddings"
WITH_VECTORS: Final = frozenset({WORD_EMBEDDINGS, SENTENCE_EMBEDDINGS})
"""Annotator types whose annotations have vectors."""


class AnnotatorType:
    """The annotator types of Spark NLP 5.5.3; sparkalbert's stages read and add the first five."""

    CHUNK = CHUNK
    DOCUMENT = DOCUMENT
    SENTENCE_EMBEDDINGS = SENTENCE_EMBEDDINGS
    TOKEN = TOKEN
    WORD_EMBEDDINGS = WORD_EMBEDDINGS

    AUDIO = "audio"
    CATEGORY = "category"
    DATE = "date"
    DEPENDENCY = "dependency"
    DOC_SIMILARITY_RANKINGS = "doc_similarity_rankings"
    DUMMY = "dummy"
    ENTITY = "entity"
    IMAGE = "image"
    LABELED_DEPENDENCY = "labeled_dependency"
    LANGUAGE = "language"
    NAMED_ENTITY = "named_entity"
    NEGEX = "negex"
    NODE = "node"
    POS = "pos"
    SENTIMENT = "sentiment"
    TABLE = "table"
    WORDPIECE = "wordpiece"


ANNOTATION_TYPE: Final = StructType(
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

ANNOTATION_COLUMN_TYPE: Final = ArrayType(ANNOTATION_TYPE, containsNull=True)
"""A column of annotations."""

VECTORS: Final = ArrayType(ArrayType(FloatType(), containsNull=False), containsNull=False)
"""One vector per token. Without nulls: Spark reads such a column nearly twice as fast."""

BINARY_VECTORS: Final = ArrayType(BinaryType(), containsNull=False)
"""One vector per token as its bytes, little-endian numbers: Spark moves and stores them unchanged."""

VECTOR: Final = ArrayType(FloatType(), containsNull=False)
"""One vector per row."""

BINARY_VECTOR: Final = BinaryType()
"""One vector per row as its bytes."""


def is_annotation_type(data_type: DataType) -> bool:
    """Return whether a type has the fields of an annotation column, with any nullability.

    Nullability is lost in a Parquet round trip, so it is not required.
    """
    if not (isinstance(data_type, ArrayType) and isinstance(data_type.elementType, StructType)):
        return False
    fields = data_type.elementType.fields
    return [(field.name, field.dataType.typeName()) for field in fields] == [
        (field.name, field.dataType.typeName()) for field in ANNOTATION_TYPE.fields
    ]


def is_token_list(data_type: DataType) -> bool:
    """Return whether a type is ``array<string>``."""
    return isinstance(data_type, ArrayType) and isinstance(data_type.elementType, StringType)
