"""The batch job: every row comes out, with the vectors the engine gives, whole or not at all."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from sparkalbert import AlbertEmbeddings, WordEmbedder
from sparkalbert.errors import ColumnError, InferenceError, InputError, OutputError, ParamError
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.ml.job import embed_job
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.job.text_source import TextSource
from sparkalbert.ml.session.connect import is_connect_session
from tests import tiny_bundle
from tests.child_processes import own_spark_environment

ROWS = [
    {"id": 1, "text": "The river was high. Nobody could cross it!"},
    {"id": 2, "text": None},
    {"id": 3, "text": ""},
    {"id": 4, "text": "Café 😀 prices: £5, then £9,"},
    {"id": 5, "text": " \t "},
    {"id": 6, "text": "A line\nand another"},
]


@pytest.fixture
def stage():
    return AlbertEmbeddings.pretrained(str(tiny_bundle.bundle().path))


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def rows_of(folder):
    return sorted(parquet.read_table(folder).to_pylist(), key=lambda row: row["id"])


def units(text):
    """Where UTF-16 units begin, by character; Spark NLP's offsets count them."""
    return np.cumsum([0, *(len(character.encode("utf-16-le")) // 2 for character in text)])


def test_every_row_comes_out_with_the_engines_vectors(any_spark, stage, texts, tmp_path):
    output = tmp_path / "vectors"
    summary = embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(output)))
    rows = rows_of(output)
    assert [(row["id"], row["text"]) for row in rows] == [(row["id"], row["text"]) for row in ROWS]
    embedder = WordEmbedder.load(tiny_bundle.bundle().path)
    for row in rows:
        if row["text"] is None:
            assert [row[name] for name in ("tokens", "begin", "end", "vectors")] == [None] * 4
            continue
        (expected,) = embedder.embed([row["text"]])
        at = units(row["text"])
        assert row["tokens"] == expected.tokens
        assert row["begin"] == at[expected.start].tolist()
        assert row["end"] == (at[expected.stop] - 1).tolist()
        vectors = np.array(row["vectors"], dtype=np.float32).reshape(-1, embedder.dimension)
        assert np.array_equal(vectors, expected.vectors)
    assert (summary.rows, summary.tokens) == (len(ROWS), sum(len(row["tokens"] or ()) for row in rows))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.jsonl", "vectors"]


def test_annotations_are_spark_nlps(any_spark, stage, texts, tmp_path):
    output = tmp_path / "annotations"
    source, target = TextSource(str(texts), id_cols=["id"]), VectorTarget(str(output), annotations=True)
    embed_texts(any_spark, stage, source, target)
    rows = rows_of(output)
    assert list(rows[0]) == ["id", "embeddings"]
    first = rows[0]["embeddings"][0]
    assert list(first) == ["annotatorType", "begin", "end", "result", "metadata", "embeddings"]
    assert (first["annotatorType"], first["begin"], first["end"], first["result"]) == (
        "word_embeddings",
        0,
        2,
        "the",
    )
    assert rows[1]["embeddings"] is None
    assert rows[2]["embeddings"] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.txt", "One line.\n\nAnd a third\n"),
        ("table.csv", 'text,n\nOne line.,1\n"",2\n"And a ""third""\nin two lines",3\n'),
        ("objects.json", '{"text": "One line."}\n{"text": ""}\n{"text": "And a third"}\n'),
    ],
)
def test_each_format_keeps_every_row(spark, stage, tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    target = VectorTarget(str(tmp_path / "out"), "json")
    summary = embed_texts(spark, stage, TextSource(str(tmp_path / name)), target)
    written = [json.loads(line) for part in (tmp_path / "out").glob("part-*") for line in part.read_text().splitlines()]
    assert summary.rows == len(written) == 3
    assert [row["tokens"][:2] for row in written] == [["One", "line"], [], ["And", "a"]]


def test_its_own_output_is_an_input(spark, stage, texts, tmp_path):
    embed_texts(spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "once")))
    source = TextSource(str(tmp_path / "once"), "parquet", id_cols=["id"], partitions=3)
    embed_texts(spark, stage, source, VectorTarget(str(tmp_path / "twice")))
    once, twice = rows_of(tmp_path / "once"), rows_of(tmp_path / "twice")
    assert [row["vectors"] for row in once] == [row["vectors"] for row in twice]


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


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ({"path": "nowhere.txt"}, InputError, "nowhere.txt cannot be read as text"),
        ({"path": "texts.jsonl", "text_col": "body"}, ColumnError, "'body'.* id, text"),
        ({"path": "texts.jsonl", "text_col": "id"}, ColumnError, "'id' is bigint, expected string"),
        ({"path": "texts.jsonl", "id_cols": ["key"]}, ColumnError, "'key'"),
    ],
)
def test_what_cannot_be_read_is_named(any_spark, stage, texts, tmp_path, source, error, message):
    path = str(texts.with_name(source["path"]))
    with pytest.raises(error, match=message):
        embed_texts(any_spark, stage, TextSource(**{**source, "path": path}), VectorTarget(str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_column_called_like_a_result_is_refused(spark, stage, tmp_path):
    (tmp_path / "in.csv").write_text("text,Begin\na,1\n", encoding="utf-8")
    source, target = TextSource(str(tmp_path / "in.csv")), VectorTarget(str(tmp_path / "out"))
    with pytest.raises(ColumnError, match=r"has the columns Begin.*--id-cols"):
        embed_texts(spark, stage, source, target)
    kept = TextSource(str(tmp_path / "in.csv"), id_cols=[])
    assert embed_texts(spark, stage, kept, target).rows == 1


def test_an_unknown_output_format_is_refused():
    with pytest.raises(ParamError, match="output format is 'csv'"):
        VectorTarget("x", "csv")  # type: ignore[arg-type]


def test_files_are_cut_finely_and_settings_put_back(any_spark, stage, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("The river was high.\n" * 2000, encoding="utf-8")
    names = ["spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes"]
    before = [any_spark.conf.get(name) for name in names]
    reports = []
    embed_texts(any_spark, stage, TextSource(str(lines)), VectorTarget(str(tmp_path / "out")), reports.append)
    assert [any_spark.conf.get(name) for name in names] == before
    assert len(list((tmp_path / "out").glob("part-*"))) == 2, "one task for each of the session's two cores"
    assert max(report.total for report in reports) >= 2
    if not is_connect_session(any_spark):  # Connect may end before its last report
        assert reports[-1].done == reports[-1].total
    assert all(report.done <= report.total for report in reports)


def test_the_callers_stage_is_not_changed(spark, stage, texts, tmp_path):
    stage.setInputCols("a", "b").setOutputCol("c")
    before = stage.extractParamMap()
    target = VectorTarget(str(tmp_path / "out"), vectors="binary")
    embed_texts(spark, stage, TextSource(str(texts), text_col="TEXT"), target)
    assert stage.extractParamMap() == before
    assert stage.getVectorFormat() == "float"


def test_fields_of_structs_are_texts_and_keys(any_spark, stage, tmp_path):
    rows = [{"doc": {"text": "One. Two.", "meta": {"id": 7}}}, {"doc": None}]
    (tmp_path / "in.json").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = TextSource(str(tmp_path / "in.json"), text_col="doc.text", id_cols=["doc.meta.id"])
    embed_texts(any_spark, stage, source, VectorTarget(str(tmp_path / "out")))
    table = parquet.read_table(tmp_path / "out").to_pylist()
    found = sorted(((row["doc.meta.id"], row["tokens"]) for row in table), key=str)
    assert found == [(7, ["One", ".", "Two", "."]), (None, None)]
    everything = TextSource(str(tmp_path / "in.json"), text_col="doc.text")
    embed_texts(any_spark, stage, everything, VectorTarget(str(tmp_path / "all")))
    assert parquet.read_table(tmp_path / "all").column_names == ["doc", "tokens", "begin", "end", "vectors"]


def test_invalid_utf8_is_embedded_as_it_is_shown(any_spark, stage, tmp_path):
    (tmp_path / "latin.txt").write_bytes("A café.\n".encode("latin-1"))
    (tmp_path / "utf.txt").write_text("A caf\ufffd.\n", encoding="utf-8")
    found = []
    for name in ("latin", "utf"):
        source = TextSource(str(tmp_path / f"{name}.txt"))
        summary = embed_texts(any_spark, stage, source, VectorTarget(str(tmp_path / name)))
        assert (summary.rows, summary.tokens) == (1, 3)
        (row,) = parquet.read_table(tmp_path / name).to_pylist()
        found.append(row)
    assert found[0] == found[1]
    assert found[0]["text"] == "A caf\ufffd."
    assert found[0]["tokens"] == ["A", "caf\ufffd", "."]


def test_invalid_utf8_in_any_column_that_is_kept_is_replaced(any_spark, stage, tmp_path):
    bad = r"cast(X'636166E9' as string)"
    columns = {
        "id": "1",
        "text": "'A river.'",
        "plain": bad,
        "list": f"array({bad}, 'tea', null)",
        "struct": f"named_struct('a.b', {bad}, 'n', 1)",
        "map": f"map({bad}, array({bad}))",
        "none": f"if(false, named_struct('a', {bad}), null)",
        "number": "2.5",
    }
    frame = any_spark.sql("SELECT " + ", ".join(f"{value} AS `{name}`" for name, value in columns.items()))
    frame.write.parquet(str(tmp_path / "in"))
    embed_texts(any_spark, stage, TextSource(str(tmp_path / "in"), "parquet"), VectorTarget(str(tmp_path / "out")))
    (row,) = parquet.read_table(tmp_path / "out").to_pylist()
    good = "caf\ufffd"
    assert {name: row[name] for name in columns} == {
        "id": 1,
        "text": "A river.",
        "plain": good,
        "list": [good, "tea", None],
        "struct": {"a.b": good, "n": 1},
        "map": [(good, [good])],
        "none": None,
        "number": row["number"],
    }
    written = any_spark.read.parquet(str(tmp_path / "out")).select(*columns).schema
    assert written.simpleString() == frame.schema.simpleString()


def test_its_own_input_is_never_replaced(any_spark, stage, texts, tmp_path):
    embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "once")))
    (tmp_path / "link").symlink_to(tmp_path / "once")
    before = {path.name: path.read_bytes() for path in (tmp_path / "once").iterdir()}
    for path in ("once", "once/*.parquet", "link"):
        source = TextSource(f"file:{tmp_path}/{path}", "parquet", id_cols=["id"])
        with pytest.raises(OutputError, match=r"once/ cannot be written: it contains the texts of .* Choose another"):
            embed_texts(any_spark, stage, source, VectorTarget(f"{tmp_path}/once/", overwrite=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "once").iterdir()} == before


def test_a_summary_that_cannot_be_written_is_a_warning(any_spark, stage, texts, tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(embed_job.tempfile, "TemporaryDirectory", refuse)
    summary = embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "out")))
    assert summary.rows == len(rows_of(tmp_path / "out")) == len(ROWS)
    assert f"{tmp_path / 'out'} has no _summary.json, which cannot be written" in caplog.text


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


def test_counts_are_never_columns_of_a_pipeline(spark, stage, texts, tmp_path):
    embed_texts(spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "out")))
    names = ["text", "document", "sentence", "token", "embeddings"]
    frame = spark.createDataFrame([("A river.",)], "text string")
    assert text_pipeline(stage).fit(frame).transform(frame).columns == names
    stage.setOnError("null")
    assert text_pipeline(stage).fit(frame).transform(frame).columns == [*names, "embeddings_error"]


def test_a_folder_that_cannot_be_written_is_an_output_error(any_spark, stage, texts):
    with pytest.raises(OutputError) as raised:
        embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget("/proc/vectors"))
    assert "/proc/" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("report", [None, lambda _: None], ids=["silent", "reported"])
def test_its_jobs_are_described_in_sparks_ui(spark, stage, texts, tmp_path, report):
    embed_texts(spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "out")), report)
    context = spark.sparkContext._jsc.sc()
    context.listenerBus().waitUntilEmpty()
    jobs = context.statusStore().jobsList(None)  # the newest first
    assert jobs.apply(0).description().get() == f"sparkalbert: {texts}"


def test_progress_leaves_the_job_group_as_it_was(spark, stage, texts, tmp_path):
    context = spark.sparkContext
    context.setJobGroup("mine", "my own jobs")
    try:
        embed_texts(spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "out")), lambda _: None)
        assert context.getLocalProperty("spark.jobGroup.id") == "mine"
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)


def test_spark_submit_runs_the_command_in_its_own_session(tmp_path, texts):
    """The entry file and the settings of conf/, as on a cluster."""
    root = Path(__file__).resolve().parents[3]
    output = tmp_path / "vectors"
    command = [
        Path(sys.executable).with_name("spark-submit"),
        *(
            "--master",
            "local[1]",
            "--conf",
            "spark.driver.host=127.0.0.1",
            "--conf",
            "spark.ui.enabled=false",
        ),
        *(root / "conf" / "submit.py", "embed", texts, "--output", output),
        *("--model", tiny_bundle.bundle().path, "--id-cols", "id"),
    ]
    environment = own_spark_environment()
    environment["SPARK_CONF_DIR"] = str(root / "conf")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the session of spark-submit" in done.stdout, "spark-submit puts both streams into one"
    assert "6 rows" in done.stdout
    assert [row["id"] for row in rows_of(output)] == [row["id"] for row in ROWS]


def test_the_summary_is_counted_and_written_beside_the_vectors(any_spark, stage, texts, tmp_path):
    output = tmp_path / "vectors"
    summary = embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(output)))
    counts = {"rows": len(ROWS), "nulls": 1, "failures": None, "replaced_texts": 0, "replacement_characters": 0}
    counts |= {"tokens": 23, "windows": 4, "pieceless_tokens": 0}
    assert asdict(summary) == {**counts, "duration_s": summary.duration_s}
    written = json.loads((output / "_summary.json").read_text(encoding="utf-8"))
    assert written == {**asdict(summary), "vectors": "float"}
    assert any_spark.read.parquet(str(output)).count() == len(ROWS)


@pytest.mark.parametrize("name", ["texts.csv", "texts.txt"])
def test_texts_in_another_encoding_are_counted(any_spark, stage, tmp_path, name):
    path = tmp_path / name
    path.write_bytes("text\ncafé\ntea\nnaïve\n".encode("windows-1252"))
    found = []
    for number, encoding in enumerate([None, "windows-1252"]):
        target = VectorTarget(str(tmp_path / f"out-{number}"))
        summary = embed_texts(any_spark, stage, TextSource(str(path), encoding=encoding), target)
        found.append((summary.replaced_texts, summary.replacement_characters))
    assert found == [(2, 2), (0, 0)]


@pytest.mark.parametrize("target", [{}, {"annotations": True}, {"vectors": "binary"}, {"level": "sentence"},
                                    {"level": "document", "vectors": "binary16"}])  # fmt: skip
def test_what_the_texts_consist_of_is_counted(any_spark, stage, tmp_path, target):
    long, bad = "the river " * 150, b"caf\xe9 na\xefve, \xe2\x82 \xef\xbf\xbd."
    lines = [long.encode(), "the \u200b river. the river.".encode(), b"", bad]
    (tmp_path / "in.txt").write_bytes(b"\n".join(lines) + b"\n")
    source = TextSource(str(tmp_path / "in.txt"))
    summary = embed_texts(any_spark, stage, source, VectorTarget(str(tmp_path / "out"), **target))
    texts = [line.decode("utf-8", "replace") for line in lines]
    embedder = WordEmbedder.load(tiny_bundle.bundle().path)
    assert (summary.rows, summary.nulls) == (4, 0)
    assert summary.tokens == sum(len(text.tokens) for text in embedder.embed(texts)) == 300 + 7 + 0 + 6
    windows = [len(encode_texts(tiny_bundle.bundle(), [text]).sequences) for text in texts]
    assert summary.windows == sum(windows)
    assert (windows[0] > 3, windows[1:]) == (True, [2, 0, 1])
    assert summary.pieceless_tokens == 3, "U+200B and two lone U+FFFD"
    assert (summary.replaced_texts, summary.replacement_characters) == (1, 4), "one of which was in the file"
