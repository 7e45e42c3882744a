"""Bytes that are not UTF-8, in texts, tokens and metadata: every stage sees U+FFFD, as Spark shows them."""

from functools import partial

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.ml import Pipeline
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    Doc2Chunk,
    DocumentAssembler,
    EmbeddingsFinisher,
    Finisher,
    NGramGenerator,
    SentenceDetector,
    SentenceEmbeddings,
    Tokenizer,
)
from sparkalbert.ml.columns import add_column
from sparkalbert.ml.worker.udf import valid_strings
from tests import tiny_bundle

# Latin-1, an emoji as two encoded surrogates (CESU-8), a character that ends too soon.
BYTES = b"A caf\xe9 \xed\xa0\xbd\xed\xb8\x80 b. One \xe2\x82 more\xe2\x82"
SHOWN = "A caf\ufffd \ufffd\ufffd b. One \ufffd more\ufffd"


def stages():
    model = str(tiny_bundle.bundle().path)
    return [
        DocumentAssembler(inputCol="text", metadataCol="meta"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(model=model, inputCols=["sentence", "token"], outputCol="embeddings"),
        SentenceEmbeddings(inputCols=["sentence", "embeddings"], outputCol="pooled"),
        NGramGenerator(inputCols=["token"], outputCol="ngrams"),
        Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="target"),
        ChunkEmbeddings(inputCols=["chunk", "embeddings"], outputCol="chunked"),
        AlbertEmbeddings(model=model, inputCols=["tokens"], outputCol="vectors"),
        EmbeddingsFinisher(inputCols=["embeddings"], outputCols=["finished_vectors"]),
        Finisher(inputCols=["token"], outputCols=["finished"], cleanAnnotations=False),
    ]


MADE = ["sentence", "token", "embeddings", "pooled", "ngrams", "chunked", "vectors", "finished_vectors", "finished"]


def frames(spark):
    """The same row from the bytes and from the text that Spark shows for them."""
    frame = spark.createDataFrame([(bytearray(BYTES), SHOWN)], "bytes binary, shown string")
    for text in (F.col("bytes").cast("string"), F.col("shown")):
        yield frame.select(
            text.alias("text"),
            F.create_map(F.lit("source"), text).alias("meta"),
            text.alias("target"),
            F.array(text, F.lit("tea")).alias("tokens"),
        )


def test_every_stage_sees_what_spark_shows(any_spark):
    broken, shown = (
        Pipeline(stages=stages()).fit(frame).transform(frame).select(*MADE).collect() for frame in frames(any_spark)
    )
    assert broken == shown
    (row,) = broken
    assert [sentence.result for sentence in row.sentence] == ["A caf\ufffd \ufffd\ufffd b.", "One \ufffd more\ufffd"]
    assert row.token[-1].end == len(SHOWN) - 1 == row.sentence[-1].end
    assert row.chunked[0].metadata["source"] == SHOWN
    assert len(row.vectors) == 2
    assert any(row.vectors[0])


@pytest.mark.parametrize(
    "more", [b"", b"\xed\xa0", b"\xe2\x82\xed\xb8\x80", "한\u0ada\u0bed".encode() * 3000 + b"\xff"]
)
def test_text_that_is_kept_is_what_the_stages_see(spark, more):
    frame = spark.createDataFrame([(bytearray(BYTES + more),), (None,)], "bytes binary")
    text = F.col("bytes").cast("string")
    kept = frame.select(text.alias("text"), valid_strings(text, StringType()).alias("kept")).collect()
    assert kept[0].kept == kept[0].text
    assert kept[0].kept.startswith(SHOWN[:-1])
    assert kept[1].kept is None


def test_the_document_ends_where_its_text_ends(spark):
    """Its offsets are computed in the JVM, those of sentences in Python."""
    (broken, _) = frames(spark)
    (row,) = stages()[0].transform(broken).collect()
    assert (row.document[0].result, row.document[0].end) == (SHOWN, len(SHOWN) - 1)


def with_bytes(field, token):
    """A token whose field contains the first of the tokens."""
    text = F.element_at("tokens", 1)
    metadata = F.map_from_arrays(F.array(F.lit("sentence"), F.lit("id")), F.array(F.lit("0"), text))
    return token.withField(field, text if field == "result" else metadata)


@pytest.mark.parametrize("field", ["result", "metadata"])
def test_bytes_within_annotations(any_spark, field):
    """As another stage may have written them."""
    model = str(tiny_bundle.bundle().path)
    embedded = []
    for frame in frames(any_spark):
        made = Pipeline(stages=stages()[:3]).fit(frame).transform(frame)
        tokens = F.transform("token", partial(with_bytes, field))
        changed = made.select("sentence", tokens.alias("new"))
        tokens = add_column(changed, "token", F.col("new"), {"annotatorType": "token"})
        stage = AlbertEmbeddings(model=model, inputCols=["sentence", "token"], outputCol="embeddings")
        ngrams = NGramGenerator(inputCols=["token"], outputCol="ngrams")
        embedded.append(ngrams.transform(stage.transform(tokens)).select("embeddings", "ngrams").collect())
    assert embedded[0] == embedded[1]
    assert embedded[0][0].embeddings


def test_a_parquet_file_with_a_wrong_byte(any_spark, tmp_path):
    texts = pa.array([BYTES, b"fine"]).view(pa.string())
    parquet.write_table(pa.table({"text": texts}), tmp_path / "texts.parquet")
    frame = any_spark.read.parquet(str(tmp_path / "texts.parquet")).withColumn(
        "meta", F.create_map().cast("map<string,string>")
    )
    made = Pipeline(stages=stages()[:4]).fit(frame).transform(frame).select("token").collect()
    assert sorted(row.token[0].result for row in made) == ["A", "fine"]
