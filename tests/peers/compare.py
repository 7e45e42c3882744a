"""How outputs of the two are told to be the same."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from pyspark.ml.linalg import DenseVector
from pyspark.sql import DataFrame, Row

TOLERANCE = 1e-4
"""How far vectors may differ: theirs come from an older ONNX Runtime, on the unconverted graph."""


def with_params(stage: Any, params: dict[str, Any]) -> Any:
    """A stage of either with Params set by its setters; a tuple holds a setter's arguments."""
    for name, value in params.items():
        getattr(stage, f"set{name[0].upper()}{name[1:]}")(*(value if isinstance(value, tuple) else (value,)))
    return stage


def annotators(home: SimpleNamespace) -> list[Any]:
    """The stages before the model."""
    return [
        home.DocumentAssembler().setInputCol("text").setOutputCol("document"),
        home.SentenceDetector().setInputCols("document").setOutputCol("sentence"),
        home.Tokenizer().setInputCols("sentence").setOutputCol("token"),
    ]


def plain(annotations: Sequence[Row] | None) -> Any:
    """An annotation column's value as lists; vectors left out."""
    return annotations and [
        [one.annotatorType, one.begin, one.end, one.result, dict(one.metadata)]  # a map of Java in their LightPipeline
        for one in annotations
    ]


def column(frame: DataFrame, name: str) -> list[Any]:
    """A column's values in order of ``id``; a row may come more than once."""
    return [plain(row[name]) for row in frame.orderBy("id").select("id", name).collect()]


def assert_same_schema(found: DataFrame, expected: DataFrame) -> None:
    """Types, nullability at every level, order and column metadata."""
    assert json.loads(found.schema.json()) == json.loads(expected.schema.json())


def assert_same_rows(found: Sequence[Row], expected: Sequence[Row]) -> None:
    """Everything equal, vectors within `TOLERANCE`."""
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        assert row.__fields__ == other.__fields__
        for name in row.__fields__:
            _assert_same(row[name], other[name], f"{name} of {other['text']!r}")


def _assert_same(found: Any, expected: Any, where: str) -> None:
    if isinstance(expected, Row):
        assert found.__fields__ == expected.__fields__
        for name in expected.__fields__:
            _assert_same(found[name], expected[name], f"{where}.{name}")
    elif _is_vector(expected):
        assert type(found) is type(expected), where
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=TOLERANCE, err_msg=where)
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            _assert_same(one, other, f"{where}[{index}]")
    else:
        assert found == expected, where


def _is_vector(value: Any) -> bool:
    return isinstance(value, DenseVector) or (
        isinstance(value, list) and bool(value) and all(isinstance(one, float) for one in value)
    )
