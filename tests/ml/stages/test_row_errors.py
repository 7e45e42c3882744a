"""A row that cannot be embedded: the job ends with its position, or the row alone is null."""

import pytest
from pyspark.ml import Pipeline
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.ml.failures import raise_job_errors
from tests import tiny_bundle

REASON = "The metadata of an annotation has a 'sentence' that is not an integer. Expected '0', '1', ..."
TEXTS = [f"The river was high on day {day}. Nobody could cross it!" for day in range(150)]


def stage(**params):
    model = str(tiny_bundle.bundle().path)
    columns = {"inputCols": ["sentence", "token"], "outputCol": "embeddings"}
    return AlbertEmbeddings(**{"model": model, **columns, **params})


def annotated(spark, bad):
    """One partition of texts with annotations; those of bad rows are broken."""
    stages = [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
    ]
    texts = spark.createDataFrame(list(enumerate(TEXTS)), "id int, text string").coalesce(1)
    frame = Pipeline(stages=stages).fit(texts).transform(texts)
    field = frame.schema["token"]
    parts = ["annotatorType", "begin", "end", "result", "embeddings"]
    kept = {name: f"'{name}', t.{name}" for name in parts}
    kept["embeddings"] = f"'metadata', map('sentence', 'x'), {kept['embeddings']}"
    broken = F.expr(f"transform(token, t -> named_struct({', '.join(kept.values())}))")
    token = F.when(F.col("id").isin(bad), broken).otherwise(F.col("token"))
    return frame.select("id", "sentence", token.alias("token", metadata=field.metadata))


def vectors(frame, column="embeddings"):
    return {row.id: row[column] for row in frame.select("id", column).collect()}


@pytest.mark.parametrize("params", [{}, {"vectorFormat": "binary"}, {"outputLevel": "document"}])
def test_a_bad_row_is_null_and_the_others_are_untouched(any_spark, params):
    expected = vectors(stage(**params).transform(annotated(any_spark, [])))
    bad = [0, 7, 8, 149]
    result = stage(onError="null", **params).transform(annotated(any_spark, bad))
    assert result.columns == ["id", "sentence", "token", "embeddings", "embeddings_error"]
    rows = {row.id: row for row in result.select("id", "embeddings", "embeddings_error").collect()}
    for row, value in expected.items():
        assert rows[row].embeddings == (None if row in bad else value)
        assert rows[row].embeddings_error == (REASON if row in bad else None)


def test_the_column_keeps_its_metadata(spark):
    frame = annotated(spark, [])
    plain, companion = stage().transform(frame).schema, stage(onError="null").transform(frame).schema
    assert companion["embeddings"].metadata == plain["embeddings"].metadata
    assert companion["embeddings"].dataType == plain["embeddings"].dataType


def test_a_bad_row_ends_the_job_with_its_position(any_spark):
    result = stage().transform(annotated(any_spark, [123]))
    with pytest.raises(ColumnError) as raised, raise_job_errors():
        result.collect()
    assert str(raised.value) == (
        f"The Spark job failed: Row 123 in partition 0 of column 'embeddings' cannot be embedded: {REASON} Rows are "
        "counted from 0. Correct or remove the row, or set onError to 'null' to keep the others."
    )


def test_a_job_in_which_too_many_rows_fail_ends(any_spark):
    frame = annotated(any_spark, list(range(0, 150, 4)))
    assert len([one for one in vectors(stage(onError="null").transform(frame)).values() if one is None]) == 38
    result = stage(onError="null", maxErrorFraction=0.2).transform(frame)
    with pytest.raises(ColumnError) as raised, raise_job_errors():
        result.collect()
    assert str(raised.value) == (
        "The Spark job failed: 26 of the first 101 rows in partition 0 of column 'embeddings' cannot be embedded, more "
        f"than maxErrorFraction 0.2 allows. The last reason: {REASON}"
    )


def test_the_companion_column_must_be_new(spark):
    frame = annotated(spark, []).withColumn("embeddings_error", F.lit("mine"))
    with pytest.raises(ColumnError, match="'embeddings_error' already exists"):
        stage(onError="null").transform(frame)


@pytest.mark.parametrize("fraction", [-0.1, 1.5])
def test_a_fraction_is_between_0_and_1(fraction):
    with pytest.raises(ParamError, match=f"maxErrorFraction is {fraction}, expected a number from 0 to 1"):
        stage(maxErrorFraction=fraction)
