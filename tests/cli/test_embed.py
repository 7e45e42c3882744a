"""The commands that run Spark, in an existing session or in one of their own."""

import json
import re
import shutil
import subprocess
import sys
import time
import venv

import numpy as np
import pytest
from pyarrow import parquet

from sparkalbert import WordEmbedder, binary_to_numpy
from sparkalbert.cli import run
from sparkalbert.cli.files import SAMPLE
from sparkalbert.models import cached_bundles
from tests import tiny_bundle
from tests.child_processes import own_spark_environment


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_embed_reads_csv_and_writes_parquet(any_spark, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("key,body\na,The river was high.\nb,\n", encoding="utf-8")
    words = ["embed", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out"), "--text-col", "body"]
    options = ["--model", str(tiny_bundle.bundle().path), "--pooling", "first_last", "--layers", "-2,-1"]
    options += ["--max-sentence-length", "64", "--memory-budget-mb", "300"]
    assert run([*words, *options, "--id-cols", "key"]) == 0
    rows = sorted(parquet.read_table(tmp_path / "out").to_pylist(), key=lambda row: row["key"])
    assert [row["key"] for row in rows] == ["a", "b"]
    assert rows[0]["tokens"] == ["The", "river", "was", "high", "."]
    assert [len(vector) for vector in rows[0]["vectors"]] == [2 * 32] * 5, "first_last is two vectors in one"
    assert rows[1]["vectors"] is None, "an empty cell of a CSV file is null"
    shown = capsys.readouterr()
    assert "2 rows, 5 tokens, 1 windows" in shown.out
    assert "the existing session" in shown.err


def embedded(folder, name, *options):
    """Run ``embed`` on a file and return the rows that it wrote."""
    words = ["embed", str(folder / name), "--output", str(folder / "out"), "--overwrite", *options]
    if "--model" not in options:
        words += ["--model", str(tiny_bundle.bundle().path)]
    assert run(words) == 0
    return parquet.read_table(folder / "out").to_pylist()


def test_embed_reads_another_separator_and_encoding(spark, tmp_path):
    (tmp_path / "in.csv").write_bytes("key;text\na;Café, prices £5\n".encode("cp1252"))
    (row,) = embedded(tmp_path, "in.csv", "--sep", ";", "--encoding", "windows-1252")
    assert (row["key"], row["text"]) == ("a", "Café, prices £5")
    assert row["tokens"][0] == "Café"


def test_embed_says_that_a_file_has_another_encoding(spark, tmp_path, capsys):
    (tmp_path / "in.csv").write_bytes('text\nCafé\nTea\n""\n'.encode("cp1252"))
    embedded(tmp_path, "in.csv", "--on-error", "null")
    shown = capsys.readouterr().out
    assert (
        "Texts that contain U+FFFD: 1 (occurrences: 1). It stands for bytes that are not characters in UTF-8. Pass the "
        "file's encoding, such as --encoding windows-1252."
    ) in shown
    embedded(tmp_path, "in.csv", "--encoding", "windows-1252")
    assert "U+FFFD" not in capsys.readouterr().out


def test_rows_that_fail_are_shown_or_end_the_run(any_spark, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("body\nA river.\nTwo\n", encoding="utf-8")
    model = ["--model", str(tiny_bundle.overflowing().path), "--vectors", "binary16"]
    words = ["embed", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out"), "--text-col", "body", *model]
    assert run([*words, "--on-error", "null", "--max-error-fraction", "1"]) == 0
    assert "2 rows, 0 tokens, 0 windows, 2 failed in " in capsys.readouterr().out
    errors = [row["error"] for row in parquet.read_table(tmp_path / "out").to_pylist()]
    assert all(error.startswith("A vector has the number") for error in errors)
    shutil.rmtree(tmp_path / "out")
    for option, message in {
        "fail": "Row 0 in partition 0 of column 'body' cannot be embedded: A vector has the number",
        "null": "2 of 2 rows cannot be embedded, more than maxErrorFraction 0.5 (--max-error-fraction) allows.",
    }.items():
        assert run([*words, "--on-error", option]) == 1
        assert message in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_embed_reads_tsv(spark, tmp_path):
    (tmp_path / "in.tsv").write_text('key\ttext\na\t"A tab\tinside."\n', encoding="utf-8")
    (row,) = embedded(tmp_path, "in.tsv")
    assert (row["key"], row["tokens"]) == ("a", ["A", "tab", "inside", "."])


def test_embed_in_spark_nlps_way_leaves_out_tokens_without_a_piece(spark, tmp_path, capsys):
    (tmp_path / "in.txt").write_text("A \u200b river.\n", encoding="utf-8")
    (ours,) = embedded(tmp_path, "in.txt")
    assert "1 rows, 4 tokens (1 without a piece), 1 windows in" in capsys.readouterr().out
    (theirs,) = embedded(tmp_path, "in.txt", "--compatibility", "spark-nlp")
    assert "1 rows, 3 tokens, 1 windows in" in capsys.readouterr().out
    assert ours["tokens"] == ["A", "\u200b", "river", "."]
    assert theirs["tokens"] == ["a", "river", "."]
    assert [len(vectors) for vectors in (ours["vectors"], theirs["vectors"])] == [4, 3]


def test_a_document_or_sentence_has_one_vector(spark, tmp_path, capsys):
    text = "The rivers were high. Nobody could cross."
    (tmp_path / "in.csv").write_text(f"key,text\na,{text}\nb,\n", encoding="utf-8")
    model = ["--model", str(tiny_bundle.bundle().path), "--pooling", "mean", "--vectors", "binary16"]
    (expected,) = WordEmbedder.load(tiny_bundle.bundle().path, pooling="mean").embed([text])

    def numbers(vectors, exact):
        return np.array_equal(binary_to_numpy(vectors, "binary16"), exact.astype(np.float16))

    first, second = sorted(embedded(tmp_path, "in.csv", "--level", "document", *model), key=lambda row: row["key"])
    assert list(first) == ["key", "text", "vector"]
    assert numbers([first["vector"]], expected.text_vector()[None])
    assert second["vector"] is None, "an empty cell of a CSV file is null"
    assert "\n2 rows, 9 tokens, 2 windows, 1 null in " in "\n" + capsys.readouterr().out
    first, second = sorted(embedded(tmp_path, "in.csv", "--level", "sentence", *model), key=lambda row: row["key"])
    assert list(first) == ["key", "text", "sentences", "begin", "end", "vectors"]
    assert (first["sentences"], first["begin"], first["end"]) == (
        ["The rivers were high.", "Nobody could cross."],
        [0, 22],
        [20, 40],
    )
    assert numbers(first["vectors"], expected.sentence_vectors())
    assert second["sentences"] is second["vectors"] is None


def test_threads_and_the_encoding_of_pieces_reach_the_model(spark, tmp_path):
    text = "The rivers were high, unbelievably high."
    (tmp_path / "in.txt").write_text(f"{text}\n", encoding="utf-8")
    for encoding in ("sentence", "token"):
        (row,) = embedded(tmp_path, "in.txt", "--threads", "2", "--piece-encoding", encoding)
        (expected,) = WordEmbedder.load(tiny_bundle.bundle().path, encoding=encoding).embed([text])
        assert np.array_equal(np.array(row["vectors"], dtype=np.float32), expected.vectors)


def test_a_checkpoint_is_converted_to_the_precision_once(spark, tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    (tmp_path / "in.txt").write_text("The river was high.\n", encoding="utf-8")
    (row,) = embedded(tmp_path, "in.txt", "--model", str(tiny_bundle.checkpoint()), "--precision", "int8")
    (expected,) = WordEmbedder.load(tiny_bundle.bundle("int8").path).embed(["The river was high."])
    assert np.array_equal(np.array(row["vectors"], dtype=np.float32), expected.vectors)
    assert [bundle.manifest.precision for bundle in cached_bundles()] == ["int8"]


def test_the_note_of_the_model_is_shown(spark, tmp_path, capsys):
    model = tmp_path / "model"
    shutil.copytree(tiny_bundle.bundle().path, model)
    manifest = json.loads((model / "manifest.json").read_text())
    (model / "manifest.json").write_text(json.dumps(manifest | {"note": "Its numbers are [random]."}))
    (tmp_path / "in.txt").write_text("The river was high.\n", encoding="utf-8")
    embedded(tmp_path, "in.txt", "--model", str(model))
    assert "Its numbers are [random]." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "first"], "--layers is 'first', expected whole numbers"),
        (["--layers", "-9"], "layers is [-9], expected"),
        (["--conf", "spark.ui.enabled"], "--conf is 'spark.ui.enabled', expected KEY=VALUE"),
        (["--conf", "=4"], "--conf is '=4', expected KEY=VALUE"),
        (["--max-sentence-length", "600"], "longer than 512"),
        (["--precision", "int8"], "precision is 'int8', but the bundle"),
        (["--id-cols", "key"], "'key'"),
        (["--memory-budget-mb", "100"], "memoryBudgetMb is 100, but a worker"),
        (["--partitions", "0"], "partitions is 0"),
        (["--sep", ";"], "sep is for csv and tsv"),
        (["--encoding", "latin-0"], "latin-0"),
        (["--encoding", "token"], "Did you mean --piece-encoding token?"),
        (["--device", "tpu"], "device is 'tpu'"),
        (["--format", "json"], "does not have the format"),
    ],
)
def test_a_wrong_option_is_reported_and_nothing_is_written(spark, tmp_path, capsys, options, message):
    (tmp_path / "in.txt").write_text("A line.\n", encoding="utf-8")
    model = ["-m", str(tiny_bundle.bundle().path)]
    assert run(["embed", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out"), *model, *options]) == 1
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def spark_command(folder, *words, **variables):
    """Run the command in a process and a session of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sparkalbert", *words],
        cwd=folder,
        env={**own_spark_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_error_of_a_worker_is_shown_with_its_reason(tmp_path):
    """The workers run a Python without our packages, as on a cluster where they were not installed."""
    venv.create(tmp_path / "bare")
    (tmp_path / "in.txt").write_text("A line.\n", encoding="utf-8")
    words = ["embed", "in.txt", "-o", "out", "-m", str(tiny_bundle.bundle().path), "--master", "local[1]"]
    done = spark_command(tmp_path, *words, PYSPARK_PYTHON=str(tmp_path / "bare" / "bin" / "python"))
    assert done.returncode == 1
    assert re.search(
        r"^Error: The Spark job failed.*ModuleNotFoundError: No module named '\w+'", done.stderr, re.MULTILINE
    )
    assert "Every executor needs" in done.stderr
    assert "Caused by" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "\tat org.apache.spark" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--master", "nowhere"], "Spark failed: .*JAVA_GATEWAY_EXITED"),
        (["--conf", "spark.driver.memory=huge"], "Spark failed: .*JAVA_GATEWAY_EXITED"),
        (["--conf", "spark.task.cpus=none"], "Spark failed: "),
    ],
)
def test_a_session_that_cannot_start_is_one_message(tmp_path, options, message):
    (tmp_path / "in.txt").write_text("A line.\n", encoding="utf-8")
    words = ["embed", "in.txt", "-o", "out", "-m", str(tiny_bundle.bundle().path), "--master", "local[1]"]
    done = spark_command(tmp_path, *words, *options)
    assert done.returncode == 1
    assert re.search(f"^Error: {message}", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("master", "message"),
    [
        ("sc://127.0.0.1:1", "There is no Spark Connect server at sc://127.0.0.1:1: Connection refused"),
        ("sc://host:port", "--master is 'sc://host:port', expected a URL"),
    ],
)
def test_a_server_that_is_not_there_is_one_message(tmp_path, capsys, master, message):
    (tmp_path / "in.txt").write_text("A line.\n", encoding="utf-8")
    words = ["embed", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out"), "-m", str(tiny_bundle.bundle().path)]
    assert run([*words, "--master", master]) == 1
    assert capsys.readouterr().err.startswith(f"Error: {message}")


def test_the_demo_shows_tokens_senses_and_where_the_vectors_are(spark, tmp_path, capsys):
    output = tmp_path / "demo"
    assert run(["demo", "--output", str(output)]) == 0
    shown = capsys.readouterr().out
    assert "deposited" in shown
    assert "Words with two senses" in shown
    assert str(output) in shown
    assert f"Picture: {output}.png" in shown
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    rows = parquet.read_table(output).to_pylist()
    assert sorted(row["text"] for row in rows) == sorted(SAMPLE.read_text(encoding="utf-8").splitlines())
    assert all(len(row["tokens"]) == len(row["vectors"]) > 0 for row in rows)
    assert run(["demo", "--output", f"file:{output}"]) == 0, "it may be run again, and a URI is the same folder"
    assert f"Picture: {output}.png" in capsys.readouterr().out


def test_embed_connects_to_a_server_and_means_its_own_relative_paths(spark, connect_spark, tmp_path):
    (tmp_path / "in.txt").write_text("The river was high.\n", encoding="utf-8")
    url = f"sc://127.0.0.1:{spark.conf.get('spark.connect.grpc.binding.port')}"
    words = ["embed", "in.txt", "--output", "out/vectors", "--model", str(tiny_bundle.bundle().path)]
    done = spark_command(tmp_path, *words, "--master", url)
    assert done.returncode == 0, done.stderr
    assert f"at {url}" in done.stderr
    assert done.stdout.startswith("1 rows, 5 tokens")
    (row,) = parquet.read_table(tmp_path / "out" / "vectors").to_pylist()
    assert row["tokens"] == ["The", "river", "was", "high", "."]


def test_a_killed_run_leaves_no_output_that_looks_complete(tmp_path):
    """The process dies without a chance to clean up, in a session of its own."""
    (tmp_path / "in.txt").write_text("".join(f"Line {n} is like no other.\n" for n in range(60_000)), encoding="utf-8")
    words = [
        "embed",
        "in.txt",
        "--output",
        "out",
        "--model",
        str(tiny_bundle.bundle().path),
        "--master",
        "local[1]",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "sparkalbert", *words],
        cwd=tmp_path,
        env=own_spark_environment(),
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline_s = time.monotonic() + 120
        while not (found := list(tmp_path.glob(".out-incomplete-*"))) and time.monotonic() < deadline_s:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.05)
        process.kill()
    assert len(found) == 1
    assert not (found[0] / "_SUCCESS").exists()
    assert not (tmp_path / "out").exists()
