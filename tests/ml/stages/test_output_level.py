"""Vectors of sentences and documents: the bits of WordEmbedder, in every format, however long a row is."""

import numpy as np
import pytest

from sparkalbert import WordEmbedder, binary_to_array, binary_to_numpy, binary_to_vector
from sparkalbert.errors import ParamError
from sparkalbert.ml import AlbertEmbeddings, LightPipeline
from sparkalbert.ml.job.embed_job import VectorTarget
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.schema import BINARY_VECTOR, BINARY_VECTORS, VECTOR, VECTORS
from sparkalbert.ml.stages.python_pass import annotator_workers_bytes
from tests import tiny_bundle

TEXTS = ["The river was high. Nobody could cross it!", "", None, "Café 😀 prices: £5.\u200b Then £9.", "\u200b"]
TYPES = {
    ("sentence", "float"): VECTORS,
    ("sentence", "binary"): BINARY_VECTORS,
    ("sentence", "binary16"): BINARY_VECTORS,
    ("document", "float"): VECTOR,
    ("document", "binary"): BINARY_VECTOR,
    ("document", "binary16"): BINARY_VECTOR,
}


@pytest.fixture(scope="module")
def folder():
    return str(tiny_bundle.bundle().path)


@pytest.fixture(scope="module")
def expected(folder):
    """The vectors of each text by level; a null text has no words."""
    embedded = WordEmbedder.load(folder).embed([text or "" for text in TEXTS])
    return {
        "sentence": [text.sentence_vectors() for text in embedded],
        "document": [text.text_vector() for text in embedded],
    }


def of_texts(spark, folder, texts=TEXTS, **params):
    frame = spark.createDataFrame(list(enumerate(texts)), "id long, text string")
    stage = AlbertEmbeddings(model=folder, **params)
    return text_pipeline(stage).fit(frame).transform(frame).select("id", "embeddings")


def by_id(frame):
    return [row.embeddings for row in sorted(frame.collect(), key=lambda row: row.id)]


@pytest.mark.parametrize(("level", "form"), TYPES)
def test_means_are_those_of_the_embedder(any_spark, folder, expected, level, form):
    frame = of_texts(any_spark, folder, outputLevel=level, vectorFormat=form)
    assert frame.schema["embeddings"].dataType == TYPES[level, form]
    for found, vectors in zip(by_id(frame), expected[level], strict=True):
        if form == "float":
            numbers = np.array(found, dtype=np.float32)
        else:
            numbers = binary_to_numpy([found] if level == "document" else found, form)
        rounded = vectors.astype(np.float16).astype(np.float32) if form == "binary16" else vectors
        assert np.array_equal(numbers.reshape(rounded.shape), rounded)


@pytest.mark.parametrize("form", ["binary", "binary16"])
def test_spark_reads_them_back(spark, folder, form):
    sentences = of_texts(spark, folder, outputLevel="sentence", vectorFormat=form)
    decoded = by_id(sentences.select("id", binary_to_array("embeddings", form).alias("embeddings")))
    for found, stored in zip(decoded, by_id(sentences), strict=True):
        assert found == binary_to_numpy(stored, form).tolist()
    documents = of_texts(spark, folder, outputLevel="document", vectorFormat=form)
    documents = documents.selectExpr("id", "if(id = 2, null, embeddings) as embeddings")
    decoded = by_id(documents.select("id", binary_to_vector("embeddings", form).alias("embeddings")))
    assert decoded[2] is None
    for found, stored in zip(decoded, by_id(documents), strict=True):
        assert found is None or found == binary_to_numpy([stored], form)[0].tolist()


def test_a_row_beyond_the_budget_has_the_same_vector(spark, folder):
    text = "The river was high. " * 3000
    plain, bounded = (
        by_id(of_texts(spark, folder, [text], outputLevel="document", **params))[0]
        for params in ({}, {"memoryBudgetMb": 275 + annotator_workers_bytes() // 1_000_000})
    )
    assert plain == bounded
    assert plain == WordEmbedder.load(folder).text_vectors([text])[0].tolist()


def test_a_null_row_of_annotations_stays_null(spark, folder):
    frame = spark.createDataFrame([(1, "The river."), (2, "Snow.")], "id long, text string")
    annotated = text_pipeline(AlbertEmbeddings(model=folder)).fit(frame).transform(frame).drop("embeddings")
    nulled = annotated.selectExpr("id", "if(id = 2, null, sentence) as sentence", "token")
    for level in ("sentence", "document"):
        stage = AlbertEmbeddings(
            model=folder, inputCols=["sentence", "token"], outputCol="embeddings", outputLevel=level
        )
        first, second = by_id(stage.transform(nulled))
        assert first is not None
        assert second is None


def test_with_spark_nlps_rows_only_their_tokens_count(spark, folder):
    (found,) = by_id(of_texts(spark, folder, ["A \u200b river."], outputLevel="document", compatibility="spark-nlp"))
    (words,) = by_id(of_texts(spark, folder, ["A \u200b river."], compatibility="spark-nlp"))
    vectors = np.array([word.embeddings for word in words], dtype=np.float32)
    assert len(vectors) == 3
    np.testing.assert_allclose(found, vectors.mean(axis=0), rtol=1e-6)


def test_what_cannot_be_is_refused(spark, folder):
    with pytest.raises(ParamError, match=r"outputLevel is 'documents'.*Did you mean 'document'"):
        AlbertEmbeddings(outputLevel="documents")
    tokens = spark.createDataFrame([(["a"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=folder, inputCols=["tokens"], outputCol="vectors", outputLevel="document")
    with pytest.raises(ParamError, match="computes from annotations only"):
        stage.transform(tokens)
    light = LightPipeline(text_pipeline(AlbertEmbeddings(model=folder, outputLevel="document")))
    with pytest.raises(ParamError, match=r"outputLevel of .* is 'document', which gives no annotations"):
        light.annotate("Snow.")
    with pytest.raises(ParamError, match="Annotations have a vector for each token, but level is 'sentence'"):
        VectorTarget("out", annotations=True, level="sentence")
