"""Several documents in one row: each token has the vector that it has when its document is alone."""

import numpy as np
import pytest
from pyspark.ml import Pipeline
from pyspark.sql import functions as F

from sparkalbert import WordEmbedder
from sparkalbert.errors import ColumnError
from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    DocumentAssembler,
    NGramGenerator,
    SentenceDetector,
    SentenceEmbeddings,
    Tokenizer,
)
from sparkalbert.ml.columns import add_column
from sparkalbert.ml.failures import raise_job_errors
from tests import tiny_bundle

ROWS = [
    ["The old man walked home.", "It was cold. She said so."],
    ["A smile 🙂 and a café 🙂!", "", None, "The old man walked home.", "🙂 A smile"],
    ["The old man walked home.", "The old man walked home."],
    ["", "One. Two. Three."],
    ["x"],
    [],
    None,
]
VECTORS = ["embeddings", "pooled", "chunked"]


def stages(**params):
    model = str(tiny_bundle.bundle().path)
    return [
        DocumentAssembler(inputCol="texts"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(model=model, inputCols=["sentence", "token"], outputCol="embeddings", **params),
    ]


def pooling():
    return [
        SentenceEmbeddings(inputCols=["sentence", "embeddings"], outputCol="pooled"),
        NGramGenerator(inputCols=["token"], outputCol="ngrams"),
        ChunkEmbeddings(inputCols=["ngrams", "embeddings"], outputCol="chunked"),
    ]


def transformed(frame, pipeline):
    return Pipeline(stages=pipeline).fit(frame).transform(frame)


def rows_of(spark, rows, pipeline=None):
    frame = spark.createDataFrame(list(enumerate(rows)), "id int, texts array<string>").coalesce(1)
    return transformed(frame, pipeline or [*stages(), *pooling()]).orderBy("id").collect()


def shown(annotations):
    return [(one.begin, one.end, one.result, one.embeddings) for one in annotations]


def test_every_vector_is_that_of_the_document_alone(any_spark):
    alone = sorted({text or "" for texts in ROWS for text in texts or ()})
    made = dict(zip(alone, rows_of(any_spark, [[text] for text in alone]), strict=True))
    for row, texts in zip(rows_of(any_spark, ROWS), ROWS, strict=True):
        for name in VECTORS:
            expected = [one for text in texts or () for one in shown(made[text or ""][name])]
            assert shown(row[name]) == expected, (texts, name)
        numbers = [int(one.metadata["sentence"]) for one in row.embeddings]
        assert numbers == [int(token.metadata["sentence"]) for token in row.token]
        assert numbers == sorted(numbers)
    words = WordEmbedder.load(tiny_bundle.bundle().path).embed(["It was cold. She said so."])[0]
    found = np.array(made["It was cold. She said so."].embeddings[0].embeddings, dtype=np.float32)
    np.testing.assert_array_equal(found, words.vectors[0])


def test_binary_vectors_are_the_same(spark):
    numbers = rows_of(spark, ROWS, stages())
    binary = rows_of(spark, ROWS, stages(vectorFormat="binary"))
    for row, other in zip(numbers, binary, strict=True):
        expected = [np.array(one.embeddings, dtype="<f4").tobytes() for one in row.embeddings]
        assert list(map(bytes, other.embeddings)) == expected


def test_documents_without_sentences_of_their_own(any_spark):
    """A Tokenizer on documents: they are numbered by their place in the row."""
    model = str(tiny_bundle.bundle().path)
    pipeline = [
        DocumentAssembler(inputCol="texts"),
        Tokenizer(inputCols=["document"]),
        AlbertEmbeddings(model=model, inputCols=["document", "token"], outputCol="embeddings"),
    ]
    alone = {text: row for text in ("One. Two.", "Two. One.") for row in rows_of(any_spark, [[text]], pipeline)}
    (row,) = rows_of(any_spark, [["One. Two.", "", "Two. One."]], pipeline)
    expected = shown(alone["One. Two."].embeddings) + shown(alone["Two. One."].embeddings)
    assert shown(row.embeddings) == expected
    assert [one.metadata["sentence"] for one in row.embeddings] == ["0"] * 4 + ["2"] * 4


def test_document_columns_that_were_joined(any_spark):
    frame = any_spark.createDataFrame([("One. Two.", "Two. One.")], "a string, b string")
    for name in ("a", "b"):
        frame = DocumentAssembler(inputCol=name, outputCol=f"{name}_document").transform(frame)
    joined = add_column(frame, "document", F.concat("a_document", "b_document"), {"annotatorType": "document"})
    (row,) = transformed(joined, stages()[1:]).collect()
    apart = rows_of(any_spark, [["One. Two."], ["Two. One."]])
    assert shown(row.embeddings) == [one for part in apart for one in shown(part.embeddings)]


def test_tokens_that_a_stage_changed_stay_in_their_sentence(any_spark):
    """As a stemmer changes them: a changed token is embedded as it is, with those of its own sentence."""
    frame = any_spark.createDataFrame([(["He walked. She stayed.", "They walked"],)], "texts array<string>")
    made = transformed(frame, stages()[:3])
    stemmed = F.transform("token", lambda one: one.withField("result", F.regexp_replace(one.result, "ed$", "")))
    changed = add_column(
        made.withColumn("stems", stemmed).drop("token"), "token", F.col("stems"), {"annotatorType": "token"}
    )
    (row,) = stages()[3].transform(changed.drop("stems")).collect()
    sentences = [["He", "walk", "."], ["She", "stay", "."], ["They", "walk"]]
    expected = WordEmbedder.load(tiny_bundle.bundle().path).embed_tokens(sentences)
    vectors = np.array([one.embeddings for one in row.embeddings], dtype=np.float32)
    np.testing.assert_array_equal(vectors, np.concatenate([words.vectors for words in expected]))


@pytest.mark.parametrize("texts", [["One. Two.", "Three."], ["", "One two", "one"], ["a b c", "a. b. c."]])
def test_tokens_that_number_documents_are_refused(any_spark, texts):
    """Refused rather than given the vector of another sentence."""
    pipeline = stages()
    pipeline[2].setInputCols("document")
    with (
        pytest.raises(ColumnError, match=r"A row has several documents, .* Use the sentence column"),
        raise_job_errors(),
    ):
        rows_of(any_spark, [texts], pipeline)


def test_spark_nlp_goes_by_offsets_alone(any_spark):
    """Its ``TokenizedWithSentence.unpack`` gives each sentence the tokens of every document at its place."""
    for row in rows_of(any_spark, ROWS, stages(compatibility="spark-nlp")):
        expected = [
            (token.begin, token.end, token.result.lower(), str(number))
            for number, sentence in enumerate(row.sentence)
            for token in row.token
            if sentence.begin <= token.begin and token.end <= sentence.end
        ]
        assert [(one.begin, one.end, one.result, one.metadata["sentence"]) for one in row.embeddings] == expected
