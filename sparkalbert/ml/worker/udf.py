"""Turns Python functions over Arrow batches into Spark columns, in the fastest way that each Spark offers.

A pandas UDF that returns arrays boxes every float (about 33 MB/s per core). ``arrow_udf`` (Spark 4.1) does not; on
3.5 and 4.0 :class:`ArrowSeries` reaches the same path.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructType

__all__ = ["ArrowSeries", "BatchFunction", "arrow_column", "valid_strings", "valid_utf8"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]?")
_REPLACEMENT: Final = "\ufffd".encode()
_HEX_SURROGATE: Final = r"\G((?:..)*?)ED[AB].(?:[89AB].)?"
"""`_SURROGATE` in hexadecimal digits, from the start of a byte on; for Java."""

_HAS_MAKE_VALID_UTF8: Final = hasattr(F, "make_valid_utf8")
"""Since Spark 4.0, in which ``decode`` refuses such bytes."""

BatchFunction = Callable[[Iterator[tuple[pa.Array, ...]]], Iterator[pa.Array]]
"""Takes batches of columns and yields arrays with the same number of rows in total, however many arrays."""


class ArrowSeries(pd.Series):
    """A series around an Arrow array that pyspark passes on unchanged.

    pyspark 3.5 and 4.0 call ``series.apply(list)`` on every nested result, which boxes each float. Here ``apply``
    changes nothing, and the Arrow array inside reaches the wire without a copy.
    """

    @property
    def _constructor(self) -> type[ArrowSeries]:
        return ArrowSeries

    def apply(self, func: Any, *args: Any, **kwargs: Any) -> ArrowSeries:  # type: ignore[override]  # noqa: ARG002
        """Return the series itself."""
        return self


def arrow_column(
    function: BatchFunction,
    columns: Sequence[Column],
    inputs: Sequence[pa.DataType],
    result: DataType,
    *,
    deterministic: bool = False,
) -> Column:
    """Return a column that `function` computes on the workers.

    The function must be importable there or small enough to travel.

    Parameters
    ----------
    function
        What to compute.
    columns
        Its inputs.
    inputs
        The Arrow type of each input.
    result
        Spark type of the output; the arrays must have exactly the Arrow type that Spark derives from it.
    deterministic
        Whether Spark may evaluate the function twice, as it does under ``explode`` or ``filter``.
    """
    form = _ArrowForm(function, tuple(inputs))
    if hasattr(F, "arrow_udf"):
        udf: Any = F.arrow_udf(form.arrow(), result)
    else:
        udf = F.pandas_udf(form.pandas(), result)  # type: ignore[attr-defined, call-overload, unused-ignore]
        columns = [_shown(column, kind) for column, kind in zip(columns, inputs, strict=True)]
    column: Column = (udf if deterministic else udf.asNondeterministic())(*columns)
    return column


def _shown(column: Column, kind: pa.DataType) -> Column:
    """Return a column of strings without invalid UTF-8, which ends a pandas UDF before :func:`valid_utf8` sees it."""
    if pa.types.is_string(kind):
        return _valid_string(column)
    if pa.types.is_list(kind) and (pa.types.is_string(kind.value_type) or pa.types.is_nested(kind.value_type)):
        return F.transform(column, lambda item: _shown(item, kind.value_type))
    if pa.types.is_struct(kind):
        fields = (_shown(column.getField(field.name), field.type).alias(field.name) for field in kind)
        return F.when(column.isNotNull(), F.struct(*fields))
    return column


def valid_strings(column: Column, kind: DataType) -> Column:
    """Return a column of any Spark type in which invalid UTF-8 is replaced as :func:`valid_utf8` does.

    Spark writes such bytes to Parquet unchanged, and pandas and pyarrow then refuse the whole file. A column without
    strings is returned unchanged.
    """
    if not _has_strings(kind):
        return column
    if isinstance(kind, ArrayType):
        return F.transform(column, lambda item: valid_strings(item, kind.elementType))
    if isinstance(kind, MapType):
        keys = F.transform_keys(column, lambda key, _: valid_strings(key, kind.keyType))
        return F.transform_values(keys, lambda _, value: valid_strings(value, kind.valueType))
    if isinstance(kind, StructType):
        fields = (valid_strings(column.getField(field.name), field.dataType).alias(field.name) for field in kind)
        return F.when(column.isNotNull(), F.struct(*fields))
    return _valid_string(column)


def _has_strings(kind: DataType) -> bool:
    if isinstance(kind, ArrayType):
        return _has_strings(kind.elementType)
    if isinstance(kind, MapType):
        return _has_strings(kind.keyType) or _has_strings(kind.valueType)
    if isinstance(kind, StructType):
        return any(_has_strings(field.dataType) for field in kind)
    return isinstance(kind, StringType)


def _valid_string(column: Column) -> Column:
    data = column.cast("binary")
    if not _HAS_MAKE_VALID_UTF8:
        return F.decode(data, "UTF-8")
    # It makes U+FFFD of each byte of an encoded surrogate, Java one of the surrogate.
    without_surrogates = F.unhex(F.regexp_replace(F.hex(data), _HEX_SURROGATE, "$1EFBFBD")).cast("string")
    return F.when(F.is_valid_utf8(column), column).otherwise(F.make_valid_utf8(without_surrogates))


class _ArrowForm:
    """The two forms in which Spark takes a function over batches; Spark distinguishes them by type hints."""

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
        """Return the input columns; with a single one Spark passes the bare column."""
        columns = batch if isinstance(batch, tuple) else (batch,)
        return tuple(valid_utf8(_as_type(column, kind)) for column, kind in zip(columns, self._inputs, strict=True))


def _as_type(column: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.Array):
        return column if column.type == kind else column.cast(kind)
    if pa.types.is_list(kind) and pa.types.is_nested(kind.value_type):
        column = [_as_lists(value) for value in column]
    return pa.array(column, type=kind, from_pandas=True)


def _as_lists(value: Any) -> Any:
    """Return nested lists for nested arrays: pyspark passes those, and pyarrow takes arrays one level deep only."""
    return [_as_lists(item) for item in value] if isinstance(value, np.ndarray) else value


def valid_utf8(array: pa.Array) -> pa.Array:
    r"""Return an array in which invalid UTF-8 is replaced, also within lists and structs.

    Spark does not check the bytes of strings: a line of a Latin-1 file or ``cast(binary as string)`` reaches the
    worker unchanged. Invalid sequences become U+FFFD as in Java, so that texts are as long here as for Spark's
    functions, and a logged warning counts the strings.

    Examples
    --------
    >>> broken = pa.array([b"caf\xe9", b"tea"]).view(pa.string())
    >>> valid_utf8(broken).to_pylist()
    ['caf�', 'tea']
    """
    if pa.types.is_string(array.type):
        return array if _is_valid(array) else _repaired(array)
    if pa.types.is_list(array.type):
        items = array.values  # noqa: PD011 - of Arrow
        values = valid_utf8(items)
        if values is items:
            return array
        offsets = pa.array(np.asarray(array.offsets))  # a copy: Arrow takes no mask for a slice
        mask = {"mask": array.is_null()} if array.null_count else {}
        return pa.ListArray.from_arrays(offsets, values, type=array.type, **mask)
    if pa.types.is_struct(array.type):
        before = array.flatten()
        fields = [valid_utf8(field) for field in before]
        if all(field is old for field, old in zip(fields, before, strict=True)):
            return array
        return pa.StructArray.from_arrays(fields, fields=list(array.type), mask=array.is_null())
    return array


def _repaired(strings: pa.Array) -> pa.Array:
    before = strings.cast(pa.binary())
    decoded = [None if value is None else _as_java_decodes(value) for value in before.to_pylist()]
    after = pa.array(decoded, type=pa.string())
    replaced = pc.sum(pc.not_equal(before, after.cast(pa.binary()))).as_py()
    _LOGGER.warning("%d strings contain invalid UTF-8, which was replaced by U+FFFD.", replaced)
    return after


def _as_java_decodes(utf8: bytes) -> str:
    """Decode as Java does, which differs from Python in an encoded surrogate: that is one U+FFFD, not three."""
    return _SURROGATE.sub(_REPLACEMENT, utf8).decode("utf-8", "replace")


def _is_valid(strings: pa.Array) -> bool:
    try:
        strings.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
