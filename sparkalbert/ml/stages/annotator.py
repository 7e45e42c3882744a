"""What the stages that run as an Arrow function share: one document column in, annotations out.

It checks the column on the driver and adds the new one; no Spark job starts. What is computed, a
subclass says with a task of :mod:`sparkalbert.ml.worker.annotation_tasks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pyarrow as pa
from pyspark.ml import Transformer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import ParamError
from sparkalbert.ml.schema import ANNOTATIONS, DOCUMENT, find_annotation_columns, reference
from sparkalbert.ml.stages.params import (
    HasInputCols,
    HasLazyAnnotator,
    HasLengthBounds,
    HasOutputCol,
    HasParamKeywords,
)
from sparkalbert.ml.worker.udf import BatchFunction, arrow_column

__all__ = ["AnnotatorParams", "DocumentAnnotator"]


class AnnotatorParams(HasInputCols, HasOutputCol, HasLazyAnnotator, HasLengthBounds, HasParamKeywords):
    """Params of every annotator over one document or sentence column."""

    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT,)
    optionalInputAnnotatorTypes: ClassVar[Sequence[str]] = ()


class DocumentAnnotator(Transformer, AnnotatorParams):
    """Adds an annotation column computed from a document or sentence column.

    A null row gives null, an empty one gives empty.
    """

    name: ClassVar[str]
    outputAnnotatorType: ClassVar[str]

    def _task(self) -> BatchFunction:
        """Return what the workers run; raises ParamError where a Param cannot work."""
        raise NotImplementedError

    def _inputs(self, documents: Column) -> tuple[list[Column], Sequence[pa.DataType]]:
        """Return the columns the task reads, and the Arrow types it sees them as."""
        raise NotImplementedError

    def _transform(self, dataset: DataFrame) -> DataFrame:
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols: setInputCols("document") or another document column.'
            raise ParamError(msg)
        names = self.getInputCols()
        self.inputColsValidation(names)
        found = find_annotation_columns(dataset, names, self.inputAnnotatorTypes, self.uid)
        columns, types = self._inputs(F.col(reference(found[DOCUMENT])))
        column = arrow_column(self._task(), columns, types, ANNOTATIONS)
        output = self.getOutputCol()
        metadata = {"annotatorType": self.outputAnnotatorType}
        return dataset.withColumn(output, column).withMetadata(output, metadata)
