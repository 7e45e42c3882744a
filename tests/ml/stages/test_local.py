"""Steps without Spark: columns by type, rows, and Python beside a stage's SQL."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.ml import PipelineModel

from sparkalbert.errors import ParamTypeError
from sparkalbert.ml import DocumentAssembler
from sparkalbert.ml.stages.document_assembler import CLEANUP_MODES
from sparkalbert.ml.stages.local import LocalRows, columns_by_type, identity_step
from sparkalbert.ml.worker.arrow import ARROW_COLUMN_TYPE

TYPES = {"doc": "document", "sent": "document", "tok": "token"}
# Java's white space, what Python takes for some too, and what trim removes or does not.
SPACES = " \t\n\r\x0b\x0c\x00\x1c\x1f\x7f\x85\u00a0\u1680\u2003\u2028\u3000\ufeff"


def test_columns_are_found_by_type_in_any_order():
    expected = {"document": "sent", "token": "tok"}
    assert columns_by_type(["tok", "sent"], ("document", "token"), TYPES, "stage") == expected


@pytest.mark.parametrize("columns", [["tok"], ["doc", "sent"], ["doc", "tok", "sent"], ["doc", "none"], []])
def test_other_columns_are_refused(columns):
    with pytest.raises(ParamTypeError, match=r"inputCols annotators in stage Make .*\['document', 'token'\]$"):
        columns_by_type(columns, ("document", "token"), TYPES, "stage")


def test_rows_gain_and_lose_columns():
    rows = LocalRows(["a", "b"], {})
    assert rows.column("x").to_pylist() == [[], []]
    assert rows.column("x").type == ARROW_COLUMN_TYPE
    two = rows.with_column("x", pa.array([1, 2])).with_column("y", pa.array([3, 4]))
    assert two.select(["y", "x", "z"]).columns.keys() == {"x": 0, "y": 0}.keys()
    assert two.select(["y"]).columns.keys() == {"y"}
    assert rows.columns == {}
    assert identity_step(two) is two


@settings(max_examples=6)
@given(texts=st.lists(st.text(st.sampled_from(SPACES + "anrt\\🙂"), max_size=20), min_size=1, max_size=40))
def test_documents_are_those_of_the_sql_expression(spark, texts):
    frame = spark.createDataFrame([(text,) for text in texts], "text string").coalesce(1)
    stages = {mode: DocumentAssembler(inputCol="text", outputCol=mode, cleanupMode=mode) for mode in CLEANUP_MODES}
    rows = PipelineModel([*stages.values()]).transform(frame).collect()
    for mode, stage in stages.items():
        expected = [row[mode][0].asDict() for row in rows]
        (column,) = stage._local_step({})(LocalRows(texts, {})).columns.values()
        assert column.type == ARROW_COLUMN_TYPE
        found = [one for (one,) in column.to_pylist()]
        assert found == [{**one, "metadata": []} for one in expected]
