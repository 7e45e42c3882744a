"""The first stage: a column of texts becomes a document column.

Only Spark SQL expressions, evaluated in the JVM: no Python runs on the workers, and regular
expressions mean what they mean in Java. It knows columns, nothing about rules of sentences or tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from pyspark.ml import Transformer
from pyspark.ml.param import TypeConverters
from pyspark.ml.param.shared import HasInputCol
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, FloatType, MapType, StringType

from sparkalbert.annotations import utf16_length
from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.schema import (
    ANNOTATIONS,
    DOCUMENT,
    check_column,
    is_token_list,
    reference,
    wrong_type,
)
from sparkalbert.ml.stages.expressions import nullable
from sparkalbert.ml.stages.local import LocalRows, LocalStep, RunsLocally
from sparkalbert.ml.stages.params import HasOutputCol, HasParamKeywords, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.worker.arrow import annotation_array, list_array, metadata_array, string_array

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CLEANUP_MODES", "DocumentAssembler"]

_TRIMMED: Final = "".join(map(chr, range(0x21)))  # what String.trim removes

# Mode: whether to trim, then a Java pattern and what takes its place. A doubled backslash stands for
# the backslash of a line break that was written out as two characters.
_CLEANUPS: Final[dict[str, tuple[bool, str, str]]] = {
    "disabled": (False, "", ""),
    "inplace": (False, r"\s", " "),
    "inplace_full": (False, r"\s|(?:\\r)?(?:\\n)|(?:\\t)", " "),
    "shrink": (True, r"\s+", " "),
    "shrink_full": (True, r"\s+|(?:\\r)*(?:\\n)+|(?:\\t)+", " "),
    "each": (False, r"\s[\n\t]", " "),
    "each_full": (False, r"\s(?:\n|\t|(?:\\r)?(?:\\n)|(?:\\t))", " "),
    "delete_full": (True, r"(?:\\r)?(?:\\n)|(?:\\t)", ""),
}

CLEANUP_MODES: Final = tuple(_CLEANUPS)


class DocumentAssembler(
    Transformer, HasInputCol, HasOutputCol, HasParamKeywords, StageReadWrite, RunsLocally
):
    """Adds a document column: one annotation for a text, one for each element of an array of texts.

    A null text becomes the empty document, a null array none. ``begin`` is 0, ``end`` the index of the
    last UTF-16 unit, -1 for an empty text. The metadata holds ``sentence`` (the position in the array),
    ``id`` if `idCol` is set, and the entries of `metadataCol`.

    Parameters
    ----------
    **params
        Params by name: ``inputCol`` (string or array of strings), ``outputCol``, ``idCol``,
        ``metadataCol``, ``cleanupMode``.

    Examples
    --------
    >>> assembler = DocumentAssembler(inputCol="text", outputCol="document", cleanupMode="shrink")
    >>> assembler.getCleanupMode()
    'shrink'
    """

    name = "DocumentAssembler"
    outputAnnotatorType = DOCUMENT

    idCol = declare_param(
        "idCol", "Column whose value each document's metadata shows as 'id'.", TypeConverters.toString
    )
    metadataCol = declare_param(
        "metadataCol",
        "Column of type map<string,string> whose entries each document's metadata shows.",
        TypeConverters.toString,
    )
    cleanupMode = declare_param(
        "cleanupMode",
        "What becomes of white space: disabled (nothing), inplace (each one a space), shrink (trimmed, runs "
        "become one space), each (one before a line break or tab goes with it); with _full, line breaks and "
        "tabs written out as \\n, \\r, \\t too; delete_full (trimmed, those written out are removed).",
        TypeConverters.toString,
    )

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(outputCol="document", cleanupMode="disabled")
        self.setParams(**params)

    def setInputCol(self, value: str) -> Self:
        """Sets the column of texts."""
        return self._set(inputCol=value)

    def setIdCol(self, value: str) -> Self:
        """Sets the column of ids."""
        return self._set(idCol=value)

    def getIdCol(self) -> str | None:
        """Gets idCol, None unless set."""
        value: str | None = self._value_or_none(self.idCol)
        return value

    def setMetadataCol(self, value: str) -> Self:
        """Sets the column of metadata."""
        return self._set(metadataCol=value)

    def getMetadataCol(self) -> str | None:
        """Gets metadataCol, None unless set."""
        value: str | None = self._value_or_none(self.metadataCol)
        return value

    def setCleanupMode(self, value: str) -> Self:
        """Sets what becomes of white space.

        Raises
        ------
        ParamError
            For an unknown mode; the message lists the modes.
        """
        if value.strip().lower() not in CLEANUP_MODES:
            msg = f"Cleanup mode possible values: {', '.join(CLEANUP_MODES)}. Found {value!r}."
            raise ParamError(msg)
        return self._set(cleanupMode=value.strip().lower())

    def getCleanupMode(self) -> str:
        """Gets cleanupMode or its default value."""
        return str(self.getOrDefault(self.cleanupMode))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        if not self.isDefined(self.inputCol):
            msg = f'{self.uid} has no inputCol: setInputCol("text") or another column of texts.'
            raise ParamError(msg)
        field = check_column(dataset, self.getInputCol(), self.uid)
        texts = F.col(reference(field.name))
        document = self._document_builder(dataset)
        if isinstance(field.dataType, StringType):
            documents = F.array(document(texts, F.lit("0")))
        elif is_token_list(field.dataType):
            some = F.coalesce(texts, F.array().cast(field.dataType))
            documents = F.transform(some, lambda text, index: document(text, index.cast("string")))
        else:
            raise ColumnError(wrong_type(self.uid, field.name, field.dataType, "string or array<string>"))
        column = nullable(documents.cast(ANNOTATIONS))
        output = self.getOutputCol()
        return dataset.withColumn(output, column).withMetadata(output, {"annotatorType": DOCUMENT})

    def _document_builder(self, dataset: DataFrame) -> Callable[[Column, Column], Column]:
        """Return what makes an annotation of a text and its index."""
        own, given = self._metadata(dataset)
        clean = self._cleaner()

        def document(text: Column, index: Column) -> Column:
            cleaned = clean(F.coalesce(text, F.lit("")))
            metadata = F.create_map(F.lit("sentence"), index, *own)
            return F.struct(
                F.lit(DOCUMENT).alias("annotatorType"),
                F.lit(0).alias("begin"),
                F.coalesce(_utf16_length(cleaned) - 1, F.lit(-1)).alias("end"),
                cleaned.alias("result"),
                (metadata if given is None else F.map_concat(metadata, given)).alias("metadata"),
                F.array().cast(ArrayType(FloatType(), containsNull=False)).alias("embeddings"),
            )

        return document

    def _metadata(self, dataset: DataFrame) -> tuple[list[Column], Column | None]:
        """Return the keys and values that every document gets, and the row's map of others."""
        own: list[Column] = []
        taken = ["sentence"]
        id_column, metadata_column = self.getIdCol(), self.getMetadataCol()
        if id_column is not None:
            name = check_column(dataset, id_column, self.uid).name
            own = [F.lit("id"), F.col(reference(name)).cast("string")]
            taken.append("id")
        if metadata_column is None:
            return own, None
        field = check_column(dataset, metadata_column, self.uid)
        if not _is_string_map(field.dataType):
            raise ColumnError(wrong_type(self.uid, field.name, field.dataType, "map<string,string>"))
        entries = F.col(reference(field.name))
        others = F.map_filter(entries, lambda key, _: ~key.isin(taken))
        return own, F.coalesce(others, F.create_map().cast("map<string,string>"))

    def _cleaner(self) -> Callable[[Column], Column]:
        trimmed, pattern, replacement = _CLEANUPS[self.getCleanupMode()]

        def clean(text: Column) -> Column:
            kept = F.btrim(text, F.lit(_TRIMMED)) if trimmed else text
            return F.regexp_replace(kept, pattern, replacement) if pattern else kept

        return clean

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:  # noqa: ARG002 - the first stage
        """Documents of texts; without metadata, as in Spark NLP's LightPipeline."""
        output, clean = self.getOutputCol(), _local_cleaner(self.getCleanupMode())

        def step(rows: LocalRows) -> LocalRows:
            return rows.with_column(output, _documents([clean(text) for text in rows.texts]))

        return step


def _local_cleaner(mode: str) -> Callable[[str], str]:
    """Return what :meth:`DocumentAssembler._cleaner` does, in Python."""
    trimmed, pattern, replacement = _CLEANUPS[mode]
    found = re.compile(pattern, re.ASCII)  # ASCII: Java's \s knows six characters

    def clean(text: str) -> str:
        kept = text.strip(_TRIMMED) if trimmed else text
        return found.sub(replacement, kept) if pattern else kept

    return clean


def _documents(texts: Sequence[str]) -> pa.Array:
    """Return one document for each text."""
    count = len(texts)
    end = np.array([utf16_length(text) for text in texts], dtype=np.int64) - 1
    begin, one = np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64)
    items = annotation_array(DOCUMENT, begin, end, string_array(texts), metadata_array([], count), None)
    return list_array(one, items, valid=one.astype(bool), nullable=True)


def _utf16_length(text: Column) -> Column:
    return F.shiftright(F.length(F.encode(text, "UTF-16BE")), 1)


def _is_string_map(data_type: DataType) -> bool:
    return isinstance(data_type, MapType) and all(
        isinstance(part, StringType) for part in (data_type.keyType, data_type.valueType)
    )
