"""What the stages that run as an Arrow function share: annotation columns in, one more out.

It checks the columns on the driver and adds the new one; no Spark job starts. What is computed, a
subclass says with a task of :mod:`sparkalbert.ml.worker`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pyspark.ml import Transformer
from pyspark.sql import Column, DataFrame
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

__all__ = ["AnnotatorParams", "DocumentAnnotator", "TaskAnnotator"]


class AnnotatorParams(HasInputCols, HasOutputCol, HasLazyAnnotator, HasLengthBounds, HasParamKeywords):
    """Params of every annotator over one document or sentence column."""

    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT,)
    optionalInputAnnotatorTypes: ClassVar[Sequence[str]] = ()


class TaskAnnotator(Transformer, HasInputCols, HasOutputCol, HasLazyAnnotator, HasParamKeywords, RunsLocally):
    """Adds an annotation column that an Arrow task computes from others.

    A row that is null in one of them gives null, an empty one gives empty.
    """

    name: ClassVar[str]
    outputAnnotatorType: ClassVar[str]
    _fields: ClassVar[Mapping[str, Sequence[AnnotationField]]]
    """What the task reads of the column of each annotator type, in the order of its arguments."""

    def _task(self) -> BatchFunction:
        """Return what the workers run; raises ParamError where a Param cannot work."""
        raise NotImplementedError

    def _column_metadata(self, dataset: DataFrame, found: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        """Return the metadata of the new column.

        Parameters
        ----------
        dataset
            The input.
        found
            Its column of each annotator type.
        """
        return {"annotatorType": self.outputAnnotatorType}

    def _checked_columns(self) -> list[str]:
        if not self.isDefined(self.inputCols):
            wanted = ", ".join(f'"{kind}"' for kind in self.inputAnnotatorTypes)
            msg = f"{self.uid} has no inputCols: setInputCols({wanted}) or other columns of those types."
            raise ParamError(msg)
        names: list[str] = self.getInputCols()
        self.inputColsValidation(names)
        return names

    def _transform(self, dataset: DataFrame) -> DataFrame:
        names = self._checked_columns()
        found = find_annotation_columns(dataset, names, self.inputAnnotatorTypes, self.uid)
        columns: list[Column] = []
        types: list[pa.DataType] = []
        for kind, fields in self._fields.items():
            annotations = F.col(reference(found[kind]))
            columns += [field.column(annotations) for field in fields]
            types += arrow_types(fields)
        column = arrow_column(self._task(), columns, types, ANNOTATIONS)
        output = self.getOutputCol()
        return dataset.withColumn(output, column).withMetadata(output, self._column_metadata(dataset, found))

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        found = columns_by_type(self._checked_columns(), self.inputAnnotatorTypes, types, self.uid)
        inputs = [(found[kind], fields) for kind, fields in self._fields.items()]
        return task_step(self._task(), inputs, self.getOutputCol())


class DocumentAnnotator(TaskAnnotator, AnnotatorParams):
    """Adds an annotation column computed from a document or sentence column."""
