"""The functions over annotation columns, on what the real Spark NLP's functions made of the same texts."""

import inspect
import json

import pytest
from pyspark.sql.types import StructType

import sparkalbert.functions
from sparkalbert import DocumentAssembler, SentenceDetector, Tokenizer
from tests.recorded.function_calls import NAMES, NULL_ROW, bad_calls, good_calls, output_column, python_error
from tests.recorded.recordings import OWN

RECORDED = OWN.json("functions")

NULLABLE = {
    "map", "map-array", "map-col", "map-col-column", "map-col-other-case", "map-col-replaced", "map-cols",
    "map-cols-typed", "map-column", "map-generator", "map-rows", "map-strict",
}  # fmt: skip
"""The calls whose result has the type of an annotation column here, but fields without nulls with Spark NLP."""

TRUE_NUMBERS = "filter-number"
"""The call whose function returns numbers: Spark NLP leaves out every row on Spark 3.5, without an error."""


@pytest.fixture
def tokens(any_spark):
    """The documents, sentences and tokens of the recorded texts, of a null and of an empty text."""
    texts = OWN.texts()
    names = [row["id"] for row in OWN.output("regextokenizer-default")]
    assert names[:2] == ["null-0", "empty-0"]
    rows = [("null-0", None), ("empty-0", ""), *((name, texts[name]["text"]) for name in names[2:])]
    frame = any_spark.createDataFrame(rows, "id string, text string").coalesce(1)
    for stage in (
        DocumentAssembler(inputCol="text", outputCol="document"),
        SentenceDetector(inputCols=["document"], outputCol="sentence"),
        Tokenizer(inputCols=["sentence"], outputCol="token"),
    ):
        frame = (stage.fit(frame) if hasattr(stage, "fit") else stage).transform(frame)
    frame = frame.cache()
    yield frame
    frame.unpersist()


def annotation(one):
    return [one.annotatorType, one.begin, one.end, one.result, dict(one.metadata), list(one.embeddings)]


def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if isinstance(value, str) else annotation(value)


def fields_of(schema):
    return StructType.fromJson({"type": "struct", "fields": schema["fields"]})


def without_nullability(schema):
    if isinstance(schema, dict):
        return {
            key: without_nullability(value)
            for key, value in schema.items()
            if key not in {"nullable", "containsNull", "valueContainsNull"}
        }
    return [without_nullability(one) for one in schema] if isinstance(schema, list) else schema


def test_every_call_returns_what_spark_nlps_returned(tokens):
    rows, kinds, nullable, kept = {}, {}, set(), []
    calls = good_calls(sparkalbert.functions, tokens)
    recorded = {path.name.removesuffix(".jsonl") for path in OWN.folder.glob("annotators/functions-*.jsonl")}
    assert recorded == {f"functions-{name}" for name in calls}
    for name, call in calls.items():
        frame = call()
        column = output_column(frame)
        found = [{"id": row["id"], "out": plain(row[column])} for row in frame.collect()]
        if name == TRUE_NUMBERS:
            kept, found = found, []
        rows[name] = found == OWN.output(f"functions-{name}")
        recorded = OWN.json(f"functions-{name}.schema")
        assert frame.columns == recorded["columns"], name
        schema = json.loads(frame.schema.json())["fields"]
        kinds[name] = without_nullability(schema) == without_nullability(recorded["fields"])
        if fields_of(recorded) != frame.schema:
            nullable.add(name)
    assert [name for name, is_same in rows.items() if not is_same] == []
    assert [name for name, is_same in kinds.items() if not is_same] == []
    assert nullable == NULLABLE
    assert kept == OWN.output("functions-explode"), "every token has a length"


def test_every_call_that_failed_fails_except_on_a_null(tokens):
    calls = bad_calls(sparkalbert.functions, tokens)
    assert calls.keys() == RECORDED["errors"].keys()
    found = {name: python_error(call) for name, call in calls.items()}
    assert found == {
        **RECORDED["errors"],
        **dict.fromkeys(("map-missing", "explode-missing", "filter-missing"), "ColumnError"),
        NULL_ROW: "no error",
    }
    assert {row.out for row in calls[NULL_ROW]().collect()} == {None}


def test_the_parameters_have_spark_nlps_names():
    assert {name: [*inspect.signature(getattr(sparkalbert.functions, name)).parameters] for name in NAMES} == RECORDED[
        "parameters"
    ]
