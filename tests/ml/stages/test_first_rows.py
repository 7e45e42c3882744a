"""Rows that Spark asks for first arrive before those that come later are computed."""

import pytest
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError
from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.ml.columns import add_column
from sparkalbert.ml.failures import raise_job_errors
from sparkalbert.ml.job.text_pipeline import text_pipeline
from tests import tiny_bundle

ROWS = 4000
WORDS = 20
POISONED = 200
"""The row that ends the job; the first windows have 3, 12 and 51 rows."""


def poisoned(spark):
    """Texts of 20 words, of which one has tokens that AlbertEmbeddings refuses."""
    frame = spark.range(0, ROWS, 1, 1).select("id", F.repeat(F.lit("word "), WORDS).alias("text"))
    *front, embeddings = text_pipeline(AlbertEmbeddings.pretrained(str(tiny_bundle.bundle().path))).fit(frame).stages
    for stage in front:
        frame = stage.transform(frame)
    number = F.when(F.col("id") == POISONED, "no number").otherwise("0")
    metadata = F.create_map(F.lit("sentence"), number)
    tokens = F.transform("token", lambda one: one.withField("metadata", metadata))
    changed = frame.select("id", "sentence", tokens.alias("changed"))
    return embeddings.transform(add_column(changed, "token", F.col("changed"), {"annotatorType": "token"}))


@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_first_rows_do_not_wait_for_the_rest(any_spark, count):
    frame = poisoned(any_spark).select("id", "embeddings")
    # Spark pushes a bare limit below the Python pass, which then gets no other rows.
    made = frame.where("size(embeddings) > 0").limit(count).collect()
    assert [row.id for row in made] == list(range(count))
    assert all(len(row.embeddings) == WORDS for row in made)


def test_all_rows_are_computed_if_all_are_wanted(spark):
    with pytest.raises(ColumnError, match="'sentence' that is not an integer"), raise_job_errors():
        poisoned(spark).select("embeddings").write.format("noop").mode("overwrite").save()
