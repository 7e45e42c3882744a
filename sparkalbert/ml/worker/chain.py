"""Runs several tasks in one Python pass: rows go from task to task without leaving the worker.

Spark runs each Python function of a plan in a worker process of its own, all of them at once for each task of a job.
A chain needs one process instead of one for each stage, and no annotation travels to the JVM and back in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sparkalbert.ml.worker.fields import Field
from sparkalbert.ml.worker.udf import BatchFunction

__all__ = ["ChainStep", "ChainTask", "FieldOf"]

FieldOf = tuple[str, Field]
"""The name of a column, and the field of it that is read."""


@dataclass(frozen=True)
class ChainStep:
    """A task of a chain.

    Attributes
    ----------
    task
        What to compute.
    inputs
        What the task reads.
    output
        Name of the column that it computes.
    """

    task: BatchFunction
    inputs: Sequence[FieldOf]
    output: str


@dataclass(frozen=True)
class ChainTask:
    """Computes a struct of the columns of several steps from fields of columns.

    Attributes
    ----------
    inputs
        The fields that come from Spark.
    steps
        The tasks in their order; each may read what the steps before it computed.
    """

    inputs: Sequence[FieldOf]
    steps: Sequence[ChainStep]

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the structs of every row, in order."""
        rows: Iterator[_Rows] = (_Rows(dict(zip(self.inputs, batch, strict=True)), {}) for batch in batches)
        for step in self.steps:
            rows = _run(rows, step)
        for done in rows:
            arrays = [done.columns[step.output] for step in self.steps]
            yield pa.StructArray.from_arrays(arrays, names=[step.output for step in self.steps])


@dataclass(frozen=True)
class _Rows:
    """Some rows: the fields that came from Spark, and the columns computed so far."""

    fields: dict[FieldOf, pa.Array]
    columns: dict[str, pa.Array]

    def field(self, source: FieldOf) -> pa.Array:
        name, field = source
        return field.array(self.columns[name]) if name in self.columns else self.fields[source]

    def slice(self, start: int, length: int) -> _Rows:
        return _Rows(
            {source: array.slice(start, length) for source, array in self.fields.items()},
            {name: array.slice(start, length) for name, array in self.columns.items()},
        )

    def with_column(self, name: str, array: pa.Array) -> _Rows:
        return _Rows(self.fields, {**self.columns, name: array})


def _run(rows: Iterator[_Rows], step: ChainStep) -> Iterator[_Rows]:
    """Yield the rows with the column of a step, in the parts in which its task yields arrays."""
    pending: deque[tuple[_Rows, int]] = deque()  # rows that the task has read, with their number

    def inputs() -> Iterator[tuple[Any, ...]]:
        for part in rows:
            batch = tuple(part.field(source) for source in step.inputs)
            pending.append((part, len(batch[0])))
            yield batch

    taken = 0  # of the first pending rows
    for array in step.task(inputs()):
        start = 0
        while start < len(array):
            part, count = pending[0]
            length = min(count - taken, len(array) - start)
            if length:
                yield part.slice(taken, length).with_column(step.output, array.slice(start, length))
            start, taken = start + length, taken + length
            if taken == count:
                pending.popleft()
                taken = 0
