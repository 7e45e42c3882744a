"""Runs stages without Spark: each is a step that adds a column of annotations to rows.

:class:`~sparkalbert.LightPipeline` runs the steps of its stages one after the other. A stage that has an Arrow task
runs the same task here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from pyspark.ml.param import Params

from sparkalbert.errors import ParamTypeError
from sparkalbert.ml.worker.arrow import ARROW_COLUMN_TYPE
from sparkalbert.ml.worker.fields import Field
from sparkalbert.ml.worker.udf import BatchFunction

__all__ = [
    "FitsLocally",
    "LocalRows",
    "LocalStep",
    "RunsLocally",
    "columns_by_type",
    "identity_step",
    "task_step",
]


@dataclass(frozen=True)
class LocalRows:
    """Holds some texts and the annotations that the stages so far have added.

    Attributes
    ----------
    texts
        One text per row.
    columns
        Annotation columns by name, ``list<struct>`` ``[rows]`` without null rows.
    ids
        The id of each text, if the caller gave ids.
    """

    texts: Sequence[str]
    columns: Mapping[str, pa.Array]
    ids: Sequence[str] | None = None

    def column(self, name: str) -> pa.Array:
        """Return a column; it is empty if its stage was left out."""
        if name in self.columns:
            return self.columns[name]
        return pa.array([[]] * len(self.texts), type=ARROW_COLUMN_TYPE)

    def with_column(self, name: str, annotations: pa.Array) -> LocalRows:
        """Return the rows with a column added or replaced."""
        return replace(self, columns={**self.columns, name: annotations})

    def select(self, names: Sequence[str]) -> LocalRows:
        """Return the rows with these columns only, in the order in which they were added."""
        return replace(self, columns={name: self.columns[name] for name in self.columns if name in names})


LocalStep = Callable[[LocalRows], LocalRows]


class RunsLocally(Params):
    """A stage that :class:`~sparkalbert.LightPipeline` can run."""

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        """Return the stage's step, with its current Params.

        Parameters
        ----------
        types
            Annotator types of the columns that earlier stages add.

        Raises
        ------
        ParamTypeError
            If an input column is not among them, with Spark NLP's text.
        """
        raise NotImplementedError


class FitsLocally(Params):
    """An Estimator that learns nothing from data."""

    def _fit_locally(self) -> RunsLocally:
        """Return the model; raises ParamError if a Param requires Spark."""
        raise NotImplementedError


def columns_by_type(
    columns: Sequence[str], wanted: Sequence[str], types: Mapping[str, str], stage: str
) -> Mapping[str, str]:
    """Return the column of each wanted annotator type; the order of `columns` does not matter.

    Raises
    ------
    ParamTypeError
        If a column is missing or a type matches zero or several columns, with Spark NLP's text.
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


def identity_step(rows: LocalRows) -> LocalRows:
    """Return the rows unchanged."""
    return rows


def task_step(task: BatchFunction, inputs: Sequence[tuple[str, Sequence[Field]]], output: str) -> LocalStep:
    """Return the step that runs an Arrow task on fields of columns, as one batch.

    Parameters
    ----------
    task
        What to compute.
    inputs
        The columns, and the fields of each that the task reads.
    output
        Name of the column to add.
    """

    def step(rows: LocalRows) -> LocalRows:
        batch = tuple(field.array(rows.column(name)) for name, fields in inputs for field in fields)
        return rows.with_column(output, pa.concat_arrays(list(task(iter([batch])))))

    return step
