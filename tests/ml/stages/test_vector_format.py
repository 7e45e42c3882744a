"""Vectors as bytes: the same numbers to the last bit, there and back, in every session and on disk."""

import numpy as np
import pytest
from pyarrow import parquet
from pyspark.sql import functions as F

from sparkalbert import binary_to_numpy
from sparkalbert.errors import InferenceError, ParamError
from sparkalbert.ml import AlbertEmbeddings, LightPipeline, binary_to_array
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.job.text_source import TextSource
from sparkalbert.ml.schema import BINARY_VECTORS, VECTORS
from sparkalbert.ml.worker.arrow import binary_vector_array
from tests import tiny_bundle

TEXTS = ["The river was high. The bank closed.", "", None, "\u200b", "A smile 🙂 and a café."]
TOKENS = [["The", "river"], [], None, ["", "\u200b"], ["bank"] * 700]


@pytest.fixture(scope="module")
def folder():
    return str(tiny_bundle.bundle().path)


def token_frame(spark):
    return spark.createDataFrame(list(enumerate(TOKENS)), "id long, tokens array<string>")


def text_frame(spark):
    return spark.createDataFrame(list(enumerate(TEXTS)), "id long, text string")


def of_tokens(frame, folder, form):
    stage = AlbertEmbeddings(model=folder, inputCols=["tokens"], outputCol="vectors", vectorFormat=form)
    return stage.transform(frame).select("id", "vectors")


def of_texts(frame, folder, form):
    stage = AlbertEmbeddings(model=folder, vectorFormat=form)
    out = text_pipeline(stage).fit(frame).transform(frame)
    column = F.col("embeddings") if form == "binary" else F.col("embeddings").getField("embeddings")
    return out.select("id", column.alias("vectors"))


def by_id(frame):
    return {row.id: row.vectors for row in frame.collect()}


@pytest.mark.parametrize(("frame_of", "embedded", "nulls"), [(token_frame, of_tokens, 1), (text_frame, of_texts, 0)])
def test_the_bytes_are_the_numbers(any_spark, folder, frame_of, embedded, nulls):
    """A null list of tokens stays null; a null text has no words, as in Spark NLP."""
    frame = frame_of(any_spark)
    binary = embedded(frame, folder, "binary")
    assert binary.schema["vectors"].dataType == BINARY_VECTORS
    numbers, found = by_id(embedded(frame, folder, "float")), by_id(binary)
    assert found.keys() == numbers.keys() == set(range(5))
    assert sum(vectors is None for vectors in numbers.values()) == nulls
    for number, vectors in numbers.items():
        if vectors is None:
            assert found[number] is None
            continue
        assert len(found[number]) == len(vectors)
        expected = np.array(vectors, dtype=np.float32).reshape(len(vectors), 32 if vectors else 0)
        assert binary_to_numpy(found[number]).tobytes() == expected.tobytes()


def test_spark_reads_them_back_bit_for_bit(any_spark, folder):
    frame = token_frame(any_spark)
    decoded = of_tokens(frame, folder, "binary").select("id", binary_to_array("vectors").alias("vectors"))
    assert decoded.schema["vectors"].dataType == VECTORS
    assert by_id(decoded) == by_id(of_tokens(frame, folder, "float"))


def test_a_part_of_a_column_is_read_back_too(spark, folder):
    """Filters and explode in front, and vectors of several lengths in one column."""
    binary = of_tokens(token_frame(spark), folder, "binary").where("id != 0")
    halved = binary.select("id", F.transform("vectors", lambda vector: F.substring(vector, 1, 64)).alias("vectors"))
    both = binary.unionByName(halved).select("id", binary_to_array(F.col("vectors")).alias("vectors"))
    widths = {len(vector) for row in both.collect() for vector in row.vectors or ()}
    assert widths == {16, 32}


def test_the_batch_job_writes_them(spark, folder, tmp_path):
    (tmp_path / "in.txt").write_text("The river was high.\n\nThe bank closed.\n", encoding="utf-8")
    source = TextSource(f"file:{tmp_path}/in.txt", "text")
    stage = AlbertEmbeddings.pretrained(folder)
    for form in ("float", "binary"):
        target = VectorTarget(str(tmp_path / form), vectors=form)
        summary = embed_texts(spark, stage, source, target)
        assert (summary.rows, summary.tokens) == (3, 9)
    tables = [parquet.read_table(tmp_path / form).to_pandas() for form in ("float", "binary")]
    numbers, binary = (table.set_index("text").sort_index() for table in tables)
    for text in numbers.index:
        expected = [list(vector) for vector in numbers.vectors[text]]
        assert binary_to_numpy(binary.vectors[text]).tolist() == expected
        assert list(binary.tokens[text]) == list(numbers.tokens[text])


def test_half_precision_halves_the_bytes_and_rounds(any_spark, folder):
    frame = token_frame(any_spark)
    numbers, found = by_id(of_tokens(frame, folder, "float")), by_id(of_tokens(frame, folder, "binary16"))
    decoded = of_tokens(frame, folder, "binary16").select("id", binary_to_array("vectors", "binary16").alias("vectors"))
    read_back = by_id(decoded)
    assert decoded.schema["vectors"].dataType == VECTORS
    for number, vectors in numbers.items():
        if not vectors:
            assert found[number] == vectors == read_back[number]
            continue
        exact, rounded = np.array(vectors, dtype=np.float32), binary_to_numpy(found[number], "binary16")
        assert {len(vector) for vector in found[number]} == {2 * exact.shape[1]}
        assert np.array_equal(rounded, np.array(read_back[number], dtype=np.float32))
        assert np.array_equal(rounded, exact.astype(np.float16))
        assert np.abs(rounded - exact).max() <= np.abs(exact).max() / 2048


def test_a_number_too_large_for_half_precision_is_refused():
    vectors = np.array([[1.0, 70_000.0]], dtype=np.float32)
    with pytest.raises(InferenceError, match="A vector has the number 70000, too large for binary16"):
        binary_vector_array(vectors, "binary16")
    assert binary_to_numpy(binary_vector_array(vectors).to_pylist()).tolist() == vectors.tolist()


def test_an_unknown_format_is_refused():
    for decode in (binary_to_numpy, binary_to_array):
        with pytest.raises(ParamError, match="vector_format is 'float', expected one of binary, binary16"):
            decode([bytes(4)], "float")


@pytest.mark.parametrize("form", ["binary", "binary16"])
@pytest.mark.parametrize("wrong", [{"annotations": True}, {"format": "json"}], ids=["annotations", "json"])
def test_bytes_go_into_a_parquet_column_of_their_own(wrong, form):
    with pytest.raises(ParamError, match="Binary vectors require Parquet"):
        VectorTarget("out", vectors=form, **wrong)


def test_binary_vectors_are_refused_where_tokens_are_left_out_or_numbers_expected(spark, folder):
    stage = AlbertEmbeddings(model=folder, vectorFormat="binary", compatibility="spark-nlp")
    frame = text_frame(spark)
    with pytest.raises(ParamError, match="compatibility"):
        text_pipeline(stage).fit(frame).transform(frame)
    light = LightPipeline(text_pipeline(AlbertEmbeddings(model=folder, vectorFormat="binary")))
    with pytest.raises(ParamError, match="vectorFormat"):
        light.annotate("The river was high.")
    with pytest.raises(ParamError, match="vectorFormat is 'bytes', expected one of float, binary"):
        AlbertEmbeddings(vectorFormat="bytes")


def test_no_vectors_are_an_empty_array_and_odd_bytes_are_refused():
    assert binary_to_numpy([]).shape == (0, 0)
    with pytest.raises(ParamError, match="4, 8 bytes"):
        binary_to_numpy([b"1234", b"12345678"])
    with pytest.raises(ParamError, match="5 bytes"):
        binary_to_numpy([b"12345"])
