"""The batch job: every row comes out, with the vectors the engine gives."""

import json

import numpy as np
import pytest
from pyarrow import parquet

from sparkalbert import WordEmbedder
from sparkalbert.errors import ColumnError, InputError
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_source import TextSource
from sparkalbert.ml.session.connect import is_connect_session
from tests import tiny_bundle
from tests.ml.job.rows import ROWS, rows_of


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
