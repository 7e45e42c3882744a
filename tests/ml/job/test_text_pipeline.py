"""The pipeline of the model card: its columns, on any column of texts, without changing the stage it is given."""

from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.ml.job.text_pipeline import text_pipeline
from tests import tiny_bundle


def test_columns_have_the_prefix_and_the_stage_is_copied(any_spark):
    stage = AlbertEmbeddings.pretrained(str(tiny_bundle.bundle().path)).setPooling("mean")
    before = stage.extractParamMap()
    frame = any_spark.createDataFrame([("One. Two.",)], "`the.text` string")
    pipeline = text_pipeline(stage, "the.text", "my ")
    made = pipeline.fit(frame).transform(frame)
    assert made.columns == ["the.text", "my document", "my sentence", "my token", "my embeddings"]
    (row,) = made.collect()
    assert [one.result for one in row["my embeddings"]] == ["one", ".", "two", "."]
    assert stage.extractParamMap() == before
    assert pipeline.getStages()[-1].getPooling() == "mean"
