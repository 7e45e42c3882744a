"""Parts of annotation columns: the same from a Spark column and from an Arrow array."""

import pyarrow as pa
import pytest

from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE
from sparkalbert.ml.worker.arrow import ARROW_COLUMN_TYPE
from sparkalbert.ml.worker.fields import BEGIN, EMBEDDINGS, END, METADATA, RESULT, SENTENCE

ROWS = [
    [
        ("token", 0, 1, "a", {"sentence": "0"}, [1.0]),
        ("token", 3, 4, "b🙂", {"sentence": None, "x": "y"}, []),
    ],
    [],
    [("token", 0, -1, None, {}, None), ("token", 1, 2, "c", None, [0.5, 2.0])],
    [("token", 7, 9, "", {"x": "y"}, []), ("token", 7, 9, "d", {"sentence": "1"}, [3.0])],
]
FIELDS = [BEGIN, END, RESULT, METADATA, SENTENCE, EMBEDDINGS]


def arrow_rows(rows):
    names = [field.name for field in ARROW_COLUMN_TYPE.value_type]
    items = [None if row is None else [dict(zip(names, one, strict=True)) for one in row] for row in rows]
    return pa.array(items, type=ARROW_COLUMN_TYPE)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.name}-{field.key}")
def test_both_forms_read_the_same(spark, field):
    rows = [*ROWS, None]
    frame = spark.createDataFrame([(index, row) for index, row in enumerate(rows)], "i long, a " + simple())
    read = frame.select("i", field.column(frame.a).alias("part")).orderBy("i").collect()
    array = field.array(arrow_rows(rows))
    assert array.type == field.type
    assert array.to_pylist() == [plain(row.part) for row in read]


def simple():
    return ANNOTATION_COLUMN_TYPE.simpleString()


def plain(part):
    if isinstance(part, list):
        return [plain(item) for item in part]
    return part.asDict() if hasattr(part, "asDict") else part


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.name}-{field.key}")
def test_a_slice_of_an_array_has_a_slice_of_its_parts(field):
    whole = field.array(arrow_rows(ROWS))
    for start in range(len(ROWS)):
        assert field.array(arrow_rows(ROWS).slice(start, 2)).to_pylist() == whole.slice(start, 2).to_pylist()


def test_the_arrow_type_is_the_one_spark_makes(spark):
    to_arrow_type = pytest.importorskip("pyspark.sql.pandas.types").to_arrow_type
    assert ARROW_COLUMN_TYPE.equals(to_arrow_type(ANNOTATION_COLUMN_TYPE), check_metadata=False)
