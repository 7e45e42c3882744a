"""Calls of Spark NLP's functions over annotation columns, to run with its ``sparknlp.functions`` and with ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

NAMES = [
    "explode_annotations_col",
    "filter_by_annotations_col",
    "map_annotations",
    "map_annotations_array",
    "map_annotations_col",
    "map_annotations_cols",
    "map_annotations_strict",
]
NULL_ROW = "map-null-row"
"""A call on a null in the place of annotations, on which Spark NLP's function fails."""


def good_calls(functions: Any, frame: DataFrame) -> Mapping[str, Callable[[], DataFrame]]:
    """Return the calls that succeed, by name; see :func:`output_column`.

    Parameters
    ----------
    functions
        The module ``sparknlp.functions`` or ``sparkalbert.functions``.
    frame
        Has the columns ``id``, ``sentence`` and ``token``.
    """
    kind = functions.Annotation.arrayType()

    def chunk(found: Any) -> Any:
        return [functions.Annotation("chunk", a.begin, a.end, a.result, a.metadata, a.embeddings) for a in found]

    def long_words(found: Any) -> Any:
        return [word.copy(word.result.upper()) for word in found if len(word.result) > 3]

    def reversed_rest(found: Any) -> Any:
        return (one for one in found[:0:-1])

    def rows(found: Any) -> Any:
        return [Row(**vars(one)) for one in found]

    def selected(column: Any) -> DataFrame:
        return frame.select("id", column.alias("out"))

    def mapped(column: Any, output: str = "out") -> DataFrame:
        return functions.map_annotations_col(frame, chunk, column, output, "chunk")

    def exploded(column: Any, output: str = "out") -> DataFrame:
        return functions.explode_annotations_col(frame, column, output)

    def filtered(f: Callable[[Any], Any], column: Any = "token") -> DataFrame:
        return functions.filter_by_annotations_col(exploded("token", "token"), f, column)

    def cols(columns: list[str], *more: Any) -> DataFrame:
        return functions.map_annotations_cols(frame, reversed_rest, columns, "out", "chunk", *more)

    both = F.array("sentence", "token")
    return {
        "map": lambda: selected(functions.map_annotations(long_words, kind)("token")),
        "map-column": lambda: selected(functions.map_annotations(long_words, kind)(F.col("token"))),
        "map-generator": lambda: selected(functions.map_annotations(reversed_rest, kind)("token")),
        "map-rows": lambda: selected(functions.map_annotations(rows, kind)("token")),
        "map-strict": lambda: selected(functions.map_annotations_strict(long_words)("token")),
        "map-array": lambda: selected(functions.map_annotations_array(long_words, kind)(both)),
        "map-col": lambda: mapped("token"),
        "map-col-replaced": lambda: mapped("token", "token"),
        "map-col-other-case": lambda: mapped("TOKEN", "Token"),
        "map-col-column": lambda: mapped(F.col("token")),
        "map-cols": lambda: cols(["token", "sentence"]),
        "map-cols-typed": lambda: cols(["sentence"], kind),
        "explode": lambda: exploded("token"),
        "explode-replaced": lambda: exploded("token", "token"),
        "explode-column": lambda: exploded(F.col("token")),
        "explode-nested": lambda: exploded("token.result"),
        "filter": lambda: filtered(lambda word: word.result.isalpha()),
        "filter-metadata": lambda: filtered(lambda word: word.metadata["sentence"] == "1"),
        "filter-number": lambda: filtered(lambda word: len(word.result)),
        "filter-none": lambda: filtered(lambda word: True if word.begin else None),
        "filter-column": lambda: filtered(lambda word: word.begin == 0, F.col("token")),
        "filter-nested": lambda: filtered(lambda result: result.isdigit(), "token.result"),
        "filter-list": lambda: functions.filter_by_annotations_col(frame, lambda words: len(words) < 9, "token"),
    }


def bad_calls(functions: Any, frame: DataFrame) -> Mapping[str, Callable[[], DataFrame]]:
    """Return the calls that fail with Spark NLP, by name."""
    kind = functions.Annotation.arrayType()
    empty = frame.select("id", F.lit(None).cast(kind).alias("token"))

    def mapped(f: Callable[[Any], Any], output_type: Any = kind) -> DataFrame:
        return frame.select(functions.map_annotations(f, output_type)("token").alias("out"))

    return {
        NULL_ROW: lambda: empty.select("id", functions.map_annotations(list, kind)("token").alias("out")),
        "map-strings": lambda: mapped(lambda words: [word.result for word in words], ArrayType(StringType())),
        "map-nothing": lambda: mapped(lambda _: None),
        "map-missing": lambda: functions.map_annotations_col(frame, list, "nope", "out", "chunk"),
        "explode-missing": lambda: functions.explode_annotations_col(frame, "nope", "out"),
        "explode-text": lambda: functions.explode_annotations_col(frame, "id", "out"),
        "filter-missing": lambda: functions.filter_by_annotations_col(frame, bool, "nope"),
    }


def output_column(frame: DataFrame) -> str:
    """Return the column that a call made: ``out``, or the tokens that it replaced."""
    return next(name for name in reversed(frame.columns) if name.lower() in {"out", "token"})


def python_error(call: Callable[[], DataFrame]) -> str:
    """Return the Python error that ended the call or its job, or else the class of the error."""
    try:
        call().collect()
    except Exception as error:  # noqa: BLE001 - any error is what is recorded
        raised = re.findall(r"^\w+Error: .+$", str(error), flags=re.MULTILINE)
        return str(raised[-1]) if raised else type(error).__name__
    return "no error"
