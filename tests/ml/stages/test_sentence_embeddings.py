"""Sentence vectors: means and sums of the words' vectors in single precision, and the column's metadata."""

import numpy as np
import pytest
from pyspark.ml import Pipeline

from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, SentenceEmbeddings, Tokenizer
from tests import tiny_bundle

TEXTS = ["The old man walked home. It was cold!", "🙂 One.", "", None]


def annotated(spark):
    stages = [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"], contextChars=[".", "!"]),
        AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["sentence", "token"], outputCol="embeddings"),
    ]
    frame = spark.createDataFrame(list(enumerate(TEXTS)), "id int, text string").coalesce(1)
    return Pipeline(stages=stages).fit(frame).transform(frame).orderBy("id")


def pooled(words, strategy):
    """The sum in the words' order, as a loop on the JVM adds them."""
    total = np.zeros(32, dtype=np.float32)
    for word in words:
        total += np.array(word.embeddings, dtype=np.float32)
    return total / np.float32(len(words)) if strategy == "AVERAGE" else total


@pytest.mark.parametrize("strategy", ["AVERAGE", "SUM"])
def test_vectors_are_pooled_in_single_precision(any_spark, strategy):
    stage = SentenceEmbeddings(inputCols=["embeddings", "sentence"], poolingStrategy=strategy)
    for row in stage.transform(annotated(any_spark)).collect():
        assert len(row.sentence_embeddings) == len(row.sentence)
        for number, (sentence, made) in enumerate(zip(row.sentence, row.sentence_embeddings, strict=True)):
            words = [word for word in row.embeddings if word.metadata["sentence"] == str(number)]
            np.testing.assert_array_equal(np.array(made.embeddings, dtype=np.float32), pooled(words, strategy))
            assert (made.annotatorType, made.begin, made.end, made.result) == (
                "sentence_embeddings",
                sentence.begin,
                sentence.end,
                sentence.result,
            )
            assert made.metadata == {
                "sentence": str(number), "token": sentence.result, "pieceId": "-1", "isWordStart": "true",
            }  # fmt: skip


def test_a_sentence_without_words_has_an_empty_vector(any_spark):
    frame = annotated(any_spark)
    none = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["sentence", "few"], outputCol="some")
    fewer = frame.selectExpr("sentence", "filter(token, one -> one.metadata['sentence'] = '1') AS few")
    made = SentenceEmbeddings(inputCols=["sentence", "some"]).transform(none.transform(fewer)).first()
    assert [len(one.embeddings) for one in made.sentence_embeddings] == [0, 32]


def test_the_columns_metadata_names_width_and_origin(any_spark):
    frame = annotated(any_spark)
    name = tiny_bundle.bundle().manifest.name
    stage = SentenceEmbeddings(inputCols=["sentence", "embeddings"])
    made = stage.transform(frame).schema["sentence_embeddings"].metadata
    assert made == {"annotatorType": "sentence_embeddings", "dimension": 100, "ref": name}
    made = stage.setDimension(32).setStorageRef("mine").transform(frame).schema["sentence_embeddings"].metadata
    assert made == {"annotatorType": "sentence_embeddings", "dimension": 32, "ref": "mine"}
