from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_type

from sparkalbert.ml.schema import ANNOTATIONS, VECTORS
from sparkalbert.ml.worker.arrow import (
    annotation_array,
    list_array,
    list_bounds,
    metadata_array,
    vector_array,
)


def test_vectors_are_not_copied():
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    array = vector_array(vectors)
    assert array.to_pylist() == vectors.tolist()
    assert array.values.buffers()[1].address == vectors.ctypes.data


@given(st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=10), st.integers(0, 4))
def test_bounds_of_sliced_lists(counts, start):
    array = pa.array([None if n is None else ["x"] * n for n in counts], pa.list_(pa.string())).slice(start)
    bounds, valid = list_bounds(array)
    assert valid.tolist() == [n is not None for n in counts[start:]]
    values = array.values.to_pylist()
    rows = [values[a:b] for a, b in pairwise(bounds)]
    assert [row if ok else None for row, ok in zip(rows, valid, strict=True)] == array.to_pylist()


def test_arrays_have_exactly_the_types_spark_makes():
    vectors = vector_array(np.ones((3, 2), dtype=np.float32))
    rows = list_array(np.array([2, 1]), vectors, valid=np.ones(2, dtype=bool), nullable=False)
    assert rows.type == to_arrow_type(VECTORS)
    result = pa.array(["a", "b", "c"])
    metadata = metadata_array([("sentence", pa.array(["0", "0", "1"])), ("token", result)], 3)
    places = np.arange(3)
    items = annotation_array("token", places, places, result, metadata, vectors)
    column = list_array(np.array([2, 1]), items, valid=np.ones(2, dtype=bool), nullable=True)
    assert column.type == to_arrow_type(ANNOTATIONS)
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
