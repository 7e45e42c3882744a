"""One annotation: to rows and back, with the type that annotation columns have."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from sparkalbert.ml import Annotation
from sparkalbert.ml.annotation import _java_texts, annotation_list, result_list
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, ANNOTATION_TYPE
from sparkalbert.ml.worker.arrow import ARROW_COLUMN_TYPE

ONE = Annotation("token", 5, 11, "Hendrix", {"sentence": "0"}, [])
FLOATS = [  # as java.lang.Float.toString writes them
    (0.0, "0.0"),
    (-0.0, "-0.0"),
    (1.0, "1.0"),
    (0.1, "0.1"),
    (1e-3, "0.001"),
    (9.99e-4, "9.99E-4"),
    (-1e-10, "-1.0E-10"),
    (9999999.0, "9999999.0"),
    (1e7, "1.0E7"),
    (16777216.0, "1.6777216E7"),
    (3.4028235e38, "3.4028235E38"),
    (1.17549435e-38, "1.1754944E-38"),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (float("-inf"), "-Infinity"),
]


def test_text_equality_and_copy():
    assert str(ONE) == repr(ONE) == "Annotation(token, 5, 11, Hendrix, {'sentence': '0'}, [])"
    copied = ONE.copy("hendrix")
    assert copied == Annotation("token", 5, 11, "hendrix", {"sentence": "0"}, [])
    assert copied != ONE
    assert ONE != "Annotation"


def test_types_are_those_of_annotation_columns():
    assert Annotation.dataType() == ANNOTATION_TYPE
    assert Annotation.arrayType() == ANNOTATION_COLUMN_TYPE


def test_rows_there_and_back(any_spark):
    vector = Annotation("word_embeddings", 0, 0, "i", {"token": "i"}, [0.5, -1.0])
    rows = [([Annotation.toRow(ONE), Annotation.toRow(vector)],)]
    frame = any_spark.createDataFrame(rows, "a " + ANNOTATION_COLUMN_TYPE.simpleString())
    (row,) = frame.collect()
    assert [Annotation.fromRow(one) for one in row.a] == [ONE, vector]


def test_a_function_over_annotations_makes_a_column_of_the_right_type(spark):
    frame = spark.createDataFrame([([Annotation.toRow(ONE)],)], "a " + ANNOTATION_COLUMN_TYPE.simpleString())

    def lower(annotations):
        return [Annotation.toRow(Annotation.fromRow(one).copy(one.result.lower())) for one in annotations]

    out = frame.select(F.udf(lower, Annotation.arrayType())("a").alias("a"))
    assert out.schema["a"].dataType == ANNOTATION_COLUMN_TYPE
    assert [Annotation.fromRow(one) for one in out.collect()[0].a] == [ONE.copy("hendrix")]


def structs(*values):
    names = [field.name for field in ARROW_COLUMN_TYPE.value_type]
    items = [dict(zip(names, one, strict=True)) for one in values]
    return pa.array(items, type=ARROW_COLUMN_TYPE.value_type)


def test_arrow_structs_become_annotations():
    array = structs(
        ("token", 0, 0, "a", {"sentence": "0"}, []),
        ("token", 1, 1, "b", {"sentence": None}, [0.1, 2]),
        ("token", 2, 2, "c", {}, [3]),
    )
    vector = np.array([0.1, 2], dtype=np.float32).tolist()
    expected = [
        Annotation("token", 1, 1, "b", {"sentence": None}, vector),
        Annotation("token", 2, 2, "c", {}, [3.0]),
    ]
    assert annotation_list(array, with_vectors=True)[1:] == expected
    assert annotation_list(array[1:], with_vectors=True) == expected
    assert [one.embeddings for one in annotation_list(array, with_vectors=False)] == [[], [], []]
    assert annotation_list(array[:0], with_vectors=True) == []


@given(st.lists(st.floats(width=32)))
def test_any_float_is_written_with_the_shortest_digits(values):
    array = np.array(values, dtype=np.float32)
    written = _java_texts(array)
    np.testing.assert_array_equal(np.array(written, dtype=np.float32), array)
    for text, value in zip(written, array, strict=True):
        shortest = np.format_float_scientific(value, unique=True, trim="-")
        assert Decimal(text) == Decimal(shortest) or value != value  # noqa: PLR0124 - NaN


@pytest.mark.parametrize("kind", ["word_embeddings", "sentence_embeddings"])
def test_vectors_as_text_are_written_as_java_writes_them(kind):
    values, written = zip(*FLOATS, strict=True)
    array = structs((kind, 0, 0, "a", {}, values), (kind, 0, 0, "b", {}, []))
    assert result_list(array, with_vectors=True) == [" ".join(written), ""]
    assert result_list(array, with_vectors=False) == ["a", "b"]


def test_results_of_other_annotators_stay_words():
    assert result_list(structs(("token", 0, 0, "a", {}, [])), with_vectors=True) == ["a"]
    assert result_list(structs(), with_vectors=True) == []
