"""Arrow functions as columns on every Spark, and strings whose bytes are not UTF-8."""

import itertools
import logging

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.stages import python_pass
from sparkalbert.ml.worker.udf import ArrowSeries, arrow_column, valid_utf8
from tests import tiny_bundle

LISTS = pa.list_(pa.string())


def broken(values):
    """A string array with any bytes."""
    return pa.array(values, pa.binary()).view(pa.string())


BROKEN, REPAIRED = [b"caf\xe9", None, b"tea", b"\xc3\xa9"], ["caf\ufffd", None, "tea", "é"]


def test_valid_strings_are_not_copied():
    for array in (
        pa.array(["a", None, "é🙂"]),
        pa.array([["a"], None, []], LISTS),
        pa.array([1, None]),
        pa.array([], LISTS),
    ):
        assert valid_utf8(array) is array


def test_strings_are_repaired_at_every_depth():
    flat = broken(BROKEN)
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 1, 4], pa.int32()), flat)
    entries = pa.StructArray.from_arrays([flat, pa.array([1, 2, 3, 4])], names=["key", "n"])
    nested = pa.ListArray.from_arrays(pa.array([0, 4], pa.int32()), entries)
    assert valid_utf8(flat).to_pylist() == REPAIRED
    assert valid_utf8(lists).to_pylist() == [REPAIRED[:1], [], REPAIRED[1:]]
    assert valid_utf8(nested).to_pylist() == [[{"key": text, "n": n} for n, text in enumerate(REPAIRED, 1)]]
    for array in (flat, lists, nested):
        assert valid_utf8(array).type == array.type
        valid_utf8(array).validate(full=True)


def test_slices_and_null_rows_stay_as_they_are():
    bounds, null = pa.array([0, 1, 1, 3, 4], pa.int32()), pa.array([False, True, False, False])
    rows = pa.ListArray.from_arrays(bounds, broken([b"\xff", b"a", b"\xff", b"b"]), mask=null)
    for start in range(4):
        for stop in range(start, 5):
            expected = [["\ufffd"], None, ["a", "\ufffd"], ["b"]][start:stop]
            assert valid_utf8(rows.slice(start, stop - start)).to_pylist() == expected


def test_the_strings_that_were_changed_are_counted_but_not_shown(caplog):
    with caplog.at_level(logging.WARNING, "sparkalbert"):
        valid_utf8(broken([b"\xffsecret", "\ufffd".encode(), None, b"\xed\xa0\xbd"]))
    assert caplog.messages == ["2 strings contain invalid UTF-8, which was replaced by U+FFFD."]


EDGES = bytes([0x41, 0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF])


def test_bytes_are_decoded_as_spark_shows_them(spark):
    """All sequences of bytes at which a rule of UTF-8 begins or ends."""
    rows = [bytes(each) for count in (1, 2, 3) for each in itertools.product(EDGES, repeat=count)]
    rows += [b"\xf0\x9f\x98" + each for each in rows[:300]]
    frame = spark.createDataFrame([(index, bytearray(row)) for index, row in enumerate(rows)], "i int, b binary")
    shown = {row.i: row.text for row in frame.selectExpr("i", "cast(b AS string) AS text").collect()}
    assert valid_utf8(broken(rows)).to_pylist() == [shown[index] for index in range(len(rows))]


def test_a_series_of_arrow_is_not_boxed():
    array = pa.array([["a"], None])
    series = ArrowSeries(pa_extension(array))
    assert series.apply(list) is series
    assert series[:1].apply(list).tolist() == [["a"]]
    assert pa.Array.from_pandas(series).to_pylist() == [["a"], None]


def pa_extension(array):
    import pandas as pd

    return pd.arrays.ArrowExtensionArray(array)


class Longer:
    """A function of two columns that answers each batch with arrays of one row."""

    def __call__(self, batches):
        for words, more in batches:
            for word, other in zip(words.to_pylist(), more.to_pylist(), strict=True):
                yield pa.array([None if word is None else [*word, other]], LISTS)


def test_a_function_may_answer_in_any_number_of_arrays(any_spark):
    frame = any_spark.createDataFrame([(["a"], "b"), (None, "c"), ([], None)], "words array<string>, more string")
    column = arrow_column(Longer(), [F.col("words"), F.col("more")], (LISTS, pa.string()), ArrayType(StringType()))
    rows = frame.coalesce(1).select(column.alias("v")).collect()
    assert [row.v for row in rows] == [["a", "b"], None, [None]]


def test_older_sparks_get_the_same_through_pandas(spark, monkeypatch):
    """Spark 3.5 and 4.0 have no Arrow UDFs; the pandas UDFs used there exist in later versions too."""
    texts = ["The old man. It was cold.", None, "", "A smile 🙂 and a café"]
    frame = spark.createDataFrame(list(enumerate(texts)), "id int, text string").coalesce(1)
    pipeline = text_pipeline(AlbertEmbeddings.pretrained(str(tiny_bundle.bundle().path)))
    tokens = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["words"], outputCol="v")
    words = frame.select(F.split("text", " ").alias("words"))
    expected = pipeline.fit(frame).transform(frame).collect(), tokens.transform(words).collect()
    monkeypatch.delattr(F, "arrow_udf", raising=False)
    monkeypatch.setattr(python_pass, "JOINS_STAGES", False)
    made = pipeline.fit(frame).transform(frame)
    assert "ArrowEvalPython" in made._jdf.queryExecution().executedPlan().toString()
    assert (made.collect(), tokens.transform(words).collect()) == expected
    assert np.array(expected[1][0].v).shape == (6, 32)
