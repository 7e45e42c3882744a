"""Chunk vectors: of the words inside each chunk, of its own sentence only."""

import numpy as np
import pytest
from pyspark.ml import Pipeline

from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    Doc2Chunk,
    DocumentAssembler,
    NGramGenerator,
    SentenceDetector,
    Tokenizer,
)
from tests import tiny_bundle

TEXT = "The old \u200b man. It was cold"


def annotated(spark, text=TEXT, target=""):
    stages = [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["sentence", "token"], outputCol="embeddings"),
        NGramGenerator(inputCols=["token"], outputCol="pairs"),
        Doc2Chunk(inputCols=["document"], outputCol="given", chunkCol="targets", isArray=True),
    ]
    frame = spark.createDataFrame([(text, target.split("|"))], "text string, targets array<string>")
    return Pipeline(stages=stages).fit(frame).transform(frame)


def vectors(annotations):
    return np.array([one.embeddings for one in annotations], dtype=np.float32)


@pytest.mark.parametrize("strategy", ["AVERAGE", "SUM"])
def test_pairs_have_the_vectors_of_their_two_words(any_spark, strategy):
    stage = ChunkEmbeddings(
        inputCols=["embeddings", "pairs"], outputCol="made", poolingStrategy=strategy, skipOOV=False
    )
    row = stage.transform(annotated(any_spark)).first()
    words = vectors(row.embeddings)
    first = [0, 1, 2, 3, 5, 6]  # no pair crosses the end of the sentence
    total = words[first] + words[[place + 1 for place in first]]
    np.testing.assert_array_equal(vectors(row.made), total / np.float32(2) if strategy == "AVERAGE" else total)
    assert [(one.begin, one.end, one.result) for one in row.made] == [(o.begin, o.end, o.result) for o in row.pairs]
    assert [one.metadata["sentence"] for one in row.made] == ["0"] * 4 + ["1"] * 2
    assert {one.annotatorType for one in row.made} == {"word_embeddings"}


@pytest.mark.parametrize("skip", [None, True, False])
def test_words_without_a_vector_of_their_own_are_skipped_by_default(any_spark, skip):
    stage = ChunkEmbeddings(inputCols=["pairs", "embeddings"], outputCol="made", skipOOV=skip)
    row = stage.transform(annotated(any_spark)).first()
    old, blank = vectors(row.embeddings)[1:3]
    assert not blank.any()
    np.testing.assert_array_equal(vectors(row.made)[1], old / np.float32(2) if skip is False else old)


def test_a_chunk_without_words_is_left_out(any_spark):
    stage = ChunkEmbeddings(inputCols=["given", "embeddings"], outputCol="made")
    row = stage.transform(annotated(any_spark, "The old man", "ld m|old|The old man|nothing")).first()
    assert [one.result for one in row.given] == ["ld m", "old", "The old man"]
    assert [(one.result, one.metadata["chunk"]) for one in row.made] == [("old", "1"), ("The old man", "2")]
    words = vectors(row.embeddings)
    np.testing.assert_array_equal(vectors(row.made)[0], words[1])
    np.testing.assert_array_equal(vectors(row.made)[1], (words[0] + words[1] + words[2]) / np.float32(3))


def test_the_columns_metadata_is_that_of_the_words(any_spark):
    frame = annotated(any_spark)
    made = ChunkEmbeddings(inputCols=["pairs", "embeddings"], outputCol="made").transform(frame)
    assert made.schema["made"].metadata == frame.schema["embeddings"].metadata
