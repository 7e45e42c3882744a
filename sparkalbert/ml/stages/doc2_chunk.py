"""The stage that makes chunks of stretches a user names: a document column and texts in, chunks out.

Only Spark SQL expressions, evaluated in the JVM. It knows columns, nothing about sentences or tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pyspark.ml import Transformer
from pyspark.ml.param import TypeConverters
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType, IntegralType, StringType

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.schema import (
    ANNOTATIONS,
    CHUNK,
    DOCUMENT,
    check_column,
    find_annotation_columns,
    is_token_list,
    reference,
    wrong_type,
)
from sparkalbert.ml.stages.expressions import let, nullable, widened
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

_ANY_VISIBLE: Final = r"[^\x00-\x20]"  # what String.trim keeps


class Doc2Chunk(Transformer, HasInputCols, HasOutputCol, HasLazyAnnotator, HasParamKeywords, StageReadWrite):
    """Adds chunks: where a text (or each of an array of texts) first stands in a document.

    ``begin`` and ``end`` count from the annotation's own beginning, as in Spark NLP. The metadata is the
    document's, with the text's position in the array as ``chunk``. Without `chunkCol` a document becomes
    a chunk as it is. A text that is null, blank or not found gives none.

    Parameters
    ----------
    **params
        Params by name: ``inputCols`` (one document column), ``outputCol``, ``chunkCol``, ``isArray``,
        ``startCol``, ``startColByTokenIndex``, ``failOnMissing``, ``lowerCase``.

    Examples
    --------
    >>> Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="target").getChunkCol()
    'target'
    """

    name = "Doc2Chunk"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT,)
    outputAnnotatorType = CHUNK

    chunkCol = declare_param(
        "chunkCol", "Column of the texts to find; the whole document unless set.", TypeConverters.toString
    )
    startCol = declare_param(
        "startCol",
        "Column of whole numbers: where to begin the search, in UTF-16 units. Not used with isArray.",
        TypeConverters.toString,
    )
    startColByTokenIndex = declare_param(
        "startColByTokenIndex",
        "Whether startCol counts words, as spaces separate them; false unless set.",
        TypeConverters.toBoolean,
    )
    isArray = declare_param("isArray", "Whether chunkCol holds arrays of strings.", TypeConverters.toBoolean)
    failOnMissing = declare_param(
        "failOnMissing",
        "Whether a text that is not found fails the job; false unless set.",
        TypeConverters.toBoolean,
    )
    lowerCase = declare_param(
        "lowerCase",
        "Whether to search in the lower-cased document; false unless set.",
        TypeConverters.toBoolean,
    )

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(isArray=False)
        self.setParams(**params)

    def setChunkCol(self, value: str) -> Self:
        """Sets the column of the texts to find."""
        return self._set(chunkCol=value)

    def getChunkCol(self) -> str | None:
        """Gets chunkCol, None unless set."""
        value: str | None = self._value_or_none(self.chunkCol)
        return value

    def setStartCol(self, value: str) -> Self:
        """Sets the column of where to begin the search."""
        return self._set(startCol=value)

    def getStartCol(self) -> str | None:
        """Gets startCol, None unless set."""
        value: str | None = self._value_or_none(self.startCol)
        return value

    def setStartColByTokenIndex(self, value: bool) -> Self:
        """Sets whether startCol counts words."""
        return self._set(startColByTokenIndex=value)

    def getStartColByTokenIndex(self) -> bool | None:
        """Gets startColByTokenIndex, None unless set."""
        value: bool | None = self._value_or_none(self.startColByTokenIndex)
        return value

    def setIsArray(self, value: bool) -> Self:
        """Sets whether chunkCol holds arrays of strings."""
        return self._set(isArray=value)

    def getIsArray(self) -> bool:
        """Gets isArray or its default value."""
        return bool(self.getOrDefault(self.isArray))

    def setFailOnMissing(self, value: bool) -> Self:
        """Sets whether a text that is not found fails the job."""
        return self._set(failOnMissing=value)

    def getFailOnMissing(self) -> bool | None:
        """Gets failOnMissing, None unless set."""
        value: bool | None = self._value_or_none(self.failOnMissing)
        return value

    def setLowerCase(self, value: bool) -> Self:
        """Sets whether to search in the lower-cased document."""
        return self._set(lowerCase=value)

    def getLowerCase(self) -> bool | None:
        """Gets lowerCase, None unless set."""
        value: bool | None = self._value_or_none(self.lowerCase)
        return value

    def _transform(self, dataset: DataFrame) -> DataFrame:
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols: setInputCols("document") or another document column.'
            raise ParamError(msg)
        names = self.getInputCols()
        self.inputColsValidation(names)
        found = find_annotation_columns(dataset, names, self.inputAnnotatorTypes, self.uid)
        documents = F.col(reference(found[DOCUMENT]))
        texts_column = self.getChunkCol()
        if texts_column is None:
            chunks = F.transform(documents, _whole)
        else:
            texts, start = self._texts(dataset, texts_column), self._start(dataset)
            chunks = F.flatten(F.transform(documents, lambda one: self._found(one, texts, start)))
            chunks = F.when(start.isNotNull(), chunks)
        output = self.getOutputCol()
        column = nullable(chunks.cast(ANNOTATIONS))
        return dataset.withColumn(output, column).withMetadata(output, {"annotatorType": CHUNK})

    def _texts(self, dataset: DataFrame, name: str) -> Column:
        """The texts to find, as an array that is not null."""
        field = check_column(dataset, name, self.uid)
        texts = F.col(reference(name))
        if self.getIsArray():
            if not is_token_list(field.dataType):
                raise ColumnError(
                    wrong_type(self.uid, name, field.dataType, "array<string> (isArray is set)")
                )
            return F.coalesce(texts, F.array().cast(field.dataType))
        if not isinstance(field.dataType, StringType):
            raise ColumnError(wrong_type(self.uid, name, field.dataType, "string (isArray is not set)"))
        return F.array(texts)

    def _start(self, dataset: DataFrame) -> Column:
        """Where to begin the search, as the user counts."""
        name = self.getStartCol()
        if name is None or self.getIsArray():
            return F.lit(0)
        field = check_column(dataset, name, self.uid)
        if not isinstance(field.dataType, IntegralType):
            raise ColumnError(wrong_type(self.uid, name, field.dataType, "a whole number"))
        return F.col(reference(name)).cast("int")

    def _found(self, document: Column, texts: Column, start: Column) -> Column:
        """The chunks of one document."""
        result = document.getField("result")

        def in_document(searched: Column) -> Column:
            first = self._first_unit(searched, start)
            return F.transform(
                texts, lambda text, number: self._first(document, text, number, searched, first)
            )

        chunks = let(widened(F.lower(result) if self.getLowerCase() else result), in_document)
        return F.filter(chunks, lambda one: one.isNotNull())

    def _first_unit(self, searched: Column, start: Column) -> Column:
        """Where to begin the search in a widened text, counted from 0."""
        if not self.getStartColByTokenIndex() or self.getStartCol() is None:
            return F.greatest(start, F.lit(0))
        words = F.split(searched, " ")
        before = F.length(F.array_join(F.slice(words, F.lit(1), start), " ")) + F.least(start, F.lit(1))
        return F.when((start >= 0) & (start < F.size(words)), before)

    def _first(
        self, document: Column, text: Column, number: Column, searched: Column, first: Column
    ) -> Column:
        """The first place of a text as a chunk, null where there is none."""
        wide = widened(text)

        def at(place: Column) -> Column:
            begin = place - 1
            end = begin + F.length(wide) - 1
            chunk = F.when(place > 0, _chunk(document, begin, end, text, number.cast("string")))
            if not self.getFailOnMissing():
                return chunk
            msg = (
                f"{self.uid}: a text of column '{self.getChunkCol()}' is not in its document (failOnMissing)."
            )
            return chunk.otherwise(F.raise_error(F.lit(msg)))

        return let(F.when(text.rlike(_ANY_VISIBLE), F.position(wide, searched, first + 1)), at)


def _whole(document: Column) -> Column:
    """A document as a chunk."""
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
