"""The stages after the embeddings, on what the real Spark NLP recorded: its columns in, its columns out.

The inputs are the recorded ones, so no model is needed and nothing but the stage itself can differ.
"""

import json
import re

import numpy as np
import pytest
from pyspark.sql.types import StructType

from sparkalbert.ml import (
    ChunkEmbeddings,
    Doc2Chunk,
    EmbeddingsFinisher,
    Finisher,
    NGramGenerator,
    SentenceEmbeddings,
)

TOLERANCE = 1e-4
SOURCES = ("id", "text", "target", "document", "sentence", "token", "embeddings")


def sentence_vectors(document, strategy):
    return SentenceEmbeddings(inputCols=[document, "embeddings"], outputCol="se", poolingStrategy=strategy)


def chunk_vectors(strategy):
    return ChunkEmbeddings(inputCols=["chunk", "embeddings"], outputCol="ce", poolingStrategy=strategy)


def target_chunks():
    return Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="target")


def pairs():
    return NGramGenerator(inputCols=["token"], outputCol="chunk", n=2)


# For each recording: the stages, and the column whose content was recorded.
RECORDINGS = {
    "embeddingsfinisher-default": ([EmbeddingsFinisher(inputCols=["embeddings"])], "finished_embeddings"),
    "embeddingsfinisher-vector-clean": (
        [EmbeddingsFinisher(inputCols=["embeddings"], outputCols=["vec"], outputAsVector=True, cleanAnnotations=True)],
        "vec",
    ),
    "sentenceembeddings-average": ([sentence_vectors("sentence", "AVERAGE")], "se"),
    "sentenceembeddings-sum": ([sentence_vectors("sentence", "SUM")], "se"),
    "sentenceembeddings-document-average": ([sentence_vectors("document", "AVERAGE")], "se"),
    "sentenceembeddings-document-sum": ([sentence_vectors("document", "SUM")], "se"),
    "doc2chunk": ([target_chunks()], "chunk"),
    "chunkembeddings-average": ([target_chunks(), chunk_vectors("AVERAGE")], "ce"),
    "chunkembeddings-sum": ([target_chunks(), chunk_vectors("SUM")], "ce"),
    "ngram-chunk": ([pairs()], "chunk"),
    "chunkembeddings-ngram": ([pairs(), chunk_vectors("AVERAGE")], "ce"),
    "finisher-default": ([Finisher(inputCols=["token", "sentence"])], "finished_token"),
    "finisher-string": (
        [Finisher(inputCols=["token", "sentence"], outputAsArray=False, cleanAnnotations=False)],
        "finished_token",
    ),
    "finisher-metadata": (
        [Finisher(inputCols=["token"], outputCols=["t"], includeMetadata=True)],
        "t_metadata",
    ),
}
every_recording = pytest.mark.parametrize("name", RECORDINGS)


@pytest.fixture(scope="module")
def recorded_row(recorded_folder, recorded_texts):
    """A recorded row, as a tuple in the order of SOURCES."""
    vectors = np.load(recorded_folder / "pipeline-vectors.npz")["batch1"]
    blank = {"text": None, "document": [[0, -1, "", {"sentence": "0"}]], "sentence": [], "token": []}
    blank |= {"embeddings": [], "vectors": [0, 0]}
    others = {"null-0": blank, "empty-0": {**blank, "text": ""}}

    def row(identity):
        made = recorded_texts.get(identity) or others[identity]
        start, stop = made["vectors"]
        words = [
            ("word_embeddings", begin, end, result, word_metadata(result, sentence, piece), vector.tolist())
            for (begin, end, result, sentence, piece), vector in zip(
                made["embeddings"], vectors[start:stop], strict=True
            )
        ]
        return (
            identity,
            made["text"],
            target_of(made["text"]),
            [("document", *document, []) for document in made["document"]],
            *(
                [(kind, *place, {"sentence": sentence}, []) for *place, sentence in made[column]]
                for kind, column in [("document", "sentence"), ("token", "token")]
            ),
            words,
        )

    return row


def word_metadata(result, sentence, piece):
    return {
        "sentence": sentence,
        "token": result,
        "pieceId": piece,
        "isWordStart": "true",
        "isOOV": "false",
    }


def target_of(text):
    found = re.search(r"(\w+ \w+)", text or "", re.ASCII)
    return found and found[1]


@pytest.fixture
def recorded_frame(recorded_row, recorded_output, recorded_schema):
    """The input of a recording, or its first rows, with the schema it had."""
    fields = {field["name"]: field for field in recorded_schema("chunkembeddings-ngram")["fields"]}

    def frame(spark, name, rows=None):
        names = [column for column in SOURCES if column != "target" or has_target(name)]
        schema = StructType.fromJson({"type": "struct", "fields": [fields[column] for column in names]})
        kept = [SOURCES.index(column) for column in names]
        full = [recorded_row(row["id"]) for row in recorded_output(name)[:rows]]
        made = spark.createDataFrame([tuple(row[place] for place in kept) for row in full], schema)
        assert [json.loads(field.json()) for field in made.schema.fields] == [fields[c] for c in names]
        return made

    return frame


def has_target(name):
    return not name.startswith(("embeddingsfinisher", "sentenceembeddings"))


def transformed(frame, name):
    stages, _ = RECORDINGS[name]
    for stage in stages:
        frame = stage.transform(frame)
    return frame


def plain(value):
    """Annotations as they were recorded; vectors as arrays."""
    if value is None or isinstance(value, str):
        return value
    return [item(one) for one in value]


def item(one):
    if isinstance(one, str):
        return one
    if hasattr(one, "toArray"):
        return list(one.toArray())
    return [dict(part) if isinstance(part, dict) else part for part in one]


def same(found, recorded):
    if isinstance(found, float):
        return abs(found - recorded) <= TOLERANCE
    if isinstance(found, list):
        if len(found) != len(recorded):
            return False
        if found and isinstance(found[0], float):
            return bool(np.allclose(found, recorded, rtol=0, atol=TOLERANCE))
        return all(map(same, found, recorded))
    return bool(found == recorded)


@every_recording
def test_every_row_is_as_recorded(spark, name, recorded_frame, recorded_output):
    _, column = RECORDINGS[name]
    found = {
        row["id"]: plain(row[column])
        for row in transformed(recorded_frame(spark, name), name).select("id", column).collect()
    }
    recorded = {row["id"]: row["out"] for row in recorded_output(name)}
    assert found.keys() == recorded.keys()
    assert [identity for identity, out in recorded.items() if not same(found[identity], out)] == []


@every_recording
def test_the_schema_is_as_recorded(any_spark, name, recorded_frame, recorded_schema):
    schema = transformed(recorded_frame(any_spark, name, rows=1), name).schema
    recorded = recorded_schema(name)
    assert schema.names == recorded["columns"]
    assert [json.loads(field.json()) for field in schema.fields] == recorded["fields"]


@every_recording
def test_parquet_changes_nothing(any_spark, tmp_path, name, recorded_frame, recorded_schema):
    """It forgets what is never null, for which the real finishers refuse its columns."""
    frame = recorded_frame(any_spark, name, rows=8)
    frame.write.parquet(f"{tmp_path}/recorded")
    read = any_spark.read.parquet(f"{tmp_path}/recorded")
    assert read.schema["token"].dataType != frame.schema["token"].dataType  # else this test tests nothing
    _, column = RECORDINGS[name]
    again = transformed(read, name)
    assert again.columns == recorded_schema(name)["columns"]
    made = {field["name"]: field for field in recorded_schema(name)["fields"]}
    if not name.startswith("embeddingsfinisher"):  # a plain field of the column read
        assert json.loads(again.schema[column].json()) == made[column]
    expected = {row["id"]: row[column] for row in transformed(frame, name).select("id", column).collect()}
    assert {row["id"]: row[column] for row in again.select("id", column).collect()} == expected
