"""Samples of texts: what is counted, and that rows are drawn from everywhere."""

import pytest

from sparkalbert.errors import InputError
from sparkalbert.ml.job.sample import sample_texts


def test_a_small_frame_is_taken_whole_and_nulls_are_rows_without_text(any_spark):
    frame = any_spark.createDataFrame([["ab"], [None], [""], ["cde"]], "`the text` string")
    sample = sample_texts(frame, "the text", 10)
    assert sorted(sample.texts) == ["", "ab", "cde"]
    assert (sample.rows, sample.characters, sample.scale) == (4, 5, 1.0)


def test_a_large_frame_is_drawn_from_everywhere(spark):
    frame = spark.range(0, 10_000, 1, 4).selectExpr("lpad(id, 10, '0') as text")
    sample = sample_texts(frame, "text", 500)
    assert len(sample.texts) == 500
    assert (sample.rows, sample.characters) == (10_000, 100_000)
    assert sample.scale == 20.0
    numbers = sorted(int(text) for text in sample.texts)
    assert abs(sum(numbers) / 500 - 5000) < 500, "not from one end of it"


@pytest.mark.parametrize("rows", [[], [[None]], [[""]]])
def test_no_text_at_all_is_an_error(spark, rows):
    with pytest.raises(InputError, match="contains no text"):
        sample_texts(spark.createDataFrame(rows, "text string"), "text", 10)
