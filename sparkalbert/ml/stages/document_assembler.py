"""The first stage, which turns a column of texts into a document column.

It consists of Spark SQL expressions only, which the JVM evaluates: no Python runs on the workers, and regular
expressions are Java's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.param import TypeConverters
from pyspark.ml.param.shared import HasInputCol
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    AtomicType,
    DataType,
    FloatType,
    MapType,
    NullType,
    StringType,
)

from sparkalbert.arrays import Int64Array
from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.columns import InputColumn, add_column, check_output, find_column, wrong_type
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, DOCUMENT, is_token_list
from sparkalbert.ml.stages.expressions import nullable, utf16_length
from sparkalbert.ml.stages.local import LocalRows, LocalStep, RunsLocally
from sparkalbert.ml.stages.params import HasOutputCol, HasParamKeywords, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.worker.arrow import annotation_array, list_array, metadata_array, string_array
from sparkalbert.offsets import utf16_length as python_utf16_length

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CLEANUP_MODES", "DocumentAssembler", "DocumentParams", "local_cleaner", "local_documents"]

_TRIMMED: Final = "".join(map(chr, range(0x21)))  # what String.trim removes

# Mode: whether to trim, then a Java pattern and its replacement. A doubled backslash is the backslash of a line break
# that was written out as two characters.
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

_LOCAL_ID_COLUMN: Final = "doc_id"
"""The column of ids in a LightPipeline by default."""

CLEANUP_MODES: Final = tuple(_CLEANUPS)


class DocumentParams(HasParamKeywords):
    """The Params that decide what a document contains."""

    idCol = declare_param("idCol", "Column whose value is 'id' in each document's metadata.", TypeConverters.toString)
    metadataCol = declare_param(
        "metadataCol",
        "Column of type map<string,string> whose entries are added to each document's metadata.",
        TypeConverters.toString,
    )
    cleanupMode = declare_param(
        "cleanupMode",
        "What happens to white space: disabled (nothing), inplace (each character becomes a space), shrink (trimmed, "
        "runs become one space), each (a space before a line break or tab is replaced with it); with _full, also line "
        "breaks and tabs written out as \\n, \\r, \\t; delete_full (trimmed, breaks and tabs written out are removed).",
        TypeConverters.toString,
    )

    def setIdCol(self, value: str) -> Self:
        """Sets the column of ids."""
        return self._set(idCol=value)

    def getIdCol(self) -> str | None:
        """Gets idCol, None by default."""
        value: str | None = self._value_or_none(self.idCol)
        return value

    def setMetadataCol(self, value: str) -> Self:
        """Sets the column of metadata."""
        return self._set(metadataCol=value)

    def getMetadataCol(self) -> str | None:
        """Gets metadataCol, None by default."""
        value: str | None = self._value_or_none(self.metadataCol)
        return value

    def setCleanupMode(self, value: str) -> Self:
        """Sets what happens to white space.

        Raises
        ------
        ParamError
            If the mode is unknown; the message lists the modes.
        """
        self._set_checked(self.cleanupMode, value, _checked_mode)
        return self if value is None else self._set(cleanupMode=_checked_mode(value))

    def getCleanupMode(self) -> str:
        """Gets cleanupMode or its default value."""
        return _checked_mode(self.getOrDefault(self.cleanupMode))

    def _with_documents(self, dataset: DataFrame, texts: InputColumn, output: str) -> DataFrame:
        """Return the DataFrame with the documents of a column of texts."""
        check_output(dataset, output, self.uid)
        document = self._document_builder(dataset)
        if is_token_list(texts.type):
            present = F.coalesce(texts.column, F.array().cast(texts.type))
            documents = F.transform(present, lambda text, index: document(text, index.cast("string")))
        elif isinstance(texts.type, (AtomicType, NullType)):
            documents = F.array(document(texts.column.cast("string"), F.lit("0")))
        else:
            raise ColumnError(wrong_type(self.uid, texts, "string or array<string>"))
        column = nullable(documents.cast(ANNOTATION_COLUMN_TYPE))
        return add_column(dataset, output, column, {"annotatorType": DOCUMENT})

    def _document_builder(self, dataset: DataFrame) -> Callable[[Column, Column], Column]:
        """Return a function that makes an annotation of a text and its index."""
        own, given = self._metadata(dataset)
        clean = self._cleaner()

        def document(text: Column, index: Column) -> Column:
            cleaned = clean(F.coalesce(text, F.lit("")))
            metadata = F.create_map(F.lit("sentence"), index, *own)
            return F.struct(
                F.lit(DOCUMENT).alias("annotatorType"),
                F.lit(0).alias("begin"),
                F.coalesce(utf16_length(cleaned) - 1, F.lit(-1)).alias("end"),
                cleaned.alias("result"),
                (metadata if given is None else F.map_concat(metadata, given)).alias("metadata"),
                F.array().cast(ArrayType(FloatType(), containsNull=False)).alias("embeddings"),
            )

        return document

    def _metadata(self, dataset: DataFrame) -> tuple[list[Column], Column | None]:
        """Return the keys and values of every document, and the row's map of other entries."""
        own: list[Column] = []
        taken = ["sentence"]
        id_column, metadata_column = self.getIdCol(), self.getMetadataCol()
        if id_column is not None:
            ids = find_column(dataset, id_column, self.uid)
            own = [F.lit("id"), ids.column.cast("string")]
            taken.append("id")
        if metadata_column is None:
            return own, None
        entries = find_column(dataset, metadata_column, self.uid)
        if not _is_string_map(entries.type):
            raise ColumnError(wrong_type(self.uid, entries, "map<string,string>"))
        others = F.map_filter(entries.column, lambda key, _: ~key.isin(taken))
        return own, F.coalesce(others, F.create_map().cast("map<string,string>"))

    def _cleaner(self) -> Callable[[Column], Column]:
        trimmed, pattern, replacement = _CLEANUPS[self.getCleanupMode()]

        def clean(text: Column) -> Column:
            kept = F.btrim(text, F.lit(_TRIMMED)) if trimmed else text
            return F.regexp_replace(kept, pattern, replacement) if pattern else kept

        return clean


class DocumentAssembler(Transformer, HasInputCol, HasOutputCol, DocumentParams, StageReadWrite, RunsLocally):
    """Adds a document column: one annotation for a text, one for each element of an array of texts.

    A null text becomes the empty document, a null array no document. ``begin`` is 0, ``end`` the index of the last
    UTF-16 unit, -1 for an empty text. The metadata contains ``sentence`` (the position in the array), ``id`` if `idCol`
    is set, and the entries of `metadataCol`.

    Parameters
    ----------
    inputCol
        A column of strings or arrays of strings; numbers, dates and the like are cast to strings, as in Spark NLP.
    outputCol
        The column to add.
    idCol
        Column whose value is ``id`` in each document's metadata.
    metadataCol
        Column of type ``map<string,string>`` whose entries are added to the metadata.
    cleanupMode
        What happens to white space.

    Examples
    --------
    >>> assembler = DocumentAssembler(inputCol="text", outputCol="document", cleanupMode="shrink")
    >>> assembler.getCleanupMode()
    'shrink'
    """

    name = "DocumentAssembler"
    outputAnnotatorType = DOCUMENT

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: str | None = None,
        outputCol: str | None = None,
        idCol: str | None = None,
        metadataCol: str | None = None,
        cleanupMode: str | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(outputCol="document", cleanupMode="disabled")
        self.setParams(**self._input_kwargs)

    def setInputCol(self, value: str) -> Self:
        """Sets the column of texts."""
        return self._set(inputCol=value)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        if not self.isDefined(self.inputCol):
            msg = f'{self.uid} has no inputCol. Call setInputCol("text"), or name another column of texts.'
            raise ParamError(msg)
        texts = find_column(dataset, self.getInputCol(), self.uid)
        return self._with_documents(dataset, texts, self.getOutputCol())

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        """Return the step that makes documents of texts; as in Spark NLP's LightPipeline without ``sentence``."""
        output, clean = self.getOutputCol(), local_cleaner(self.getCleanupMode())
        id_column = self.getIdCol() or _LOCAL_ID_COLUMN

        def step(rows: LocalRows) -> LocalRows:
            texts = [clean(text) for text in rows.texts]
            if rows.ids is None:
                return rows.with_column(output, local_documents(texts))
            metadata = [("id", string_array(rows.ids))]
            with_documents = rows.with_column(output, local_documents(texts, metadata))
            return with_documents.with_column(id_column, _ids(rows.ids, metadata))

        return step


def _checked_mode(value: str) -> str:
    mode = value.strip().lower()
    if mode not in CLEANUP_MODES:
        msg = f"Cleanup mode possible values: {', '.join(CLEANUP_MODES)}. Found {value!r}."
        raise ParamError(msg)
    return mode


def local_cleaner(mode: str) -> Callable[[str], str]:
    """Return :meth:`DocumentAssembler._cleaner` in Python."""
    trimmed, pattern, replacement = _CLEANUPS[mode]
    found = re.compile(pattern, re.ASCII)  # ASCII: Java's \s matches six characters

    def clean(text: str) -> str:
        kept = text.strip(_TRIMMED) if trimmed else text
        return found.sub(replacement, kept) if pattern else kept

    return clean


def local_documents(texts: Sequence[str], metadata: Sequence[tuple[str, pa.Array]] = ()) -> pa.Array:
    """Return one document per text."""
    ends = np.array([python_utf16_length(text) for text in texts], dtype=np.int64) - 1
    return _one_per_row(DOCUMENT, texts, ends, metadata)


def _ids(ids: Sequence[str], metadata: Sequence[tuple[str, pa.Array]]) -> pa.Array:
    """Return one annotation per id, whose `end` is exclusive in Spark NLP (6.2, ``LightPipeline.scala``)."""
    return _one_per_row("dummy", ids, np.array([len(text) for text in ids], dtype=np.int64), metadata)


def _one_per_row(
    kind: str, results: Sequence[str], ends: Int64Array, metadata: Sequence[tuple[str, pa.Array]]
) -> pa.Array:
    count = len(results)
    begin, one = np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64)
    items = annotation_array(kind, begin, ends, string_array(results), metadata_array(metadata, count), None)
    return list_array(one, items, valid=one.astype(bool), nullable=True)


def _is_string_map(data_type: DataType) -> bool:
    return isinstance(data_type, MapType) and all(
        isinstance(part, StringType) for part in (data_type.keyType, data_type.valueType)
    )
