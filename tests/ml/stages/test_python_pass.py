"""Adjacent stages are one Python pass, and give the rows, schema and bits that they give one by one."""

import pytest
from pyspark.ml import Pipeline
from pyspark.sql import functions as F

from sparkalbert.ml import (
    AlbertEmbeddings,
    DocumentAssembler,
    NGramGenerator,
    SentenceDetector,
    SentenceEmbeddings,
    Tokenizer,
    TokenizerModel,
)
from sparkalbert.ml.stages import python_pass
from tests import tiny_bundle

TEXTS = ["The old man walked. It was cold.", "", None, "A smile 🙂 and a café", "word " * 300]

pytestmark = pytest.mark.skipif(not hasattr(F, "arrow_udf"), reason="before Spark 4.1 each stage has its own pass")


def stages():
    model = str(tiny_bundle.bundle().path)
    return [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"], outputCol="a sentence.`s"),
        Tokenizer(inputCols=["a sentence.`s"]),
        NGramGenerator(inputCols=["token"], outputCol="ngrams"),
        AlbertEmbeddings(model=model, inputCols=["a sentence.`s", "token"], outputCol="embeddings"),
        SentenceEmbeddings(inputCols=["a sentence.`s", "embeddings"], outputCol="pooled"),
    ]


def frame_of(spark):
    return spark.createDataFrame(list(enumerate(TEXTS)), "id long, text string").coalesce(1)


def one_by_one(frame):
    """The same stages, each on a DataFrame that is new to it."""
    for stage in Pipeline(stages=stages()).fit(frame).stages:
        frame = stage.transform(frame.select("*"))
    return frame


def test_rows_schema_and_bits_are_those_of_single_stages(any_spark):
    frame = frame_of(any_spark)
    together = Pipeline(stages=stages()).fit(frame).transform(frame)
    apart = one_by_one(frame)
    assert together.schema.jsonValue() == apart.schema.jsonValue()
    assert together.collect() == apart.collect()


def passes(frame):
    return frame._jdf.queryExecution().executedPlan().toString().count("ArrowEvalPython")


def test_a_pipeline_is_one_pass_up_to_the_vectors(spark):
    frame = frame_of(spark)
    fitted = Pipeline(stages=stages()).fit(frame).stages
    counts, made = [], frame
    for stage in fitted:
        made = stage.transform(made)
        counts.append(passes(made))
    assert counts == [0, 1, 1, 1, 1, 2], "only what is read from the vectors is a second pass"
    assert passes(one_by_one(frame)) == 5


def test_a_data_frame_that_was_changed_is_read_as_it_is(spark):
    """Only the very DataFrame that a stage returned is known to hold what the stage computes."""
    frame = frame_of(spark).where("id = 0")
    made = Pipeline(stages=stages()[:2]).fit(frame).transform(frame)
    sentence = "a sentence.`s"
    quoted = F.col("`a sentence.``s`")
    fewer = made.withColumn(sentence, F.slice(quoted, 1, 1))
    tokens = TokenizerModel(inputCols=[sentence]).transform(fewer).first().token
    assert [token.result for token in tokens] == ["The", "old", "man", "walked", "."]
    assert len(TokenizerModel(inputCols=[sentence]).transform(made).first().token) == 9


def test_cached_rows_are_read_from_the_cache(any_spark):
    frame = frame_of(any_spark)
    made = Pipeline(stages=stages()[:3]).fit(frame).transform(frame).cache()
    try:
        assert made.count() == len(TEXTS)
        assert python_pass._pass_of(made) is None
        again = NGramGenerator(inputCols=["token"], outputCol="ngrams").transform(made)
        assert again.count() == len(TEXTS)
    finally:
        made.unpersist()


def test_both_branches_of_one_data_frame_are_right(spark):
    frame = frame_of(spark)
    sentences = Pipeline(stages=stages()[:2]).fit(frame).transform(frame)
    first, second = (
        TokenizerModel(inputCols=["a sentence.`s"], minLength=length).transform(sentences) for length in (1, 4)
    )
    longer = [[token.result for token in row.token if len(token.result) >= 4] for row in first.collect()]
    assert [[token.result for token in row.token] for row in second.collect()] == longer


def test_a_field_of_a_column_of_the_pass_is_read_from_spark(any_spark):
    frame = frame_of(any_spark)
    document, sentence, token = stages()[:3]
    lists = AlbertEmbeddings(model=stages()[4].getModel(), inputCols=["token.result"], outputCol="vectors")
    made = Pipeline(stages=[document, sentence, token, lists]).fit(frame).transform(frame)
    assert [len(row.vectors or ()) for row in made.collect()] == [len(row.token or ()) for row in made.collect()]
