"""What every stage keeps: it adds its columns only, starts no job, survives saving and takes nulls."""

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import functions as F

from sparkalbert import annotator, base, ml
from sparkalbert.errors import ColumnError
from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    Doc2Chunk,
    DocumentAssembler,
    EmbeddingsFinisher,
    Finisher,
    LightPipeline,
    MultiDocumentAssembler,
    NGramGenerator,
    Normalizer,
    RegexTokenizer,
    SentenceDetector,
    SentenceEmbeddings,
    StopWordsCleaner,
    TextMatcherModel,
    TokenAssembler,
    Tokenizer,
)
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE
from tests import tiny_bundle

TEXTS = ["The old man walked to the market. She said that it was cold.", "", None, "A smile 🙂 and a café"]
ANNOTATORS = ["sentence", "token", "embeddings", "pooled", "ngrams", "chunk", "chunked", "regexToken", "kept", "clean"]
ANNOTATORS += ["entity", "assembled"]
LOST = {"comment": "of another kind"}  # Spark 3.5 keeps the old metadata where the new is empty
COLUMNS = ["document", *ANNOTATORS, "again", "finished_token", "finished_embeddings"]
TYPES = {
    "document": "document", "sentence": "document", "token": "token", "embeddings": "word_embeddings",
    "pooled": "sentence_embeddings", "ngrams": "chunk", "chunk": "chunk", "chunked": "word_embeddings",
    "regexToken": "token", "kept": "token", "clean": "token", "entity": "chunk", "assembled": "document",
    "again": "document",
}  # fmt: skip


def stages():
    """One of each, as a pipeline needs them."""
    return [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["sentence", "token"], outputCol="embeddings"),
        SentenceEmbeddings(inputCols=["sentence", "embeddings"], outputCol="pooled"),
        NGramGenerator(inputCols=["token"], outputCol="ngrams"),
        Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="target"),
        ChunkEmbeddings(inputCols=["ngrams", "embeddings"], outputCol="chunked"),
        RegexTokenizer(inputCols=["document"]),
        StopWordsCleaner(inputCols=["token"], outputCol="kept"),
        Normalizer(inputCols=["kept"], outputCol="clean"),
        TextMatcherModel(inputCols=["sentence", "token"], outputCol="entity", searchTrie=[["old", "man"]]),
        TokenAssembler(inputCols=["sentence", "clean"], outputCol="assembled"),
        MultiDocumentAssembler(inputCols=["text"], outputCols=["again"]),
        Finisher(inputCols=["token"], cleanAnnotations=False),
        EmbeddingsFinisher(inputCols=["embeddings"]),
    ]


def text_frame(spark):
    return spark.createDataFrame([(text, "a") for text in TEXTS], "text string, target string").coalesce(1)


def test_a_pipeline_of_all_stages_adds_their_columns(any_spark, tmp_path):
    frame = text_frame(any_spark)
    model = Pipeline(stages=stages()).fit(frame)
    made = model.transform(frame)
    assert made.columns == ["text", "target", *COLUMNS]
    for name, kind in TYPES.items():
        field = made.schema[name]
        assert (field.dataType, field.nullable) == (ANNOTATION_COLUMN_TYPE, True), name
        assert field.metadata["annotatorType"] == kind, name
    rows = made.collect()
    assert [row.text for row in rows] == TEXTS
    for blank in rows[1:3]:
        assert [getattr(blank, name) for name in ANNOTATORS] == [[]] * len(ANNOTATORS)
        assert (blank.finished_token, blank.finished_embeddings) == ([], [])
    assert all(getattr(rows[0], name) for name in COLUMNS)
    model.write().overwrite().save(f"{tmp_path}/model")
    assert PipelineModel.load(f"{tmp_path}/model").transform(frame).collect() == rows


def test_no_stage_starts_a_job(spark, no_spark_job):
    frame = text_frame(spark)
    with no_spark_job():
        Pipeline(stages=stages()).fit(frame).transform(frame)


def test_null_annotations_give_null(any_spark):
    """Only a user's own column holds them: Spark NLP's stages fail on it."""
    frame = any_spark.range(0, 1, 1, 1).select(F.lit("a").alias("target"))
    for name, kind in TYPES.items():
        nothing = frame.withColumn(name, F.lit(None).cast(ANNOTATION_COLUMN_TYPE))
        frame = nothing.withMetadata(name, {"annotatorType": kind, "ref": "r", "dimension": 32})
    for stage in Pipeline(stages=stages()).fit(text_frame(any_spark)).stages:
        if isinstance(stage, (DocumentAssembler, MultiDocumentAssembler)):
            continue
        outputs = stage.getOutputCols() if hasattr(stage, "getOutputCols") else [stage.getOutputCol()]
        made = stage.transform(frame.drop(*outputs))
        (row,) = made.select(*outputs).collect()  # first() would leave a worker that Spark cannot use again
        assert row == (None,) * len(outputs), stage.uid


MODEL = str(tiny_bundle.bundle().path)
TWO_INPUTS = {
    "annotations": AlbertEmbeddings(model=MODEL, inputCols=["sentence", "token"]),
    "binary": AlbertEmbeddings(model=MODEL, inputCols=["sentence", "token"], vectorFormat="binary"),
    "spark-nlp": AlbertEmbeddings(model=MODEL, inputCols=["sentence", "token"], compatibility="spark-nlp"),
    "pooled": SentenceEmbeddings(inputCols=["sentence", "embeddings"]),
    "chunked": ChunkEmbeddings(inputCols=["ngrams", "embeddings"]),
}


def test_a_row_that_is_null_in_one_of_two_columns_gives_null(any_spark):
    frame = any_spark.createDataFrame(
        [(number, "One. Two.", "a") for number in range(4)], "id int, text string, target string"
    )
    annotated = Pipeline(stages=stages()[:6]).fit(frame).transform(frame).coalesce(1).cache()
    for name, stage in TWO_INPUTS.items():
        made = annotated
        first, second = stage.setOutputCol("out").getInputCols()
        for column, rows in ((first, [1, 3]), (second, [2, 3])):
            metadata = made.schema[column].metadata
            kept = F.when(~F.col("id").isin(rows), F.col(column))
            made = made.withColumn(column, kept).withMetadata(column, metadata)
        whole, *without = [row.out for row in sorted(stage.transform(made).collect(), key=lambda row: row.id)]
        assert len(whole) == {"pooled": 2, "chunked": 2}.get(name, 4), name
        assert without == [None, None, None], name
    annotated.unpersist()


def test_lost_metadata_do_not_matter(any_spark):
    """Some operations on a DataFrame lose it; then the order of the input columns identifies them."""
    frame = text_frame(any_spark)
    fitted = Pipeline(stages=stages()).fit(frame).stages
    made = PipelineModel(fitted[:4]).transform(frame)
    for name in ("sentence", "token"):
        made = made.withMetadata(name, LOST)
    again = PipelineModel(fitted[3:6]).transform(made.drop("embeddings"))
    assert all(row.ngrams and row.pooled and row.embeddings for row in again.filter("length(text) > 0").collect())
    with pytest.raises(ColumnError, match="Could not find a ref name in column embeddings"):
        fitted[4].transform(made.withMetadata("embeddings", LOST))
    fitted[4].setStorageRef("mine")
    assert fitted[4].transform(made.withMetadata("embeddings", LOST)).schema["pooled"].metadata["ref"] == "mine"


def test_a_light_pipeline_runs_them_all(spark):
    """Bit for bit as on a DataFrame; a Finisher leaves the columns it finishes."""
    frame = text_frame(spark)
    some = [stage for stage in stages() if not isinstance(stage, Doc2Chunk)]
    rows = Pipeline(stages=some[:-2]).fit(frame).transform(frame).collect()
    texts = [text or "" for text in TEXTS]
    light = LightPipeline(some[:-2], parse_embeddings=True).fullAnnotate(texts)
    for row, made in zip(rows, light, strict=True):
        del made["document"], made["again"]  # have no metadata there, as in Spark NLP
        for name, annotations in made.items():
            assert [(a.annotatorType, a.begin, a.end, a.result, a.metadata, a.embeddings) for a in annotations] == [
                tuple(a) for a in row[name]
            ], name
    assert list(light[0]) == [name for name in ANNOTATORS if name != "chunk"]
    assert LightPipeline(some).annotate("A dog.") == {"token": ["A", "dog", "."]}


def test_spark_nlps_grouping_holds_every_stage():
    ours = {name for name in ml.__all__ if name[0].isupper()}
    assert set(base.__all__) | set(annotator.__all__) == ours | {"Pipeline", "PipelineModel", "ReadAs"}
    assert not set(base.__all__) & set(annotator.__all__)
    assert all(getattr(ml, name) is getattr(base, name, getattr(annotator, name, None)) for name in ours)
    assert (base.Pipeline, base.PipelineModel) == (Pipeline, PipelineModel)
