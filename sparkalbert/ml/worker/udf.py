"""Python functions over Arrow batches as Spark columns, by the fastest way each Spark offers.

A pandas UDF that returns arrays boxes every float (about 33 MB/s a core). ``arrow_udf`` (Spark 4.1)
does not; on 3.5 and 4.0 :class:`ArrowSeries` reaches the same path. It knows nothing about what the
functions compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

__all__ = ["ArrowSeries", "BatchFunction", "arrow_column"]

BatchFunction = Callable[[Iterator[tuple[pa.Array, ...]]], Iterator[pa.Array]]
"""Batches of columns in, arrays out: as many rows in all, in any number of arrays."""


class ArrowSeries(pd.Series):
    """A series around an Arrow array that pyspark hands on as it is.

    pyspark 3.5 and 4.0 call ``series.apply(list)`` on every nested result, which boxes each float.
    Here ``apply`` changes nothing, and the Arrow array inside reaches the wire without a copy.
    """

    @property
    def _constructor(self) -> type[ArrowSeries]:
        return ArrowSeries

    def apply(self, func: Any, *args: Any, **kwargs: Any) -> ArrowSeries:  # type: ignore[override]  # noqa: ARG002
        """Return the series itself."""
        return self


def arrow_column(
    function: BatchFunction, columns: Sequence[Column], inputs: Sequence[pa.DataType], result: DataType
) -> Column:
    """Return a column that `function` computes on the workers.

    The function must be importable there or small enough to travel. It is marked nondeterministic,
    so that Spark never evaluates it twice under ``explode`` or ``filter``.

    Parameters
    ----------
    function
        What to compute.
    columns
        Its inputs.
    inputs
        Arrow type that `function` sees for each of them.
    result
        Spark type of its output; the arrays must have exactly the Arrow type Spark makes of it.
    """
    form = _ArrowForm(function, tuple(inputs))
    if hasattr(F, "arrow_udf"):
        udf: Any = F.arrow_udf(form.arrow(), result)
    else:
        udf = F.pandas_udf(form.pandas(), result)  # type: ignore[attr-defined, call-overload, unused-ignore]
    column: Column = udf.asNondeterministic()(*columns)
    return column


class _ArrowForm:
    """The two shapes in which Spark takes a function over batches; the type hints tell it which."""

    def __init__(self, function: BatchFunction, inputs: tuple[pa.DataType, ...]) -> None:
        self._function = function
        self._inputs = inputs

    def arrow(self) -> Callable[..., Any]:
        def run(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
            yield from self._function(self._columns(batch) for batch in batches)

        run.__annotations__ = {"batches": Iterator[tuple[pa.Array, ...]], "return": Iterator[pa.Array]}
        return run

    def pandas(self) -> Callable[..., Any]:
        def run(batches: Iterator[tuple[pd.Series, ...]]) -> Iterator[pd.Series]:
            for array in self._function(self._columns(batch) for batch in batches):
                yield ArrowSeries(pd.arrays.ArrowExtensionArray(array))

        run.__annotations__ = {"batches": Iterator[tuple[pd.Series, ...]], "return": Iterator[pd.Series]}
        return run

    def _columns(self, batch: Any) -> tuple[pa.Array, ...]:
        """With one input column Spark hands over the bare column."""
        columns = batch if isinstance(batch, tuple) else (batch,)
        return tuple(_as_type(column, kind) for column, kind in zip(columns, self._inputs, strict=True))


def _as_type(column: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.Array):
        return column if column.type == kind else column.cast(kind)
    if pa.types.is_list(kind) and pa.types.is_nested(kind.value_type):
        column = [_as_lists(value) for value in column]
    return pa.array(column, type=kind, from_pandas=True)


def _as_lists(value: Any) -> Any:
    """Lists of the nested arrays that pyspark gives and pyarrow takes one level deep only."""
    return [_as_lists(item) for item in value] if isinstance(value, np.ndarray) else value
