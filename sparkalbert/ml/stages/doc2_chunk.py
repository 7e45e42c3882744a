"""The stage that finds given texts in documents and returns them as chunks.

It consists of Spark SQL expressions only, which the JVM evaluates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.param import TypeConverters
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType, IntegralType, StringType

from sparkalbert.errors import ColumnError
from sparkalbert.ml.columns import (
    add_column,
    check_output,
    find_annotation_columns,
    find_column,
    wrong_type,
)
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, CHUNK, DOCUMENT, is_token_list
from sparkalbert.ml.stages.expressions import as_utf16_units, bind, nullable
from sparkalbert.ml.stages.params import (
    HasInputCols,
    HasLazyAnnotator,
    HasOutputCol,
    HasParamKeywords,
    declare_param,
)
from sparkalbert.ml.stages.persistence import StageReadWrite

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Doc2Chunk"]

_ANY_VISIBLE: Final = r"[^\x00-\x20]"  # String.trim keeps these characters


class Doc2Chunk(Transformer, HasInputCols, HasOutputCol, HasLazyAnnotator, HasParamKeywords, StageReadWrite):
    """Adds chunks: the first place of a text, or of each text of an array, in a document.

    ``begin`` and ``end`` count from the start of the annotation, as in Spark NLP. The metadata is the document's, with
    the text's position in the array as ``chunk``. Without `chunkCol` each document becomes a chunk unchanged. A text
    that is null, blank or not found gives no chunk.

    Parameters
    ----------
    inputCols
        One document column.
    outputCol
        The column to add.
    chunkCol
        Column of the texts to find.
    isArray
        If true, `chunkCol` contains arrays of strings.
    startCol, startColByTokenIndex
        Column of where to begin the search; if the second is true, it counts words.
    failOnMissing
        If true, a text that is not found fails the job.
    lowerCase
        If true, the search is in the lower-cased document.
    lazyAnnotator
        If true, a LightPipeline leaves the stage out.

    Examples
    --------
    >>> Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="target").getChunkCol()
    'target'
    """

    name = "Doc2Chunk"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT,)
    outputAnnotatorType = CHUNK

    chunkCol = declare_param(
        "chunkCol", "Column of the texts to find; the whole document by default.", TypeConverters.toString
    )
    startCol = declare_param(
        "startCol",
        "Column of integers: where to begin the search, in UTF-16 units. Not used with isArray.",
        TypeConverters.toString,
    )
    startColByTokenIndex = declare_param(
        "startColByTokenIndex",
        "If true, startCol counts words, separated by spaces; false by default.",
        TypeConverters.toBoolean,
    )
    isArray = declare_param("isArray", "If true, chunkCol contains arrays of strings.", TypeConverters.toBoolean)
    failOnMissing = declare_param(
        "failOnMissing",
        "If true, a text that is not found fails the job; false by default.",
        TypeConverters.toBoolean,
    )
    lowerCase = declare_param(
        "lowerCase",
        "If true, the search is in the lower-cased document; false by default.",
        TypeConverters.toBoolean,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        chunkCol: str | None = None,
        isArray: bool | None = None,
        startCol: str | None = None,
        startColByTokenIndex: bool | None = None,
        failOnMissing: bool | None = None,
        lowerCase: bool | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(isArray=False)
        self.setParams(**self._input_kwargs)

    def setChunkCol(self, value: str) -> Self:
        """Sets the column of the texts to find."""
        return self._set(chunkCol=value)

    def getChunkCol(self) -> str | None:
        """Gets chunkCol, None by default."""
        value: str | None = self._value_or_none(self.chunkCol)
        return value

    def setStartCol(self, value: str) -> Self:
        """Sets the column of where to begin the search."""
        return self._set(startCol=value)

    def getStartCol(self) -> str | None:
        """Gets startCol, None by default."""
        value: str | None = self._value_or_none(self.startCol)
        return value

    def setStartColByTokenIndex(self, value: bool) -> Self:
        """Sets whether startCol counts words."""
        return self._set(startColByTokenIndex=value)

    def getStartColByTokenIndex(self) -> bool | None:
        """Gets startColByTokenIndex, None by default."""
        value: bool | None = self._value_or_none(self.startColByTokenIndex)
        return value

    def setIsArray(self, value: bool) -> Self:
        """Sets whether chunkCol contains arrays of strings."""
        return self._set(isArray=value)

    def getIsArray(self) -> bool:
        """Gets isArray or its default value."""
        return bool(self.getOrDefault(self.isArray))

    def setFailOnMissing(self, value: bool) -> Self:
        """Sets whether a text that is not found fails the job."""
        return self._set(failOnMissing=value)

    def getFailOnMissing(self) -> bool | None:
        """Gets failOnMissing, None by default."""
        value: bool | None = self._value_or_none(self.failOnMissing)
        return value

    def setLowerCase(self, value: bool) -> Self:
        """Sets whether to search in the lower-cased document."""
        return self._set(lowerCase=value)

    def getLowerCase(self) -> bool | None:
        """Gets lowerCase, None by default."""
        value: bool | None = self._value_or_none(self.lowerCase)
        return value

    def _transform(self, dataset: DataFrame) -> DataFrame:
        output = self.getOutputCol()
        check_output(dataset, output, self.uid)
        found = find_annotation_columns(dataset, self._input_names(), self.inputAnnotatorTypes, self.uid)
        documents = found[DOCUMENT].column
        texts_column = self.getChunkCol()
        if texts_column is None:
            chunks = F.transform(documents, _whole)
        else:
            texts, start = self._texts(dataset, texts_column), self._start(dataset)
            chunks = F.flatten(F.transform(documents, lambda one: self._found(one, texts, start)))
            chunks = F.when(start.isNotNull(), chunks)
        column = nullable(chunks.cast(ANNOTATION_COLUMN_TYPE))
        return add_column(dataset, output, column, {"annotatorType": CHUNK})

    def _texts(self, dataset: DataFrame, name: str) -> Column:
        """Return the texts to find, as an array that is not null."""
        texts = find_column(dataset, name, self.uid)
        if self.getIsArray():
            if not is_token_list(texts.type):
                raise ColumnError(wrong_type(self.uid, texts, "array<string> (isArray is set)"))
            return F.coalesce(texts.column, F.array().cast(texts.type))
        if not isinstance(texts.type, StringType):
            raise ColumnError(wrong_type(self.uid, texts, "string (isArray is not set)"))
        return F.array(texts.column)

    def _start(self, dataset: DataFrame) -> Column:
        """Return where to begin the search, as the user counts."""
        name = self.getStartCol()
        if name is None or self.getIsArray():
            return F.lit(0)
        start = find_column(dataset, name, self.uid)
        if not isinstance(start.type, IntegralType):
            raise ColumnError(wrong_type(self.uid, start, "an integer"))
        return start.column.cast("int")

    def _found(self, document: Column, texts: Column, start: Column) -> Column:
        """Return the chunks of one document."""
        result = document.getField("result")

        def in_document(searched: Column) -> Column:
            first = self._first_unit(searched, start)
            return F.transform(texts, lambda text, number: self._first(document, text, number, searched, first))

        chunks = bind(as_utf16_units(F.lower(result) if self.getLowerCase() else result), in_document)
        return F.filter(chunks, lambda one: one.isNotNull())

    def _first_unit(self, searched: Column, start: Column) -> Column:
        """Return where to begin the search in a text of UTF-16 units, counted from 0."""
        if not self.getStartColByTokenIndex() or self.getStartCol() is None:
            return F.greatest(start, F.lit(0))
        words = F.split(searched, " ")
        before = F.length(F.array_join(F.slice(words, F.lit(1), start), " ")) + F.least(start, F.lit(1))
        return F.when((start >= 0) & (start < F.size(words)), before)

    def _first(self, document: Column, text: Column, number: Column, searched: Column, first: Column) -> Column:
        """Return the first place of a text as a chunk, null if there is none."""
        wide = as_utf16_units(text)

        def at(place: Column) -> Column:
            begin = place - 1
            end = begin + F.length(wide) - 1
            chunk = F.when(place > 0, _chunk(document, begin, end, text, number.cast("string")))
            if not self.getFailOnMissing():
                return chunk
            msg = f"{self.uid}: a text of column '{self.getChunkCol()}' is not in its document (failOnMissing)."
            return chunk.otherwise(F.raise_error(F.lit(msg)))

        return bind(F.when(text.rlike(_ANY_VISIBLE), F.position(wide, searched, first + 1)), at)


def _whole(document: Column) -> Column:
    """Return a document as a chunk."""
    begin, end, result = (document.getField(name) for name in ("begin", "end", "result"))
    return _chunk(document, begin, end, result, F.lit("0"))


def _chunk(document: Column, begin: Column, end: Column, result: Column, number: Column) -> Column:
    own = F.map_filter(document.getField("metadata"), lambda key, _: key != CHUNK)
    own = F.coalesce(own, F.create_map().cast("map<string,string>"))
    return F.struct(
        F.lit(CHUNK).alias("annotatorType"),
        F.coalesce(begin, F.lit(0)).alias("begin"),
        F.coalesce(end, F.lit(-1)).alias("end"),
        result.alias("result"),
        F.map_concat(own, F.create_map(F.lit(CHUNK), number)).alias("metadata"),
        F.array().cast(ArrayType(FloatType(), containsNull=False)).alias("embeddings"),
    )
