"""The last stage for texts, which takes the results out of annotations. It consists of Spark SQL expressions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.param import TypeConverters
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkalbert.ml.schema import WITH_VECTORS
from sparkalbert.ml.stages.expressions import jvm_ordered, nullable
from sparkalbert.ml.stages.finishing import FinisherParams
from sparkalbert.ml.stages.local import LocalRows, LocalStep, RunsLocally
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Finisher"]

_TEXTS: Final = "array<string>"
_PAIRS: Final = "array<struct<_1:string,_2:string>>"


class Finisher(Transformer, FinisherParams, StageReadWrite, RunsLocally):
    """Adds, for each annotation column, a column of its results: ``array<string>`` or one string.

    With `includeMetadata`, arrays get a second column ``OUTPUT_metadata`` of all keys and values, and strings contain
    them. A null row gives null.

    Parameters
    ----------
    inputCols
        Annotation columns.
    outputCols
        The columns to add, one for each.
    outputAsArray
        If true, results are an array, otherwise one string.
    cleanAnnotations
        If true, every annotation column is dropped.
    includeMetadata
        If true, the metadata of annotations is shown.
    parseEmbeddingsVectors
        If true, embeddings show their vectors, as text, instead of the words.
    valueSplitSymbol, annotationSplitSymbol
        The separators of values and of annotations in a string.

    Examples
    --------
    >>> finisher = Finisher(inputCols=["token"], cleanAnnotations=False)
    >>> finisher.getOutputCols()
    ['finished_token']
    """

    name = "Finisher"

    valueSplitSymbol = declare_param(
        "valueSplitSymbol",
        "The separator of the values of one annotation in a string.",
        TypeConverters.toString,
    )
    annotationSplitSymbol = declare_param(
        "annotationSplitSymbol", "The separator of annotations in a string.", TypeConverters.toString
    )
    includeMetadata = declare_param(
        "includeMetadata", "If true, the metadata of annotations is shown.", TypeConverters.toBoolean
    )
    outputAsArray = declare_param(
        "outputAsArray",
        "If true, results are an array, otherwise one string.",
        TypeConverters.toBoolean,
    )
    parseEmbeddingsVectors = declare_param(
        "parseEmbeddingsVectors",
        "If true, embeddings show their vectors, as text, instead of the words.",
        TypeConverters.toBoolean,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCols: list[str] | None = None,
        outputAsArray: bool | None = None,
        cleanAnnotations: bool | None = None,
        includeMetadata: bool | None = None,
        parseEmbeddingsVectors: bool | None = None,
        valueSplitSymbol: str | None = None,
        annotationSplitSymbol: str | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(
            outputCols=[],
            valueSplitSymbol="#",
            annotationSplitSymbol="@",
            cleanAnnotations=True,
            includeMetadata=False,
            outputAsArray=True,
            parseEmbeddingsVectors=False,
        )
        self.setParams(**self._input_kwargs)

    def setValueSplitSymbol(self, value: str) -> Self:
        """Sets the separator of the values of one annotation in a string."""
        return self._set(valueSplitSymbol=value)

    def getValueSplitSymbol(self) -> str:
        """Gets valueSplitSymbol or its default value."""
        return str(self.getOrDefault(self.valueSplitSymbol))

    def setAnnotationSplitSymbol(self, value: str) -> Self:
        """Sets the separator of annotations in a string."""
        return self._set(annotationSplitSymbol=value)

    def getAnnotationSplitSymbol(self) -> str:
        """Gets annotationSplitSymbol or its default value."""
        return str(self.getOrDefault(self.annotationSplitSymbol))

    def setIncludeMetadata(self, value: bool) -> Self:
        """Sets whether the metadata of annotations is shown."""
        return self._set(includeMetadata=value)

    def getIncludeMetadata(self) -> bool:
        """Gets includeMetadata or its default value."""
        return bool(self.getOrDefault(self.includeMetadata))

    def setOutputAsArray(self, value: bool) -> Self:
        """Sets whether results are an array."""
        return self._set(outputAsArray=value)

    def getOutputAsArray(self) -> bool:
        """Gets outputAsArray or its default value."""
        return bool(self.getOrDefault(self.outputAsArray))

    def setParseEmbeddingsVectors(self, value: bool) -> Self:
        """Sets whether embeddings show their vectors."""
        return self._set(parseEmbeddingsVectors=value)

    def getParseEmbeddingsVectors(self) -> bool:
        """Gets parseEmbeddingsVectors or its default value."""
        return bool(self.getOrDefault(self.parseEmbeddingsVectors))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        columns = self._finished_columns(dataset)
        finished = dataset
        for output, column in columns:
            finished = self._with_column(finished, output, nullable(self._results(column.column)))
        if self.getIncludeMetadata() and self.getOutputAsArray():
            for output, column in columns:
                finished = self._with_column(finished, f"{output}_metadata", nullable(_pairs(column.column)))
        return self._cleaned(finished)

    def _results(self, annotations: Column) -> Column:
        """Return the results of a column of annotations."""
        if self.getOutputAsArray():
            return F.transform(annotations, lambda one: self._result(one, " ")).cast(_TEXTS)
        result = self._detailed if self.getIncludeMetadata() else self._undetailed
        # The JVM writes null as text.
        return F.array_join(F.transform(annotations, result), self.getAnnotationSplitSymbol(), "null")

    def _undetailed(self, annotation: Column) -> Column:
        return self._result(annotation, self.getValueSplitSymbol())

    def _result(self, annotation: Column, between_numbers: str) -> Column:
        """Return the annotation's result, or its vector if vectors are to be shown."""
        result = annotation.getField("result")
        if not self.getParseEmbeddingsVectors():
            return result
        return F.when(_has_vector(annotation), _vector_text(annotation, between_numbers)).otherwise(result)

    def _detailed(self, annotation: Column) -> Column:
        """Return the annotation's metadata, result and, if it is to be shown, vector as ``key->value``."""
        entries = F.concat(_entries(annotation), _entry("result", annotation.getField("result")))
        if self.getParseEmbeddingsVectors():
            vector = _entry("embeddings", _vector_text(annotation, self.getValueSplitSymbol()))
            entries = F.when(_has_vector(annotation), F.concat(entries, vector)).otherwise(entries)
        texts = F.transform(jvm_ordered(entries), _entry_text)
        return F.replace(F.array_join(texts, self.getValueSplitSymbol()), F.lit(" -> "), F.lit("->"))

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        """Return the step of Spark NLP's LightPipeline: only the finished columns remain, as annotations."""
        names = self.getInputCols() if self.isDefined(self.inputCols) else []

        def step(rows: LocalRows) -> LocalRows:
            return rows.select(names)

        return step


def _has_vector(annotation: Column) -> Column:
    return annotation.getField("annotatorType").isin(*WITH_VECTORS)


def _vector_text(annotation: Column, between: str) -> Column:
    numbers = F.transform(annotation.getField("embeddings"), lambda number: number.cast("string"))
    return F.array_join(numbers, between)


def _entries(annotation: Column) -> Column:
    """Return the keys and values of an annotation's metadata."""
    entries = F.map_entries(annotation.getField("metadata"))
    return F.coalesce(entries, F.array().cast("array<struct<key:string,value:string>>"))


def _entry(key: str, value: Column) -> Column:
    return F.array(F.struct(F.lit(key).alias("key"), value.alias("value")))


def _entry_text(entry: Column) -> Column:
    return F.concat(entry.getField("key"), F.lit(" -> "), F.coalesce(entry.getField("value"), F.lit("null")))


def _pairs(annotations: Column) -> Column:
    """Return the keys and values of all annotations' metadata, one after the other."""
    return F.flatten(F.transform(annotations, lambda one: jvm_ordered(_entries(one)))).cast(_PAIRS)
