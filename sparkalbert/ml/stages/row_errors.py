"""Adds a column with companion columns: why a row failed and is null, and what a row consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from sparkalbert.ml.columns import unused_name
from sparkalbert.ml.stages.python_pass import WorkerColumn, add_worker_column
from sparkalbert.ml.worker.row_counts import COUNTS, VALUE
from sparkalbert.ml.worker.row_errors import ERROR

__all__ = ["add_column_with_companions", "companion_columns", "error_column"]


def error_column(output: str) -> str:
    """Return the name of the column of reasons beside a column."""
    return f"{output}_error"


def companion_columns(output: str, *, may_fail: bool, counted: bool) -> dict[str, str]:
    """Return the names of the columns beside a column, by what they have: the reasons, and each of `COUNTS`."""
    errors = {ERROR: error_column(output)} if may_fail else {}
    counts = {name: f"{output}_{name}" for name in COUNTS} if counted else {}
    return {**errors, **counts}


def add_column_with_companions(
    dataset: DataFrame, name: str, column: WorkerColumn, companions: Mapping[str, str]
) -> DataFrame:
    """Return the DataFrame with a column that a :class:`~.worker.row_errors.RowErrorsTask` computes, and companions.

    Parameters
    ----------
    dataset
        What the stage transforms.
    name
        Name of the new column.
    column
        What to compute; its type and metadata are those of the new column.
    companions
        What :func:`companion_columns` returns for the task.
    """
    fields = [StructField(field, StringType() if field == ERROR else LongType()) for field in companions]
    result = StructType([StructField(VALUE, column.type), *fields])
    holder = unused_name()
    held = replace(column, type=ArrayType(result), metadata=None)
    added = add_worker_column(dataset, holder, held, ends_pass=True)
    row = F.col(holder).getItem(0)
    value = row.getField(VALUE)
    named = value.alias(name) if column.metadata is None else value.alias(name, metadata=dict(column.metadata))
    beside = [row.getField(field).alias(companion) for field, companion in companions.items()]
    # The other columns are not listed by name: after a join, several may have the same name.
    return added.select("*", named, *beside).drop(holder)
