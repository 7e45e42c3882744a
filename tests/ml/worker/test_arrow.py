"""Arrow arrays of exactly the types that Spark expects."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_type

from sparkalbert.errors import InferenceError
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, VECTORS
from sparkalbert.ml.worker import arrow
from sparkalbert.ml.worker.arrow import (
    annotation_array,
    binary_vector_array,
    list_array,
    metadata_array,
    vector_array,
)


def test_vectors_are_not_copied():
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    array = vector_array(vectors)
    assert array.to_pylist() == vectors.tolist()
    assert array.values.buffers()[1].address == vectors.ctypes.data


def test_arrays_have_exactly_the_types_spark_makes():
    vectors = vector_array(np.ones((3, 2), dtype=np.float32))
    rows = list_array(np.array([2, 1]), vectors, valid=np.ones(2, dtype=bool), nullable=False)
    assert rows.type == to_arrow_type(VECTORS)
    result = pa.array(["a", "b", "c"])
    metadata = metadata_array([("sentence", pa.array(["0", "0", "1"])), ("token", result)], 3)
    places = np.arange(3)
    items = annotation_array("token", places, places, result, metadata, vectors)
    column = list_array(np.array([2, 1]), items, valid=np.ones(2, dtype=bool), nullable=True)
    assert column.type == to_arrow_type(ANNOTATION_COLUMN_TYPE)
    assert items.to_pylist()[2] == {
        "annotatorType": "token",
        "begin": 2,
        "end": 2,
        "result": "c",
        "metadata": [("sentence", "1"), ("token", "c")],
        "embeddings": [1.0, 1.0],
    }


def test_annotations_without_vectors_have_empty_ones():
    empty = annotation_array("token", np.zeros(1), np.zeros(1), pa.array(["x"]), metadata_array([], 1), None)
    assert empty.to_pylist()[0]["embeddings"] == []
    assert empty.to_pylist()[0]["metadata"] == []


@pytest.mark.parametrize(
    ("make", "items"),
    [
        (lambda: vector_array(np.ones((3, 4), dtype=np.float32)), 12),
        (lambda: binary_vector_array(np.ones((3, 4), dtype=np.float32)), 48),
        (lambda: binary_vector_array(np.ones((3, 4), dtype=np.float32), "binary16"), 24),
        (lambda: list_array(np.array([5, 2]), pa.nulls(7), valid=np.ones(2, dtype=bool), nullable=True), 7),
        (lambda: metadata_array([("sentence", pa.array(["0"] * 9))], 9), 9),
    ],
    ids=["vectors", "binary", "binary16", "lists", "metadata"],
)
def test_an_array_that_needs_larger_offsets_is_refused(monkeypatch, make, items):
    monkeypatch.setattr(arrow, "_MAX_OFFSET", items)
    make().validate(full=True)
    monkeypatch.setattr(arrow, "_MAX_OFFSET", items - 1)
    with pytest.raises(InferenceError, match=f"have {items} items, expected at most {items - 1}") as raised:
        make()
    assert raised.value.__cause__ is None, "it is an error of a row"


def test_offsets_have_32_bits():
    assert arrow._offsets(np.array([2**30, 2**30 - 1])).tolist() == [0, 2**30, 2**31 - 1]
    with pytest.raises(InferenceError, match="have 2147483648 items, expected at most 2147483647"):
        arrow._offsets(np.array([2**30, 2**30]))
