"""Adds a column whose rows may fail: the failed rows are null, and a companion column has the reason."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from sparkalbert.ml.stages.python_pass import WorkerColumn, add_worker_column, unused_name
from sparkalbert.ml.worker.row_errors import ERROR, VALUE

__all__ = ["add_column_with_errors", "error_column"]


def error_column(output: str) -> str:
    """Return the name of the column of reasons beside a column."""
    return f"{output}_error"


def add_column_with_errors(dataset: DataFrame, name: str, column: WorkerColumn) -> DataFrame:
    """Return the DataFrame with a column that a :class:`~.worker.row_errors.RowErrorsTask` computes, and its reasons.

    Parameters
    ----------
    dataset
        What the stage transforms.
    name
        Name of the new column; the reasons are in ``<name>_error``, null where there is none.
    column
        What to compute; its type and metadata are those of the new column.
    """
    result = StructType([StructField(VALUE, column.type), StructField(ERROR, StringType())])
    pair = replace(column, type=ArrayType(result), metadata=None)
    holder = unused_name()
    added = add_worker_column(dataset, holder, pair, ends_pass=True)
    both = F.col(holder).getItem(0)
    value = both.getField(VALUE)
    named = value.alias(name) if column.metadata is None else value.alias(name, metadata=dict(column.metadata))
    # The other columns are not listed by name: after a join, several may have the same name.
    return added.select("*", named, both.getField(ERROR).alias(error_column(name))).drop(holder)
