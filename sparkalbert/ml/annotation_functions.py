"""Functions that apply Python code to annotation columns, with the names and arguments of Spark NLP's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType

from sparkalbert.ml.annotation import Annotation
from sparkalbert.ml.columns import find_column, put_column
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE

__all__ = [
    "explode_annotations_col",
    "filter_by_annotations_col",
    "map_annotations",
    "map_annotations_array",
    "map_annotations_col",
    "map_annotations_cols",
    "map_annotations_strict",
]

Mapped = Callable[[list[Annotation]], Iterable[Any]]
"""Takes the annotations of a row and returns others."""

ColumnFunction = Callable[..., Column]
"""Takes a column or its name."""

_TYPE_KEY: Final = "annotatorType"


def map_annotations(f: Mapped, output_type: DataType) -> ColumnFunction:
    """Return a function of an annotation column that applies `f` to the annotations of each row.

    Parameters
    ----------
    f
        Takes a list of :class:`~sparkalbert.Annotation` and returns annotations. A null row stays null.
    output_type
        Spark type of the result, usually ``Annotation.arrayType()``.

    Examples
    --------
    ::

        upper = map_annotations(
            lambda words: [word.copy(word.result.upper()) for word in words], Annotation.arrayType()
        )
        result.select(upper("token").alias("upper"))
    """
    return F.udf(lambda content: None if content is None else _mapped(f, content), output_type)


def map_annotations_strict(f: Mapped) -> ColumnFunction:
    """Return :func:`map_annotations` with annotations as its result."""
    return map_annotations(f, ANNOTATION_COLUMN_TYPE)


def map_annotations_array(f: Mapped, output_type: DataType) -> ColumnFunction:
    """Return a function of an array of annotation columns, whose annotations `f` gets as one list.

    Parameters
    ----------
    f, output_type
        As for :func:`map_annotations`; null columns contribute nothing.
    """
    return F.udf(lambda contents: _mapped(f, [row for content in contents for row in content or ()]), output_type)


def map_annotations_col(
    dataframe: DataFrame,
    f: Mapped,
    column: str | Column,
    output_column: str,
    annotatyon_type: str,
    output_type: DataType = ANNOTATION_COLUMN_TYPE,
) -> DataFrame:
    """Return a DataFrame with what `f` makes of an annotation column.

    Parameters
    ----------
    dataframe
        Has the column.
    f
        See :func:`map_annotations`.
    column
        The annotation column, or its name.
    output_column
        The column to add or replace.
    annotatyon_type
        The annotator type of the result; Spark NLP spells the argument so.
    output_type
        Spark type of the result.

    Raises
    ------
    ColumnError
        If no such column exists, or if several columns have one of the names.
    """
    function = "map_annotations_col"
    values = map_annotations(f, output_type)(_input(dataframe, column, function))
    return put_column(dataframe, output_column, values, function, {_TYPE_KEY: annotatyon_type})


def map_annotations_cols(
    dataframe: DataFrame,
    f: Mapped,
    columns: Sequence[str | Column],
    output_column: str,
    annotatyon_type: str,
    output_type: DataType = ANNOTATION_COLUMN_TYPE,
) -> DataFrame:
    """Return a DataFrame with what `f` makes of the annotations of several columns, in one list.

    Parameters
    ----------
    columns
        The annotation columns, or their names, in the order of the list.
    dataframe, f, output_column, annotatyon_type, output_type
        As for :func:`map_annotations_col`.
    """
    function = "map_annotations_cols"
    found = [_input(dataframe, column, function) for column in columns]
    values = map_annotations_array(f, output_type)(F.array(*found))
    return put_column(dataframe, output_column, values, function, {_TYPE_KEY: annotatyon_type})


def filter_by_annotations_col(dataframe: DataFrame, f: Callable[[Any], bool], column: str | Column) -> DataFrame:
    """Return the rows for which `f` is true.

    Parameters
    ----------
    dataframe
        Has the column.
    f
        Takes the content of the column as Spark's Python functions do: a Row, or a list of Rows. Any result that is
        true keeps the row.
    column
        The column or its name, usually one that :func:`explode_annotations_col` returned.
    """
    # Without bool, Spark 3.5 takes a number for null, and other versions for true.
    is_kept = F.udf(lambda content: bool(f(content)), BooleanType())
    return dataframe.filter(is_kept(_input(dataframe, column, "filter_by_annotations_col")))


def explode_annotations_col(dataframe: DataFrame, column: str | Column, output_column: str) -> DataFrame:
    """Return one row for each annotation of a column.

    Parameters
    ----------
    dataframe
        Has the column.
    column
        The annotation column, or its name; rows without annotations are left out.
    output_column
        The column to add or replace; it has one annotation in each row.
    """
    function = "explode_annotations_col"
    return put_column(dataframe, output_column, F.explode(_input(dataframe, column, function)), function)


def _input(frame: DataFrame, column: str | Column, function: str) -> Column:
    """Return a column that is given by its name, as a column."""
    return find_column(frame, column, function).column if isinstance(column, str) else column


def _mapped(f: Mapped, rows: Iterable[Any]) -> list[Any]:
    return [Annotation.toRow(annotation) for annotation in f([Annotation.fromRow(row) for row in rows])]
