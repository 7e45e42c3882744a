"""Rows that a batch job cannot embed: null with their reason, counted, or the end of the job."""

import json

import pytest

from sparkalbert import AlbertEmbeddings
from sparkalbert.errors import InferenceError
from sparkalbert.ml.job import embed_job
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_source import TextSource
from tests import tiny_bundle
from tests.ml.job.rows import ROWS, rows_of


@pytest.fixture
def failing():
    """A stage that fails for each row with tokens, of which `ROWS` has three, if the vectors are binary16."""
    return AlbertEmbeddings.pretrained(str(tiny_bundle.overflowing().path)).setOnError("null")


def test_rows_that_fail_are_counted_and_keep_their_reason(any_spark, failing, texts, tmp_path):
    output = tmp_path / "out"
    summary = embed_texts(any_spark, failing, TextSource(str(texts)), VectorTarget(str(output), vectors="binary16"))
    assert (summary.rows, summary.failures, summary.nulls) == (len(ROWS), 3, 1)
    assert (summary.tokens, summary.windows) == (0, 0), "of the rows that were embedded"
    assert json.loads((output / "_summary.json").read_text(encoding="utf-8"))["failures"] == 3
    rows = {row["id"]: row for row in rows_of(output)}
    assert list(rows[1]) == ["id", "text", "tokens", "begin", "end", "vectors", "error"]
    for number, row in rows.items():
        assert row["vectors"] == (None if number in {1, 2, 4, 6} else [])
        assert (row["error"] or "").startswith("A vector has the number ") is (number in {1, 4, 6})


def test_too_many_failures_leave_nothing(any_spark, failing, texts, tmp_path):
    target = VectorTarget(str(tmp_path / "out"), vectors="binary16")
    with pytest.raises(InferenceError) as raised:
        embed_texts(any_spark, failing.setMaxErrorFraction(0.4), TextSource(str(texts)), target)
    assert str(raised.value) == (
        "3 of 6 rows cannot be embedded, more than maxErrorFraction 0.4 (--max-error-fraction) allows. Set onError to "
        "'fail' (--on-error fail) to see the reason of the first, or increase maxErrorFraction."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


def test_a_client_that_cannot_count_warns_that_failures_are_not_checked_at_the_end(
    connect_spark, failing, texts, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(embed_job, "_HAS_OBSERVATIONS", False)  # as pyspark 3.5 on Spark Connect
    source, target = TextSource(str(texts)), VectorTarget(str(tmp_path / "out"), vectors="binary16", overwrite=True)
    summary = embed_texts(connect_spark, failing.setMaxErrorFraction(0), source, target)
    assert (summary.rows, summary.failures) == (None, None)
    assert sum(row["error"] is not None for row in rows_of(tmp_path / "out")) == 3
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert (
        "maxErrorFraction (--max-error-fraction) is checked only within each partition, from its row 100 on" in warning
    )
    caplog.clear()
    embed_texts(connect_spark, failing.setOnError("fail"), source, VectorTarget(str(tmp_path / "other")))
    assert caplog.records == []


def test_too_many_failures_where_only_spark_can_write_name_the_folder(connect_spark, failing, texts, tmp_path, far):
    folder = f"{far(connect_spark)}/vectors"
    target = VectorTarget(folder, vectors="binary16")
    with pytest.raises(InferenceError) as raised:
        embed_texts(connect_spark, failing.setMaxErrorFraction(0), TextSource(str(texts)), target)
    left = f"The rows were written to {folder}, which only Spark can reach. Remove that folder."
    assert str(raised.value).startswith("3 of 6 rows cannot be embedded")
    assert str(raised.value).endswith(left)
    assert (tmp_path / "far" / "vectors" / "_SUCCESS").exists()


def test_a_row_that_ends_the_job_is_of_the_column_of_texts(any_spark, failing, texts, tmp_path):
    target = VectorTarget(str(tmp_path / "out"), vectors="binary16")
    with pytest.raises(InferenceError) as raised:
        embed_texts(any_spark, failing.setOnError("fail"), TextSource(str(texts)), target)
    assert "Row 0 in partition 0 of column 'text' cannot be embedded: A vector has the number" in str(raised.value)
    assert "set onError to 'null' (--on-error null) to keep the others" in str(raised.value)
