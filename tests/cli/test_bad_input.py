"""Bad paths and options end every command with one message and exit code 1 or 2, never with a traceback."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pyarrow import parquet

from sparkalbert.cli import demo as demo_command
from sparkalbert.cli import embed as embed_command
from sparkalbert.cli import run
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.errors import OutputError
from tests import tiny_bundle

NESTED = "[" * 100_000


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with files that are not what a command expects."""
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "blank.txt").write_text(" \n\n")
    (tmp_path / "empty").mkdir()
    for name, content in (("nested", NESTED), ("number", "7"), ("binary", "\x00\xff")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(content, encoding="utf-8")
    shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model")
    return tmp_path


def fails(capsys, words, code=1):
    """Run a command that must fail, and return its message."""
    assert run(words) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return shown.err


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nofile", "No such file or directory"),
        ("empty", "Is a directory"),
        ("latin.txt", "can't decode byte 0xe9"),
        ("latin.txt/below", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
@pytest.mark.parametrize("words", [["verify", "model", "--against", "model", "--text"], ["bench", "--text"]])
def test_a_text_that_cannot_be_read(capsys, words, path, reason):
    message = fails(capsys, [*words, path])
    assert message.startswith(f"Error: {path} cannot be read as UTF-8 text: ")
    assert reason in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("words", [["verify", "model", "--against", "model", "--text"], ["bench", "--text"]])
def test_a_text_without_text(capsys, words):
    assert fails(capsys, [*words, "blank.txt"]).startswith("Error: blank.txt contains no text.")


def test_verify_compares_texts_with_a_checkpoint_only(capsys):
    assert "--text is given without --against" in fails(capsys, ["verify", "model", "--text", "latin.txt"])


@pytest.mark.parametrize("command", [["inspect"], ["inspect", "--json"], ["verify"], ["bench", "--model"]])
@pytest.mark.parametrize("model", ["nested", "number", "binary", "empty", "./nowhere", "latin.txt", "no_such_name"])
def test_a_model_that_cannot_be_read(capsys, command, model):
    assert "Error: " in fails(capsys, [*command, model])


@pytest.mark.parametrize("model", ["nested", "empty", "no_such_name"])
@pytest.mark.parametrize("command", ["embed", "plan", "demo"])
def test_a_model_is_found_before_spark_starts(capsys, monkeypatch, command, model):
    monkeypatch.setattr("sparkalbert.ml.session.spark_session._open", lambda *_: pytest.fail("Spark starts"))
    words = {"embed": ["in.txt", "-o", "out"], "plan": ["in.txt"], "demo": ["-o", "out"]}[command]
    assert fails(capsys, [command, *words, "-m", model]).startswith("Error: ")


@pytest.mark.parametrize("content", [NESTED, "7", "\x00", "{}"])
def test_a_damaged_manifest_in_the_cache_is_not_listed(folder, capsys, content):
    damaged = folder / "home" / "bundles" / "damaged"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text(content)
    shutil.copytree(tiny_bundle.bundle().path, folder / "home" / "bundles" / "whole")
    assert run(["models"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.count("in the cache") == 1


def test_models_lists_nothing_from_a_cache_that_is_a_file(folder, capsys, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(folder / "latin.txt"))
    assert run(["models"]) == 0
    assert "albert_mini_en" in capsys.readouterr().out


@pytest.mark.parametrize("content", [NESTED, "7", "\x00", '{"model_type": "bert"}'])
def test_a_configuration_that_cannot_be_read(folder, capsys, content):
    """The manifest is valid, and records the damaged configuration."""
    path = folder / "model" / "config.json"
    path.write_text(content)
    manifest = json.loads((folder / "model" / "manifest.json").read_text())
    manifest["files"]["config.json"]["size_bytes"] = path.stat().st_size
    (folder / "model" / "manifest.json").write_text(json.dumps(manifest))
    assert "config.json" in fails(capsys, ["inspect", "model"])


@pytest.mark.parametrize("layout", ["bundle", "spark-nlp"])
@pytest.mark.parametrize("source", ["nowhere", "latin.txt", "empty", "model", "nested"])
def test_convert_with_a_source_that_is_not_a_checkpoint(folder, capsys, source, layout):
    assert fails(capsys, ["convert", source, "out", "--layout", layout]).startswith("Error: ")
    assert not (folder / "out").exists()


@pytest.mark.parametrize("layout", ["bundle", "spark-nlp"])
@pytest.mark.parametrize("target", ["latin.txt", "latin.txt/below", "nested", "."])
def test_convert_to_a_target_that_cannot_be_written(folder, capsys, target, layout):
    before = sorted(path.name for path in folder.iterdir())
    words = ["convert", str(tiny_bundle.checkpoint()), target, "--layout", layout]
    assert fails(capsys, words).startswith("Error: ")
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "a", "b", "--precision", "int4"],
        ["embed", "in.txt", "-o", "out", "-m", "model", "--pooling", "max"],
        ["embed", "in.txt", "-o", "out", "-m", "model", "--threads", "0"],
        ["embed", "in.txt", "-o", "out", "-m", "model", "--compatibility", "hugging-face"],
        ["plan", "in.txt", "-m", "model", "--cores", "-1"],
        ["bench", "--cores", "-1"],
        ["bench", "--shape", "huge"],
    ],
)
def test_a_value_that_an_option_does_not_have_is_wrong_usage(capsys, words):
    assert "Invalid value for" in fails(capsys, words, code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["plan", "in.txt", "-m", "model", "--json", "nowhere/plan.json"],
            "--json nowhere/plan.json cannot be written",
        ),
        (["demo", "-o", "latin.txt"], "--output latin.txt cannot be written"),
        (["demo", "-o", "latin.txt/below"], "--output latin.txt/below cannot be written"),
        (["demo", "-o", "shadowed"], "The picture shadowed.png cannot be written"),
        (["demo", "-o", "s3a://bucket/out"], "--output is 's3a://bucket/out', expected a folder of this machine"),
        (["demo", "-o", ""], "--output is '', expected a folder of this machine"),
    ],
)
def test_a_target_is_checked_before_spark_starts(folder, capsys, monkeypatch, words, message):
    (folder / "shadowed.png").mkdir()
    monkeypatch.setattr("sparkalbert.ml.session.spark_session._open", lambda *_: pytest.fail("Spark starts"))
    assert message in fails(capsys, words)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("latin.txt", "cannot be written"),
        ("latin.txt/below", "cannot be written"),
        ("nested", r"nested already exists. Remove it first"),
        ("done", r"done already exists. Pass overwrite=True"),
    ],
)
def test_embed_checks_its_output_before_it_finds_the_model(folder, capsys, monkeypatch, output, reason):
    for variable in embed_command._CONFIGURED:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(embed_command, "find_model", lambda *_, **__: pytest.fail("the model is converted"))
    (folder / "done").mkdir()
    (folder / "done" / "_SUCCESS").touch()
    assert reason in fails(capsys, ["embed", "in.txt", "-o", output, "-m", "model"])


@pytest.mark.parametrize(
    ("output", "master", "settings", "variable", "expected"),
    [
        ("out", None, {}, None, "out"),
        ("~/out", "local[2]", {}, None, "HOME/out"),
        ("file:/data/out", "yarn", {}, None, "/data/out"),
        ("out", "yarn", {}, None, None),
        ("out", "sc://host", {}, None, None),
        ("out", None, {}, "HADOOP_CONF_DIR", None),
        ("out", None, {"spark.hadoop.fs.defaultFS": "hdfs://host"}, None, None),
        ("s3a://bucket/out", None, {}, None, None),
    ],
)
def test_only_a_folder_of_this_machine_is_checked_early(monkeypatch, output, master, settings, variable, expected):
    for name in embed_command._CONFIGURED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "HOME")
    if variable is not None:
        monkeypatch.setenv(variable, "/etc/hadoop")
    found = embed_command._local_folder(output, master, settings)
    assert found == (None if expected is None else Path(expected))


@pytest.mark.parametrize("layout", ["bundle", "spark-nlp"])
def test_convert_checks_its_target_before_it_reads_the_weights(folder, capsys, monkeypatch, layout):
    monkeypatch.setattr(Checkpoint, "open", lambda *_: pytest.fail("the checkpoint is read"))
    words = ["convert", str(tiny_bundle.checkpoint()), "nested", "--layout", layout]
    assert "nested already exists. Remove it first" in fails(capsys, words)


@pytest.mark.parametrize(
    ("existing", "output"),
    [("vectors", "out"), ("picture", "out"), ("vectors", "file:out")],
    ids=["vectors", "picture", "as a URI"],
)
def test_the_demo_replaces_only_its_own_results(folder, capsys, monkeypatch, existing, output):
    monkeypatch.setattr(demo_command, "find_model", lambda *_: pytest.fail("the demo starts"))
    if existing == "vectors":
        (folder / "out").mkdir()
        (folder / "out" / "_SUCCESS").touch()
        parquet.write_table(pa.table({"text": ["hours of work"]}), folder / "out" / "part-0.parquet")
    else:
        (folder / "out.png").write_bytes(b"mine")
    before = sorted(path.name for path in folder.rglob("*"))
    assert "already exists, and out is not the result of an earlier demo" in fails(capsys, ["demo", "-o", output])
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_the_demo_writes_to_the_folder_that_it_has_checked(folder, monkeypatch):
    """A path without a scheme may be in HDFS for Spark."""
    targets = []

    def write(_spark, _stage, _source, target, _report):
        targets.append(target.path)
        message = "no space left"
        raise OutputError(message)

    monkeypatch.setattr("sparkalbert.ml.job.embed_job.embed_texts", write)
    opened = SimpleNamespace(origin="a session", spark=None)
    monkeypatch.setattr(demo_command, "command_session", lambda _master: nullcontext(opened))
    assert run(["demo", "-o", "out"]) == 1
    assert targets == [f"file:{folder}/out"]


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "in.json", "-m", "model", "--json", "in.json"],
        ["plan", "in.json", "-m", "model", "--json", "link.json"],
        ["plan", "link.json", "-m", "model", "--json", "in.json"],
        ["plan", "file:in*", "--format", "json", "-m", "model", "--json", "in.json"],
        ["plan", "texts", "--format", "json", "-m", "model", "--json", "texts/a.json"],
        ["plan", "texts", "--format", "json", "-m", "model", "--json", "in.json"],
        ["bench", "--text", "in.json", "--json", "./in.json"],
        ["bench", "--text", "link.json", "--picture", "in.json"],
        ["explore", "texts", "--page", "texts/a.json", "--overwrite"],
    ],
)
def test_a_result_never_replaces_the_files_that_are_read(folder, capsys, monkeypatch, words):
    monkeypatch.setattr("sparkalbert.ml.session.spark_session._open", lambda *_: pytest.fail("Spark starts"))
    monkeypatch.setattr("sparkalbert.bench.benchmark.run_benchmark", lambda *_: pytest.fail("it runs"))
    texts = ["in.json", "texts/a.json"]
    (folder / "texts").mkdir()
    for name in texts:
        (folder / name).write_text('{"text": "A river."}\n')
    (folder / "link.json").symlink_to(folder / "in.json")
    (folder / "texts" / "link.json").symlink_to(folder / "in.json")
    assert "is one of the files to read" in fails(capsys, words)
    assert [(folder / name).read_text() for name in texts] == ['{"text": "A river."}\n'] * 2


@pytest.mark.parametrize("output", ["latin.txt", "latin.txt/student"])
def test_distill_checks_its_output_before_it_reads_anything(folder, capsys, output):
    before = sorted(path.name for path in folder.iterdir())
    words = ["distill", "--teacher", "teacher", "--corpus", "texts.txt", "--output", output]
    assert fails(capsys, words).startswith(f"Error: --output {output} cannot be written: ")
    assert sorted(path.name for path in folder.iterdir()) == before
