"""How a stage annotates without Spark: rows of annotations in, the same rows with one column more out.

:class:`~sparkalbert.ml.LightPipeline` runs the steps of its stages one after another. A stage with an
Arrow task runs that very task here; it knows nothing about Spark sessions or DataFrames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from pyspark.ml.param import Params

from sparkalbert.errors import ParamTypeError
from sparkalbert.ml.worker.arrow import ANNOTATIONS_TYPE
from sparkalbert.ml.worker.fields import AnnotationField
from sparkalbert.ml.worker.udf import BatchFunction

__all__ = ["FitsLocally", "LocalRows", "LocalStep", "RunsLocally", "columns_by_type", "left_out", "task_step"]


@dataclass(frozen=True)
class LocalRows:
    """Some texts and what the stages so far have made of them.

    Attributes
    ----------
    texts
        One for each row.
    columns
        Annotation columns by name, ``list<struct>`` ``[rows]`` without null rows.
    """

    texts: Sequence[str]
    columns: Mapping[str, pa.Array]

    def column(self, name: str) -> pa.Array:
        """Return a column; a stage that was left out has annotated nothing."""
        if name in self.columns:
            return self.columns[name]
        return pa.array([[]] * len(self.texts), type=ANNOTATIONS_TYPE)

    def with_column(self, name: str, annotations: pa.Array) -> LocalRows:
        """Return the rows with a column added or replaced."""
        return replace(self, columns={**self.columns, name: annotations})

    def select(self, names: Sequence[str]) -> LocalRows:
        """Return the rows with those columns only, in the order in which they were added."""
        return replace(self, columns={name: self.columns[name] for name in self.columns if name in names})


LocalStep = Callable[[LocalRows], LocalRows]


class RunsLocally(Params):
    """A stage that :class:`~sparkalbert.ml.LightPipeline` can run."""

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        """Return what the stage does to rows, with its Params as they are now.

        Parameters
        ----------
        types
            Annotator types of the columns that stages before this one make.

        Raises
        ------
        ParamTypeError
            When an input column is not among them, with Spark NLP's text.
        """
        raise NotImplementedError


class FitsLocally(Params):
    """An Estimator that learns nothing from data."""

    def _fit_locally(self) -> RunsLocally:
        """Return the model; raises ParamError where a Param needs Spark after all."""
        raise NotImplementedError


def columns_by_type(
    columns: Sequence[str], wanted: Sequence[str], types: Mapping[str, str], stage: str
) -> Mapping[str, str]:
    """Return the column of each wanted annotator type; the order of `columns` does not matter.

    Raises
    ------
    ParamTypeError
        When a column is missing or a type has no column or two, with Spark NLP's text.
    """
    found = {types[column]: column for column in columns if column in types}
    if len(columns) != len(wanted) or sorted(found) != sorted(wanted):
        msg = (
            f"Wrong or missing inputCols annotators in {stage} Make sure such annotator exist in your "
            "pipeline, with the right output names and that they have following annotator types: "
            f"{list(wanted)}"
        )
        raise ParamTypeError(msg)
    return found


def left_out(rows: LocalRows) -> LocalRows:
    """Return the rows as they are."""
    return rows


def task_step(
    task: BatchFunction, inputs: Sequence[tuple[str, Sequence[AnnotationField]]], output: str
) -> LocalStep:
    """Return the step that runs an Arrow task, as one batch, on parts of columns.

    Parameters
    ----------
    task
        What to compute.
    inputs
        Columns and the parts of each that the task reads.
    output
        Name of the column it makes.
    """

    def step(rows: LocalRows) -> LocalRows:
        batch = tuple(field.array(rows.column(name)) for name, fields in inputs for field in fields)
        return rows.with_column(output, pa.concat_arrays(list(task(iter([batch])))))

    return step
