"""The folder of a batch job: replaced only if a job wrote it, and only by a complete result."""

import threading

import pytest

from sparkalbert.errors import InputError, OutputError, ParamError
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_source import TextSource
from tests.ml.job.rows import ROWS, rows_of


def test_existing_output_is_kept_by_default(any_spark, stage, texts, tmp_path):
    output = tmp_path / "vectors"
    source, target = TextSource(str(texts)), VectorTarget(str(output))
    embed_texts(any_spark, stage, source, target)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    with pytest.raises(OutputError, match=r"already exists\. Pass overwrite=True \(--overwrite"):
        embed_texts(any_spark, stage, source, target)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    embed_texts(any_spark, stage, source, VectorTarget(str(output), overwrite=True))
    assert len(rows_of(output)) == len(ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.jsonl", "vectors"]


def test_a_folder_that_spark_did_not_write_is_never_replaced(any_spark, stage, texts, tmp_path):
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"already exists\. Remove it first, or choose another folder"):
        embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(mine), overwrite=True))
    assert (mine / "chapter.txt").read_text() == "years of work"


def test_an_empty_folder_is_replaced(any_spark, stage, texts, tmp_path):
    (tmp_path / "vectors").mkdir()
    embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "vectors")))
    assert len(rows_of(tmp_path / "vectors")) == len(ROWS)


def test_its_own_input_is_never_replaced(any_spark, stage, texts, tmp_path):
    once = tmp_path / "data" / "lang=en"
    once.parent.mkdir()
    embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(once)))
    (tmp_path / "link").symlink_to(once)
    before = {path.name: path.read_bytes() for path in once.iterdir()}
    for path in ("data/lang=en", "data/lang=en/*.parquet", "link", "data", "data/lang=e*", "d*", "l*k"):
        source = TextSource(f"file:{tmp_path}/{path}", "parquet", id_cols=["id"])
        with pytest.raises(OutputError, match=r"=en/ cannot be written: it contains the texts of .* Choose another"):
            embed_texts(any_spark, stage, source, VectorTarget(f"{once}/", overwrite=True))
    assert {path.name: path.read_bytes() for path in once.iterdir()} == before
    assert sorted(path.name for path in once.parent.iterdir()) == ["lang=en"]


def test_its_own_input_is_not_replaced_where_only_spark_can_write(connect_spark, stage, texts, tmp_path, far):
    url = far(connect_spark)
    folder = tmp_path / "far" / "once"
    connect_spark.range(1).selectExpr("id", "'A river.' AS text").coalesce(1).write.parquet(f"file:{folder}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    source = TextSource(f"{url}/on*", "parquet", id_cols=["id"])
    with pytest.raises(OutputError, match=r"once cannot be written: it contains the texts of viewfs://.*/on\*\."):
        embed_texts(connect_spark, stage, source, VectorTarget(f"{url}/once", overwrite=True))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_failed_job_leaves_the_old_output_and_nothing_else(any_spark, stage, texts, tmp_path):
    output, broken = tmp_path / "vectors", tmp_path / "broken.csv"
    embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(output)))
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    broken.write_text("id,text\n" + "1,fine\n" * 50 + "1,one,column,too,many\n", encoding="utf-8")
    for target in (VectorTarget(str(output), overwrite=True), VectorTarget(str(tmp_path / "new"))):
        with pytest.raises(
            InputError, match=r"The text of (file:.*broken\.csv|the input) does not have the format and columns"
        ):
            embed_texts(any_spark, stage, TextSource(str(broken)), target)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.csv", "texts.jsonl", "vectors"]


def test_where_only_spark_can_write_it_writes_in_place(connect_spark, stage, texts, tmp_path, far):
    """A client cannot rename in the server's file system; Spark's committer puts _SUCCESS in at the end."""
    source, url, output = TextSource(str(texts)), far(connect_spark), tmp_path / "far" / "vectors"
    for overwrite in (False, True):
        embed_texts(connect_spark, stage, source, VectorTarget(f"{url}/vectors", overwrite=overwrite))
        assert (output / "_SUCCESS").exists()
        assert len(rows_of(output)) == len(ROWS)
    with pytest.raises(OutputError, match=r"already exists\. Pass overwrite=True"):
        embed_texts(connect_spark, stage, source, VectorTarget(f"{url}/vectors"))
    (tmp_path / "far" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"already exists\. Choose another folder"):
        embed_texts(connect_spark, stage, source, VectorTarget(url, overwrite=True))
    assert (tmp_path / "far" / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_cannot_be_written_is_an_output_error(any_spark, stage, texts):
    with pytest.raises(OutputError) as raised:
        embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget("/proc/vectors"))
    assert "/proc/" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_output_format_is_refused():
    with pytest.raises(ParamError, match="output format is 'csv'"):
        VectorTarget("x", "csv")  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError(32, "Broken pipe")])
def test_a_report_that_fails_at_the_end_loses_no_vectors(spark, stage, texts, tmp_path, caplog, error):
    def report(progress):
        if threading.current_thread() is threading.main_thread():  # the last report
            raise error

    with pytest.raises(type(error)):
        embed_texts(spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "out")), report)
    (work,) = tmp_path.glob(".out-incomplete-*")
    assert len(rows_of(work)) == len(ROWS)
    assert f"The complete result is in {work}" in caplog.text
