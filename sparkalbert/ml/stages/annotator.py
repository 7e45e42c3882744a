"""What the stages that run as an Arrow function share: one document column in, annotations out.

It checks the column on the driver and adds the new one; no Spark job starts. What is computed, a
subclass says with a task of :mod:`sparkalbert.ml.worker.annotation_tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pyspark.ml import Transformer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import ParamError
from sparkalbert.ml.schema import ANNOTATIONS, DOCUMENT, find_annotation_columns, reference
from sparkalbert.ml.stages.local import LocalStep, RunsLocally, columns_by_type, task_step
from sparkalbert.ml.stages.params import (
    HasInputCols,
    HasLazyAnnotator,
    HasLengthBounds,
    HasOutputCol,
    HasParamKeywords,
)
from sparkalbert.ml.worker.fields import AnnotationField, arrow_types
from sparkalbert.ml.worker.udf import BatchFunction, arrow_column

__all__ = ["AnnotatorParams", "DocumentAnnotator"]


class AnnotatorParams(HasInputCols, HasOutputCol, HasLazyAnnotator, HasLengthBounds, HasParamKeywords):
    """Params of every annotator over one document or sentence column."""

    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT,)
    optionalInputAnnotatorTypes: ClassVar[Sequence[str]] = ()


class DocumentAnnotator(Transformer, AnnotatorParams, RunsLocally):
    """Adds an annotation column computed from a document or sentence column.

    A null row gives null, an empty one gives empty.
    """

    name: ClassVar[str]
    outputAnnotatorType: ClassVar[str]
    _fields: ClassVar[Sequence[AnnotationField]]
    """What the task reads of the documents."""

    def _task(self) -> BatchFunction:
        """Return what the workers run; raises ParamError where a Param cannot work."""
        raise NotImplementedError

    def _checked_columns(self) -> list[str]:
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols: setInputCols("document") or another document column.'
            raise ParamError(msg)
        names: list[str] = self.getInputCols()
        self.inputColsValidation(names)
        return names

    def _transform(self, dataset: DataFrame) -> DataFrame:
        names = self._checked_columns()
        found = find_annotation_columns(dataset, names, self.inputAnnotatorTypes, self.uid)
        documents = F.col(reference(found[DOCUMENT]))
        columns = [field.column(documents) for field in self._fields]
        column = arrow_column(self._task(), columns, arrow_types(self._fields), ANNOTATIONS)
        output = self.getOutputCol()
        metadata = {"annotatorType": self.outputAnnotatorType}
        return dataset.withColumn(output, column).withMetadata(output, metadata)

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        found = columns_by_type(self._checked_columns(), self.inputAnnotatorTypes, types, self.uid)
        return task_step(self._task(), [(found[DOCUMENT], self._fields)], self.getOutputCol())
