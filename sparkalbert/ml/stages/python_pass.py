"""Runs adjacent stages as one Python pass over the rows, where Spark allows it.

Each stage returns a DataFrame. If the next stage gets this very DataFrame, as in a Pipeline, both columns are computed
by one Python function, see :mod:`sparkalbert.ml.worker.chain`. In every other case the DataFrame may have been
changed, and the next stage reads its columns from Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField, StructType

from sparkalbert.ml.columns import InputColumn, add_column, unused_name
from sparkalbert.ml.worker.chain import ChainStep, ChainTask, FieldOf
from sparkalbert.ml.worker.fields import Field
from sparkalbert.ml.worker.udf import BatchFunction, arrow_column

__all__ = ["JOINS_STAGES", "WorkerColumn", "add_worker_column", "annotator_workers_bytes"]

JOINS_STAGES: Final = hasattr(F, "arrow_udf")
"""Whether adjacent stages become one pass: before Spark 4.1, pandas UDFs would box each float in a struct."""

_ANNOTATOR_WORKERS_BYTES: Final = 480_000_000
"""Resident memory of the workers of SentenceDetector and Tokenizer, 150 MB each before they get rows. With batches of
10,000 rows of 1 kB, Spark's default number of rows, 211 and 269 MB were measured (Spark 3.5)."""

_EXTENDED_FIELD: Final = "_sparkalbert_pass"
"""Attribute of a DataFrame that a stage returned."""


@dataclass(frozen=True)
class WorkerColumn:
    """A column that a task computes on the workers.

    Attributes
    ----------
    task
        What to compute.
    columns
        The columns that the task reads.
    fields
        What it reads of each of them.
    type
        Spark type of the new column.
    metadata
        Metadata of the new column; None for a plain column.
    deterministic
        If true, Spark may compute every column of the pass more than once.
    """

    task: BatchFunction
    columns: Sequence[InputColumn]
    fields: Sequence[Sequence[Field]]
    type: DataType
    metadata: Mapping[str, Any] | None
    deterministic: bool = False

    def inputs(self) -> list[tuple[InputColumn, Field]]:
        """Return each column with each field of it that the task reads."""
        pairs = zip(self.columns, self.fields, strict=True)
        return [(column, field) for column, fields in pairs for field in fields]


@dataclass(frozen=True)
class _PythonPass:
    """Columns that one Python function computes.

    Attributes
    ----------
    frame
        The DataFrame without these columns.
    columns
        The columns by name, in their order.
    """

    frame: DataFrame
    columns: Mapping[str, WorkerColumn]

    def apply(self) -> DataFrame:
        """Return the DataFrame with the columns added."""
        if len(self.columns) == 1:
            ((name, column),) = self.columns.items()
            inputs = column.inputs()
            values = _python_column(column.task, inputs, column.type, deterministic=column.deterministic)
            return add_column(self.frame, name, values, column.metadata)
        steps = [ChainStep(column.task, _names(column.inputs()), name) for name, column in self.columns.items()]
        read = {
            (found.name, field): (found, field)
            for column in self.columns.values()
            for found, field in column.inputs()
            if found.name not in self.columns
        }
        types = [StructField(name, column.type) for name, column in self.columns.items()]
        chain = ChainTask(_names(list(read.values())), steps)
        holder = unused_name()
        deterministic = any(column.deterministic for column in self.columns.values())
        parts = _python_column(chain, list(read.values()), StructType(types), deterministic=deterministic)
        together = add_column(self.frame, holder, parts)
        # The other columns are not listed by name: after a join, several may have the same name.
        return together.select("*", *(self._part(holder, name) for name in self.columns)).drop(holder)

    def _part(self, holder: str, name: str) -> Column:
        part, metadata = F.col(holder).getField(name), self.columns[name].metadata
        return part.alias(name) if metadata is None else part.alias(name, metadata=dict(metadata))


def annotator_workers_bytes() -> int:
    """Return the memory of the workers of SentenceDetector and Tokenizer; 0 if they join the pass of the vectors."""
    return 0 if JOINS_STAGES else _ANNOTATOR_WORKERS_BYTES


def add_worker_column(dataset: DataFrame, name: str, column: WorkerColumn, *, ends_pass: bool) -> DataFrame:
    """Return the DataFrame with a column that a task computes.

    Parameters
    ----------
    dataset
        What the stage transforms.
    name
        Name of the new column.
    column
        What to compute.
    ends_pass
        If true, the column is too expensive to be part of a later stage's pass.
    """
    found = _pass_of(dataset)
    if found is None or any(_is_field(one.name, found.columns) for one in column.columns):
        found = _PythonPass(dataset, {})  # a task passes whole columns on, so Spark has to take the field
    extended = _PythonPass(found.frame, {**found.columns, name: column})
    result = extended.apply()
    if JOINS_STAGES and not ends_pass:
        vars(result)[_EXTENDED_FIELD] = extended
    return result


def _pass_of(dataset: DataFrame) -> _PythonPass | None:
    """Return the pass that a DataFrame is the result of, unless its rows are cached: Spark would not reuse them."""
    found: _PythonPass | None = vars(dataset).get(_EXTENDED_FIELD)
    return None if found is None or dataset.is_cached else found


def _is_field(name: str, columns: Mapping[str, WorkerColumn]) -> bool:
    """Return whether a name is that of a field of one of the columns."""
    return name not in columns and any(name.casefold().startswith(f"{one.casefold()}.") for one in columns)


def _python_column(
    task: BatchFunction, inputs: Sequence[tuple[InputColumn, Field]], result: DataType, *, deterministic: bool
) -> Column:
    columns = [field.column(found.column) for found, field in inputs]
    return arrow_column(task, columns, [field.type for _, field in inputs], result, deterministic=deterministic)


def _names(inputs: Sequence[tuple[InputColumn, Field]]) -> list[FieldOf]:
    return [(found.name, field) for found, field in inputs]
