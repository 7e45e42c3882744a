"""What happens to a row that cannot be embedded: it ends the job with its position, or is null with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, cast

import numpy as np
import pyarrow as pa

from sparkalbert.errors import ColumnError, InferenceError, SparkAlbertError, TextError
from sparkalbert.ml.worker.model import EmbedderSource, HeldModel
from sparkalbert.ml.worker.row_counts import COUNTS, VALUE

__all__ = ["ERROR", "MIN_ROWS", "ModelTask", "RowErrorsTask"]

ERROR: Final = "error"
"""The field of a row's result, beside its value and counts, that has the reason why the row failed."""

MIN_ROWS: Final = 100
"""Rows of a partition before the fraction of its failures counts."""

_Columns = tuple[pa.Array, ...]


class ModelTask(Protocol):
    """A task that computes each row independently of the others, with a model. A null row gives null.

    If the rows are counted, each array is a struct of the results and their `COUNTS`.
    """

    @property
    def model(self) -> EmbedderSource:
        """The model."""

    def __call__(self, batches: Iterator[_Columns]) -> Iterator[pa.Array]:
        """Yield the result of every row, in order."""


@dataclass(frozen=True)
class RowErrorsTask:
    """Runs a task and finds the rows that fail. On a CPU the other rows get the same vectors as without them.

    If a group of rows fails, its rows run one by one up to the one that fails; then the task continues after it. The
    model is loaded once. An error of the model or of the input is not an error of a row, and neither is a lack of
    memory, a full disk or a failure of the engine (a lost GPU, for instance): those are raised unchanged.

    Attributes
    ----------
    task
        What to compute.
    column
        Name of the column in messages.
    max_error_fraction
        None: the first row that fails ends the job. Otherwise a row that fails is null, and the job ends if more than
        this fraction of a partition's rows has failed, from row `MIN_ROWS` on.
    counted
        If true, the task counts its rows.
    in_job
        If true, messages name the options of ``sparkalbert embed`` beside the Params.

    Notes
    -----
    If rows may fail or are counted, the result is a list of one struct of ``value``, ``error`` if rows may fail, and
    the counts. Spark before 4.1 takes a struct apart number by number, but not a list.
    """

    task: ModelTask
    column: str
    max_error_fraction: float | None = None
    counted: bool = False
    in_job: bool = False

    def __call__(self, batches: Iterator[_Columns]) -> Iterator[pa.Array]:
        """Yield the result of every row, in order."""
        model = self.task.model
        held = HeldModel(model.load(), model.sizes)
        task: ModelTask = replace(cast("Any", self.task), model=held)  # a dataclass, as every task
        reader, failures = _Reader(batches), 0
        while True:
            try:
                for array in task(reader):
                    good = self._good(array)  # before the rows are answered: an error must not lose them
                    reader.answer(len(array))
                    yield good
            except Exception as error:
                if reader.is_broken or _is_of_the_machine(error):
                    raise
            else:
                return
            while reader.rows_left:
                row = reader.row()
                try:
                    for array in task(iter([row])):
                        good = self._good(array)
                        reader.answer(1)
                        yield good
                except Exception as error:
                    if _is_of_the_machine(error):
                        raise
                    failures += 1
                    self._check_failure(error, reader.position, failures)
                    (null,) = task(iter([tuple(pa.nulls(1, column.type) for column in row)]))
                    yield self._results(null, pa.array([_reason(error)], pa.string()))
                    reader.answer(1)
                    break
            reader.read_again()

    def _good(self, array: pa.Array) -> pa.Array:
        return self._results(array, pa.nulls(len(array), pa.string()))

    def _results(self, array: pa.Array, errors: pa.Array) -> pa.Array:
        """Return what Spark gets for what the task has computed."""
        may_fail = self.max_error_fraction is not None
        if not may_fail and not self.counted:
            return array
        values, *counts = array.flatten() if self.counted else [array]
        columns = {VALUE: values, **({ERROR: errors} if may_fail else {})}
        columns |= dict(zip(COUNTS if self.counted else (), counts, strict=True))
        return _lists_of_one(pa.StructArray.from_arrays(list(columns.values()), names=list(columns)))

    def _check_failure(self, error: Exception, position: int, failures: int) -> None:
        """Raise an error if the failure of a row ends the job."""
        reason = _reason(error)
        where = f"partition {_partition()} of column {self.column!r}"
        kind = type(error) if isinstance(error, SparkAlbertError) else InferenceError
        own = error if isinstance(error, SparkAlbertError) else None  # messages of others may quote the text
        if self.max_error_fraction is None:
            msg = (
                f"Row {position} in {where} cannot be embedded: {reason} Rows are counted from 0. Correct or remove "
                f"the row, or set onError to 'null'{self._option('--on-error null')} to keep the others."
            )
            raise kind(msg) from own
        rows = position + 1
        if rows >= MIN_ROWS and failures > self.max_error_fraction * rows:
            msg = (
                f"{failures} of the first {rows} rows in {where} cannot be embedded, more than maxErrorFraction "
                f"{self.max_error_fraction:g}{self._option('--max-error-fraction')} allows. The last reason: {reason}"
            )
            raise kind(msg) from own

    def _option(self, option: str) -> str:
        return f" ({option})" if self.in_job else ""


class _Reader(Iterator[_Columns]):
    """Batches of columns, with the rows of the current batch that have no result yet."""

    def __init__(self, batches: Iterator[_Columns]) -> None:
        self._batches = batches
        self._batch: _Columns | None = None
        self._again = False
        self._answered = 0
        self.position = 0
        """The rows of the partition that have a result."""
        self.is_broken = False
        """Whether the input itself has failed."""

    def __next__(self) -> _Columns:
        if not self._again:
            try:
                self._batch = next(self._batches)
            except StopIteration:
                raise
            except Exception:
                self.is_broken = True
                raise
        self._again, self._answered = False, 0
        assert self._batch is not None  # noqa: S101 - read, now or before
        return self._batch

    @property
    def rows_left(self) -> int:
        """The rows of the current batch without a result."""
        return 0 if self._batch is None else len(self._batch[0]) - self._answered

    def answer(self, rows: int) -> None:
        """Note that rows have got their results."""
        self._answered += rows
        self.position += rows

    def row(self) -> _Columns:
        """Return the first row without a result."""
        return tuple(column.slice(self._answered, 1) for column in self._batch or ())

    def read_again(self) -> None:
        """Let the rows without a result be read once more."""
        if self._batch is not None:
            self._batch = tuple(column.slice(self._answered) for column in self._batch)
            self._again = True


def _lists_of_one(items: pa.Array) -> pa.Array:
    offsets = pa.array(np.arange(len(items) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, items, type=pa.list_(pa.field("element", items.type)))


def _is_of_the_machine(error: Exception) -> bool:
    """Return whether an error would meet any row: memory, disk, a missing package, the engine, or the model."""
    if isinstance(error, InferenceError):
        return error.__cause__ is not None  # without a cause it is about the numbers of a row
    if isinstance(error, SparkAlbertError):
        return not isinstance(error, (ColumnError, TextError))
    return isinstance(error, (MemoryError, OSError, ImportError))


def _reason(error: Exception) -> str:
    """Return why a row failed, without any of its text."""
    if isinstance(error, SparkAlbertError):
        return str(error)
    return f"{type(error).__module__}.{type(error).__qualname__}.".removeprefix("builtins.")


def _partition() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    return 0 if context is None else context.partitionId()
