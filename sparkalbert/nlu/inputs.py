"""What ``predict`` accepts as data: texts, with the columns that are carried beside them."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import numpy as np
import pandas as pd

from sparkalbert.errors import ColumnError, ParamTypeError
from sparkalbert.text.pieces.normalization import check_unicode

__all__ = ["TEXT", "LocalTexts", "check_text_name", "is_spark_frame", "local_texts", "text_column"]

TEXT: Final = "text"
_EXPECTED: Final = "a str, a list, a NumPy array, a pandas Series or DataFrame, or a Spark DataFrame"


@dataclass(frozen=True)
class LocalTexts:
    """Texts in this process.

    Attributes
    ----------
    texts
        One per row; a missing text is empty.
    index
        The index of the rows.
    carried
        Columns to repeat for each row of the result, among them ``text``; None if the data had no columns.
    fits_light_pipeline
        Whether NLU can pass a DataFrame to a LightPipeline: it cannot if it has to rename the column of texts, if a
        text is missing, or if the index has a name or several levels.
    """

    texts: list[str]
    index: pd.Index[Any]
    carried: pd.DataFrame | None = None
    fits_light_pipeline: bool = False


def is_spark_frame(data: Any) -> bool:
    """Return whether data is a Spark DataFrame, classic or Connect, without importing pyspark."""
    modules = [parent.__module__ for parent in type(data).__mro__]
    return any(module.startswith("pyspark.sql") for module in modules) and hasattr(data, "toPandas")


def local_texts(
    data: Any, text_col: str | None, preferred: Sequence[str] = (TEXT,), *, keep_others: bool = True
) -> LocalTexts:
    """Return the texts of data.

    Parameters
    ----------
    data
        A str, or a list, array, Series or DataFrame of them. Missing values (None, NaN) are empty texts.
    text_col
        The column of texts of a DataFrame; by default the first of `preferred`, else the first column.
    preferred
        Names of the column of texts, best first.
    keep_others
        If false, of the columns of a DataFrame only that of texts is carried.

    Raises
    ------
    ParamTypeError
        If the data is something else, or contains anything other than strings.
    ColumnError
        If a DataFrame has no such column, or several columns of one name, or a second column ``text``.
    """
    if isinstance(data, pd.DataFrame):
        return _of_frame(data, text_col, preferred, keep_others=keep_others)
    if text_col is not None:
        msg = f"text_col is {text_col!r}, but the data is a {type(data).__name__}, which has no columns. Leave it out."
        raise ParamTypeError(msg)
    if isinstance(data, str):
        return LocalTexts([data], pd.RangeIndex(1))
    if isinstance(data, pd.Series):
        return LocalTexts(_strings(data, "the Series"), data.index)
    if isinstance(data, np.ndarray) and data.ndim != 1:
        msg = f"predict() expects an array with one dimension, got {data.ndim}. Did you mean predict(data.ravel())?"
        raise ParamTypeError(msg)
    if isinstance(data, (list, tuple, np.ndarray)):
        return LocalTexts(_strings(data, f"the {type(data).__name__}"), pd.RangeIndex(len(data)))
    raise ParamTypeError(_wrong_data(data))


def text_column(columns: Sequence[Any], text_col: Any, preferred: Sequence[str] = (TEXT,)) -> Any:
    """Return the column of texts among the columns of a frame.

    Raises
    ------
    ColumnError
        If there is none of that name, or no column at all, or if a name occurs twice.
    ParamTypeError
        If `text_col` cannot be a name.
    """
    if not isinstance(text_col, Hashable):
        msg = f"text_col is a {type(text_col).__name__}, expected the name of the column of texts."
        raise ParamTypeError(msg)
    names = list(map(str, columns))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"The data has several columns named {', '.join(map(repr, repeated))}. Rename them."
        raise ColumnError(msg)
    if not names:
        msg = f"The data has no columns, expected a column of texts, named {TEXT!r}."
        raise ColumnError(msg)
    if text_col is None:
        return next((name for name in preferred if name in columns), columns[0])
    if text_col in columns:
        return text_col
    # Columns of pandas may have numbers as names.
    close = difflib.get_close_matches(str(text_col).lower(), [name.lower() for name in names], n=1)
    meant = [column for column, name in zip(columns, names, strict=True) if name.lower() in close]
    hint = f" Did you mean {meant[0]!r}?" if meant else ""
    msg = f"The data has no column {text_col!r}.{hint} Its columns: {', '.join(names)}."
    raise ColumnError(msg)


def check_text_name(column: Any, others: Iterable[Any]) -> None:
    """Check that the column of texts can be called ``text`` beside the other columns.

    Raises
    ------
    ColumnError
        If another column has that name.
    """
    if column != TEXT and TEXT in others:
        msg = (
            f"The result calls the column of texts {TEXT!r}, and the data has a column {TEXT!r} beside the column of "
            f"texts, {column!r}. Rename or drop it, or pass text_col={TEXT!r} if it holds the texts."
        )
        raise ColumnError(msg)


def _of_frame(frame: pd.DataFrame, text_col: str | None, preferred: Sequence[str], *, keep_others: bool) -> LocalTexts:
    column = text_column(list(frame.columns), text_col, preferred)
    texts = _strings(frame[column], f"column {column!r}", hint=_column_hint(frame, column))
    carried = frame if keep_others else frame[[column]]
    check_text_name(column, list(carried.columns))
    has_plain_index = frame.index.nlevels == 1 and frame.index.name in {None, "index"}
    fits_light_pipeline = column == TEXT and has_plain_index and not frame[column].isna().any()
    return LocalTexts(texts, frame.index, carried.rename(columns={column: TEXT}), bool(fits_light_pipeline))


def _column_hint(frame: pd.DataFrame, column: Any) -> str:
    others = [name for name in frame.columns if name != column and any(map(_is_str, frame[name].head()))]
    hint = f"Pass the name of the column of texts as text_col, or rename it to {TEXT!r}."
    return f"{hint} Did you mean text_col={others[0]!r}?" if others else hint


def _strings(values: Iterable[Any], where: str, hint: str = "Convert it with str().") -> list[str]:
    texts: list[str] = []
    for position, value in enumerate(values):
        if _is_str(value):
            check_unicode(value)  # Spark would replace what is not valid
            texts.append(str(value))
        elif value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
            texts.append("")
        else:
            msg = f"predict() expects strings, got {type(value).__name__} at position {position} of {where}. {hint}"
            raise ParamTypeError(msg)
    return texts


def _is_str(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)


def _wrong_data(data: Any) -> str:
    module = type(data).__module__
    hints = {
        "pyspark.pandas": "Did you mean predict(data.to_spark())?",
        "polars": "Did you mean predict(data.to_pandas())?",
        "pyarrow": "Did you mean predict(data.to_pandas())?",
        "modin": "Did you mean predict(data._to_pandas())?",
    }
    hint = next((hint for name, hint in hints.items() if module.startswith(name)), "")
    if isinstance(data, bytes):
        hint = "Did you mean predict(data.decode())?"
    elif not hint and isinstance(data, Iterable) and not isinstance(data, dict):
        hint = "Did you mean predict(list(data))?"
    elif isinstance(data, dict):
        hint = "Did you mean predict(pandas.DataFrame(data))?"
    return f"predict() expects {_EXPECTED}, got {type(data).__name__}. {hint}".rstrip()
