import json
import re

import pytest
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import DocumentAssembler
from sparkalbert.ml.stages.document_assembler import CLEANUP_MODES

TEXT = " \ta\n b\\n\\r\\nc\u00a0\\t\u2003d \n\t e \r\n"
CLEANED = {
    "disabled": TEXT,
    "inplace": "  a  b\\n\\r\\nc\u00a0\\t\u2003d    e   ",
    "inplace_full": "  a  b  c\u00a0 \u2003d    e   ",
    "shrink": "a b\\n\\r\\nc\u00a0\\t\u2003d e",
    "shrink_full": "a b  c\u00a0 \u2003d e",
    "each": " a\n b\\n\\r\\nc\u00a0\\t\u2003d \t e  ",
    "each_full": " a\n b\\n\\r\\nc\u00a0\\t\u2003d \t e  ",
    "delete_full": "a\n bc\u00a0\u2003d \n\t e",
}


def plain(annotations):
    return [(*tuple(annotation)[:4], annotation.metadata) for annotation in annotations]


def document(text, end, index=0, **metadata):
    return ("document", 0, end, text, {"sentence": str(index), **metadata})


def test_texts_become_documents(any_spark):
    rows = [("a", "I 🙂 you", {"src": "x", "sentence": "9", "id": "no"}), ("b", "", {}), (None, None, None)]
    texts = any_spark.createDataFrame(rows, "`my id` string, `the.text` string, m map<string,string>")
    plain_stage = DocumentAssembler(inputCol="the.text")
    full = DocumentAssembler(inputCol="the.text", outputCol="full", idCol="my id", metadataCol="m")
    out = full.transform(plain_stage.transform(texts)).collect()
    assert [plain(row.document) for row in out] == [
        [document("I 🙂 you", 7)],
        [document("", -1)],
        [document("", -1)],
    ]
    assert [plain(row.full) for row in out] == [
        [document("I 🙂 you", 7, src="x", id="a")],
        [document("", -1, id="b")],
        [document("", -1, id=None)],
    ]
    assert all(row.document[0].embeddings == [] for row in out)


def test_metadata_without_id_keeps_its_own(any_spark):
    texts = any_spark.createDataFrame([(7, "x", {"id": "own"})], "n int, text string, m map<string,string>")
    own = DocumentAssembler(inputCol="text", metadataCol="m")
    number = DocumentAssembler(inputCol="text", idCol="n", outputCol="number")
    (row,) = number.transform(own.transform(texts)).collect()
    assert plain(row.document) == [document("x", 0, id="own")]
    assert plain(row.number) == [document("x", 0, id="7")]


def test_each_element_of_an_array_becomes_a_document(any_spark):
    rows = [("a", [" One.", None, "🙂", ""]), ("b", []), ("c", None)]
    texts = any_spark.createDataFrame(rows, "id string, texts array<string>")
    stage = DocumentAssembler(inputCol="texts", idCol="id", cleanupMode="shrink")
    out = [plain(row.document) for row in stage.transform(texts).collect()]
    assert out == [
        [
            document("One.", 3, 0, id="a"),
            document("", -1, 1, id="a"),
            document("🙂", 1, 2, id="a"),
            document("", -1, 3, id="a"),
        ],
        [],
        [],
    ]


def in_every_mode(frame):
    for mode in CLEANUP_MODES:
        frame = DocumentAssembler(inputCol="text", outputCol=mode, cleanupMode=mode).transform(frame)
    return frame


def test_cleanup_modes_follow_java(any_spark):
    (row,) = in_every_mode(any_spark.createDataFrame([(TEXT,)], "text string")).collect()
    assert {mode: row[mode][0].result for mode in CLEANUP_MODES} == CLEANED
    assert {mode: row[mode][0].end for mode in CLEANUP_MODES} == {mode: len(text) - 1 for mode, text in CLEANED.items()}


@pytest.fixture(scope="module")
def recorded_documents(recorded_frame):
    return in_every_mode(recorded_frame).cache()


@pytest.mark.parametrize("mode", CLEANUP_MODES)
def test_cleanup_modes_give_what_was_recorded(mode, recorded_documents, recorded_output, as_recorded):
    assert as_recorded(recorded_documents, mode) == recorded_output(f"document-{mode}")


def test_every_recording_is_tested(recorded_names):
    assert recorded_names("document-") == {*CLEANUP_MODES, "id-metadata"}


def test_ids_and_metadata_give_what_was_recorded(spark, recorded_output, as_recorded):
    rows = [("a", "One text.", {"src": "x"}), ("b", "", {"src": "y"}), ("c", None, {"src": "z"})]
    texts = spark.createDataFrame(rows, "id string, text string, m map<string,string>").coalesce(1)
    documents = DocumentAssembler(inputCol="text", idCol="id", metadataCol="m").transform(texts)
    assert as_recorded(documents, "document") == recorded_output("document-id-metadata")


@pytest.mark.parametrize("column", ["text", "texts"])
def test_the_schema_is_spark_nlps(any_spark, annotation_field, column):
    texts = any_spark.createDataFrame(
        [("x", ["x"], {"a": "b"})], "text string, texts array<string>, m map<string,string>"
    )
    for stage in [
        DocumentAssembler(inputCol=column),
        DocumentAssembler(inputCol=column, idCol="text", metadataCol="m", cleanupMode="shrink_full"),
    ]:
        schema = stage.transform(texts).schema
        assert schema.names == ["text", "texts", "m", "document"]
        assert json.loads(schema["document"].json()) == annotation_field("document", "document")


def test_the_schema_is_as_recorded(spark, recorded_schema):
    texts = spark.createDataFrame([("x",)], "text string")
    recorded = {field["name"]: field for field in recorded_schema("albert")["fields"]}
    found = DocumentAssembler(inputCol="text").transform(texts).schema["document"]
    assert json.loads(found.json()) == recorded["document"]


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("7", "7"),
        ("7L", "7"),
        ("1.5D", "1.5"),
        ("12.30BD", "12.30"),
        ("true", "true"),
        ("DATE'2024-02-29'", "2024-02-29"),
        ("TIMESTAMP'2024-02-29 12:30:00'", "2024-02-29 12:30:00"),
        ("X'63616665'", "cafe"),
        ("NULL", ""),
    ],
)
def test_other_types_are_cast_as_spark_nlp_casts_them(any_spark, literal, text):
    frame = any_spark.range(1).selectExpr(f"{literal} AS text")
    (document,) = DocumentAssembler(inputCol="text").transform(frame).first().document
    assert (document.result, document.begin, document.end) == (text, 0, len(text) - 1)


def test_no_python_runs_on_the_workers(spark):
    texts = spark.createDataFrame([("x", {"a": "b"})], "text string, m map<string,string>")
    stage = DocumentAssembler(inputCol="text", idCol="text", metadataCol="m", cleanupMode="shrink_full")
    plan = stage.transform(texts)._jdf.queryExecution().executedPlan().toString()
    assert "Python" not in plan


def test_wrong_columns_fail_before_any_job(spark, no_spark_job):
    texts = spark.range(1).select("id", F.lit("x").alias("text"), F.array("id").alias("ids"))
    with no_spark_job():
        for params, message in [
            ({"inputCol": "nope"}, r"(?i)dataset does not have any 'nope' column.*id, text, ids"),
            ({"inputCol": "ids"}, r"column 'ids' is array<bigint>, expected string or array<string>"),
            ({"inputCol": "text", "idCol": "nope"}, r"(?i)dataset does not have any 'nope' column"),
            ({"inputCol": "text", "metadataCol": "text"}, r"'text' is string, expected map<string,string>"),
        ]:
            with pytest.raises(ColumnError, match=message):
                DocumentAssembler(**params).transform(texts)
        with pytest.raises(ParamError, match="has no inputCol"):
            DocumentAssembler().transform(texts)
        DocumentAssembler(inputCol="text", idCol="id").transform(texts)


def test_an_unknown_cleanup_mode_names_the_others():
    modes = "disabled, inplace, inplace_full, shrink, shrink_full, each, each_full, delete_full"
    with pytest.raises(ParamError, match=re.escape(f"Cleanup mode possible values: {modes}")):
        DocumentAssembler().setCleanupMode("wash")
    assert DocumentAssembler(cleanupMode=" Shrink ").getCleanupMode() == "shrink"
