"""Bytes become the numbers that they are, in any slice and beside null rows; anything else is refused."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_type

from sparkalbert.errors import ParamError
from sparkalbert.ml.schema import VECTORS
from sparkalbert.ml.vectors import _DecodeTask

ROWS = [[[1.0, -2.5], [0.5, 3.0]], None, [], [[7.0], [8.0, 9.0, np.inf]]]


def binary(rows, numbers_are="<f4"):
    encoded = [row and [np.array(vector, dtype=numbers_are).tobytes() for vector in row] for row in rows]
    return pa.array(encoded, pa.list_(pa.binary()))


def decoded(column, vector_format="binary"):
    (array,) = _DecodeTask(vector_format)(iter([(column,)]))
    array.validate(full=True)
    assert array.type == to_arrow_type(VECTORS)
    return array.to_pylist()


@pytest.mark.parametrize(("vector_format", "numbers_are"), [("binary", "<f4"), ("binary16", "<f2")])
def test_any_slice_of_a_column_is_decoded(vector_format, numbers_are):
    column = binary(ROWS, numbers_are)
    for start in range(len(ROWS)):
        for stop in range(start, len(ROWS) + 1):
            assert decoded(column.slice(start, stop - start), vector_format) == ROWS[start:stop]


def test_what_is_not_a_vector_is_refused():
    with pytest.raises(ParamError, match="1 of 2 vectors are null, expected bytes"):
        decoded(pa.array([[b"1234"], [None]], pa.list_(pa.binary())))
    with pytest.raises(ParamError, match="not a multiple of 4 bytes, expected float32 numbers"):
        decoded(pa.array([[b"1234", b"12345"]], pa.list_(pa.binary())))
