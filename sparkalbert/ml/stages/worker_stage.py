"""The stages whose column is computed by Python workers.

Columns and Params are checked on the driver and a column is added; no Spark job starts. What is computed is defined by
a task of :mod:`sparkalbert.ml.worker`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pyspark.ml import Transformer
from pyspark.sql import DataFrame

from sparkalbert.ml.columns import InputColumn, check_output, find_annotation_columns
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, DOCUMENT
from sparkalbert.ml.stages.local import LocalStep, RunsLocally, columns_by_type, task_step
from sparkalbert.ml.stages.params import (
    HasInputCols,
    HasLazyAnnotator,
    HasLengthBounds,
    HasOutputCol,
    HasParamKeywords,
)
from sparkalbert.ml.stages.python_pass import WorkerColumn, add_worker_column
from sparkalbert.ml.worker.fields import Field
from sparkalbert.ml.worker.udf import BatchFunction

__all__ = ["AnnotatorParams", "DocumentAnnotator", "WorkerStage"]


class AnnotatorParams(HasInputCols, HasOutputCol, HasLazyAnnotator, HasLengthBounds, HasParamKeywords):
    """Params of every annotator of a document or sentence column; `maxLength` has a default."""

    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT,)

    def getMaxLength(self) -> int:
        """Gets maxLength or its default value."""
        return int(self.getOrDefault(self.maxLength))


class WorkerStage(Transformer, HasInputCols, HasOutputCol, HasLazyAnnotator, HasParamKeywords, RunsLocally):
    """Adds an annotation column that an Arrow task computes from others.

    A row that is null in one of the input columns gives null, an empty row gives empty.
    """

    name: ClassVar[str]
    outputAnnotatorType: ClassVar[str]
    _inputs: ClassVar[Sequence[Sequence[Field]]]
    """What the task reads of the column of each of `inputAnnotatorTypes`."""
    _ends_pass: ClassVar[bool] = False
    """If true, later stages read the column from Spark instead of joining the Python pass that computes it."""

    def _task(self) -> BatchFunction:
        """Return the task of the workers; raises ParamError if a Param is invalid."""
        raise NotImplementedError

    def _column_metadata(self, columns: Sequence[InputColumn]) -> Mapping[str, Any]:
        """Return the metadata of the new column, given the input columns in the order of their types."""
        return {"annotatorType": self.outputAnnotatorType}

    def _worker_column(self, dataset: DataFrame) -> WorkerColumn:
        """Return the new column, every input checked."""
        found = find_annotation_columns(dataset, self._input_names(), self.inputAnnotatorTypes, self.uid)
        columns = [found[kind] for kind in self.inputAnnotatorTypes]
        return WorkerColumn(self._task(), columns, self._inputs, ANNOTATION_COLUMN_TYPE, self._column_metadata(columns))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        output = self.getOutputCol()
        check_output(dataset, output, self.uid)
        return add_worker_column(dataset, output, self._worker_column(dataset), ends_pass=self._ends_pass)

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        found = columns_by_type(self._input_names(), self.inputAnnotatorTypes, types, self.uid)
        inputs = [(found[kind], fields) for kind, fields in zip(self.inputAnnotatorTypes, self._inputs, strict=True)]
        return task_step(self._local_task(), inputs, self.getOutputCol())

    def _local_task(self) -> BatchFunction:
        """Return the task for a LightPipeline."""
        return self._task()


class DocumentAnnotator(WorkerStage, AnnotatorParams):
    """Adds an annotation column computed from a document or sentence column."""
