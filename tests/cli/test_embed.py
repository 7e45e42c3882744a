"""The commands that run Spark, in the session they find."""

import os
import subprocess
import sys
import time

import pytest
from pyarrow import parquet

from sparkalbert.cli import run
from sparkalbert.cli.sample import SAMPLE
from tests import tiny_bundle


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
    assert "2 rows, 5 tokens" in shown.out
    assert "the active session" in shown.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "first"], "--layers is 'first'"),
        (["--layers", "-9"], "layer"),
        (["--conf", "spark.ui.enabled"], "--conf 'spark.ui.enabled' is no setting"),
        (["--max-sentence-length", "600"], "longer than 512"),
        (["--precision", "int8"], "precision"),
        (["--id-cols", "key"], "'key'"),
        (["--memory-budget-mb", "100"], "memoryBudgetMb is 100, but a worker"),
    ],
)
def test_embed_says_what_cannot_be(spark, tmp_path, capsys, options, message):
    (tmp_path / "in.txt").write_text("A line.\n", encoding="utf-8")
    words = [
        "embed",
        str(tmp_path / "in.txt"),
        "-o",
        str(tmp_path / "out"),
        "-m",
        str(tiny_bundle.bundle().path),
    ]
    assert run([*words, *options]) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


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
    assert run(["demo", "--output", str(output)]) == 0, "it may be run again"


def test_embed_connects_to_a_server_and_means_its_own_relative_paths(spark, connect_spark, tmp_path):
    (tmp_path / "in.txt").write_text("The river was high.\n", encoding="utf-8")
    url = f"sc://127.0.0.1:{spark.conf.get('spark.connect.grpc.binding.port')}"
    words = [
        "embed",
        "in.txt",
        "--output",
        "out/vectors",
        "--model",
        str(tiny_bundle.bundle().path),
        "--master",
        url,
    ]
    environment = {name: value for name, value in os.environ.items() if "SPARK" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "sparkalbert", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"at {url}" in done.stderr
    assert done.stdout.startswith("1 rows, 5 tokens")
    assert [row["tokens"] for row in parquet.read_table(tmp_path / "out" / "vectors").to_pylist()] == [
        ["The", "river", "was", "high", "."]
    ]


def test_a_killed_run_leaves_no_output_that_looks_complete(tmp_path):
    """The process dies without a chance to clean up, in a session of its own."""
    (tmp_path / "in.txt").write_text(
        "".join(f"Line {n} is like no other.\n" for n in range(60_000)), encoding="utf-8"
    )
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
    environment = {name: value for name, value in os.environ.items() if "SPARK" not in name}
    with subprocess.Popen(
        [sys.executable, "-m", "sparkalbert", *words],
        cwd=tmp_path,
        env=environment,
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
