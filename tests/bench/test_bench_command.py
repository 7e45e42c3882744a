"""The command ``bench`` from end to end on a tiny model: every system that needs no other package."""

import contextlib
import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkalbert.bench.benchmark import KINDS
from sparkalbert.cli import run
from sparkalbert.cli.bench import SPEED_COLUMNS, _warnings
from sparkalbert.errors import OutputError
from sparkalbert.timings import PHASES
from tests import tiny_bundle

FIELDS = {
    "name": str,
    "title": str,
    "precision": str,
    "settings": str,
    "skipped": str,
    "failed": str,
    "slices": list,
    "slices_left_out": int,
    "words_per_s": float,
    "words_per_s_range": list,
    "pieces_per_s": float,
    "pieces_per_cpu_s": float,
    "of_limit": float,
    "of_limit_range": list,
    "of_limit_cpu": float,
    "of_limit_cpu_range": list,
    "of_product": float,
    "of_spark_nlp": float,
    "of_best_spark_nlp": float,
    "start_s": float,
    "job_s": float,
    "other_cores": float,
    "padding_share": float,
    "batches": int,
    "memory_mb": int,
    "warm_up_vectors": int,
    "phase_shares": dict,
}
NEVER_NULL = {"name", "title", "precision", "settings", "skipped", "failed", "slices", "slices_left_out"}


SHORT = ["--seconds", "1e-6", "--cores", "1"]
"""One slice of each system, however fast it is, which measures nothing but shows that everything is there."""


def bench(folder, *options):
    """One run on a tiny model: its record.

    A system's process takes no Spark settings from its environment, so the JVM options of the tests reach it by Java's
    own variable: a start of Spark takes half as long with them.
    """
    words = ["bench", "--model", str(tiny_bundle.checkpoint()), "--words", "300", "--rounds", "1", *SHORT]
    outputs = ["--json", str(folder / "record.json"), "--picture", str(folder / "speed.png")]
    java = os.environ.get("SPARK_SUBMIT_OPTS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", java)
        assert run([*words, "--split", "1x1x64", *options, *outputs]) == 0
    return json.loads((folder / "record.json").read_text())


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory):
    """fp32 with Spark, in sessions of its own; Spark NLP is not in this environment."""
    systems = ["--systems", "bare,product,embedder,pipeline,spark_nlp"]
    return bench(tmp_path_factory.mktemp("spark"), "--precision", "fp32", *systems)


def check_fields(record):
    assert set(record) == {"machine", "machine_cores", "cores", "other_cores", "model", "text", "systems"}
    assert record["cores"] == 1, "as SHORT specifies"
    assert {"cpu", "cpu_features", "cores", "libraries"} <= set(record["machine"])
    for one in record["systems"]:
        assert set(one) == set(FIELDS)
        for name, kind in FIELDS.items():
            assert isinstance(one[name], kind) or (one[name] is None and name not in NEVER_NULL), (one, name)


def test_the_record_holds_every_system_with_every_field(on_spark):
    check_fields(on_spark)
    names = ("bare", "product", "embedder", "pipeline-noop", "pipeline-parquet")
    assert [one["name"] for one in on_spark["systems"]] == [
        *(f"{name}-fp32" for name in names),
        "spark_nlp-default-fp32",
    ]


def test_every_system_ran_in_slices_beside_the_limit(on_spark):
    limit, *others, _ = on_spark["systems"]
    places = [measured["place"] for measured in limit["slices"]]
    assert places == list(range(0, 2 * len(places), 2)), "every other slice"
    for one in others:
        assert [measured["round"] for measured in one["slices"]] == [0]
        assert one["words_per_s_range"] == [one["words_per_s"]] * 2
    for one in (limit, *others):
        for measured in one["slices"]:
            assert measured["small"] is None, "the text is too short for one"
            assert measured["large"]["rows"] == on_spark["text"]["rows"]
        assert one["words_per_s"] > 0
        assert one["memory_mb"] > 20
    assert limit["of_limit"] == 1.0


def test_the_start_is_known_of_the_system_that_started_a_process(on_spark):
    started = {one["name"]: one["start_s"] is not None for one in on_spark["systems"]}
    assert started["bare-fp32"]
    assert started["pipeline-noop-fp32"]
    assert not started["pipeline-parquet-fp32"], "its session was there"


def test_spark_computes_as_many_vectors_as_the_plain_embedder(on_spark):
    warm_up = {one["name"]: one["warm_up_vectors"] for one in on_spark["systems"]}
    assert warm_up["pipeline-noop-fp32"] == warm_up["embedder-fp32"] > 0


def test_the_workers_report_where_their_time_went(on_spark):
    shares = {one["name"]: one["phase_shares"] for one in on_spark["systems"]}
    for name in ("embedder-fp32", "pipeline-noop-fp32", "pipeline-parquet-fp32"):
        assert set(shares[name]) == {*PHASES, "rest"}
        assert sum(shares[name].values()) == pytest.approx(1)
        assert shares[name]["run"] > 0
    assert shares["pipeline-noop-fp32"]["emit"] > 0
    for one in on_spark["systems"][:-1]:
        assert 0 <= one["padding_share"] < 1


def test_what_is_missing_is_skipped_with_the_reason(on_spark):
    spark_nlp = on_spark["systems"][-1]
    assert "--spark-nlp" in spark_nlp["skipped"]
    assert spark_nlp["words_per_s"] is None


def test_both_precisions_are_compared_in_one_run(tmp_path):
    record = bench(tmp_path, "--systems", "bare,embedder")
    check_fields(record)
    assert [one["name"] for one in record["systems"]] == [
        f"{name}-{precision}" for precision in ("fp32", "int8") for name in ("bare", "embedder")
    ]
    bare = [one["of_limit"] for one in record["systems"] if one["name"].startswith("bare-")]
    assert bare == [1.0, 1.0], "each precision has a limit of its own"
    assert all(one["settings"].startswith("graph: ") for one in record["systems"] if one["name"].startswith("bare-"))
    pytest.importorskip("matplotlib")
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.reference
def test_the_udf_that_people_write_embeds_the_same_rows(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    record = bench(tmp_path, "--precision", "fp32", "--systems", "embedder,naive_udf")
    udf = record["systems"][-1]
    assert udf["name"] == "naive_udf-fp32"
    assert not udf["skipped"]
    assert udf["words_per_s"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "x", "--shape", "mini"], "--model and --shape"),
        (["--precision", "fp16"], "--precision is 'fp16'"),
        (["--systems", "fast"], "expected some of " + ", ".join(KINDS)),
        (["--rounds", "0"], "rounds is 0"),
        (["--seconds", "0"], "seconds is 0.0, expected a positive number"),
        (["--seconds", "nan"], "seconds is nan, expected a positive number"),
        (["--split", "2x512"], "--split is '2x512'"),
        (["--text", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--spark-nlp", "nowhere/python"], "--spark-nlp is nowhere/python, which is not a program"),
        (
            ["--spark-nlp", sys.executable, "--spark-nlp-jars", "nowhere"],
            "--spark-nlp-jars is nowhere, expected a folder with *.jar",
        ),
        (["--spark-nlp", sys.executable, "--spark-nlp-settings", "32"], "--spark-nlp-settings is '32'"),
        (["--spark-nlp-jars", "jars"], "--spark-nlp-jars is given without --spark-nlp"),
        (["--spark-nlp", "", "--spark-nlp-settings", "32x2"], "--spark-nlp-settings is given without --spark-nlp"),
        (["--text", "news.txt", "--words", "5000"], "--text and --words are both given"),
        (["--model", ""], "--model is empty, expected a checkpoint folder"),
        (["--json", "one", "--picture", "./one"], "--json and --picture are both one, expected two files"),
        (
            ["--output-throughput", "--picture", "speed.png", "--words", "0"],
            "--output-throughput runs no model, found --picture and --words. Expected no other options than --rounds",
        ),
        (["--output-throughput", "--seconds", "5"], "found --seconds."),
        (["--output-throughput", "--precision", "fp32,int8"], "found --precision."),
        (["--output-throughput", "--spark-nlp-settings", "32x1"], "found --spark-nlp-settings."),
        (["--json", "nowhere/record.json"], "--json nowhere/record.json cannot be written: No such file"),
        (["--json", "."], "--json . cannot be written: Is a directory"),
        (["--picture", "nowhere/speed.png"], "--picture nowhere/speed.png cannot be written"),
    ],
)
def test_a_wrong_option_is_reported_before_anything_runs(capsys, monkeypatch, tmp_path, options, message):
    monkeypatch.chdir(tmp_path)
    for name in ("bench.benchmark.run_benchmark", "cli.bench._measure_output"):
        monkeypatch.setattr(f"sparkalbert.{name}", lambda *_: pytest.fail("it runs"))
    assert run(["bench", *options]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], "albert_mini_en"), (["--shape", "base"], "base"), (["--model", "base"], "./base"), (["--model", "x"], "x")],
)
def test_a_model_is_not_taken_for_a_shape(monkeypatch, options, expected):
    """A checkpoint folder may be called ``base``; random weights are in the shape of that name."""
    measured = []

    def run_benchmark(options, _):
        measured.append(options.model)
        message = "no space left"
        raise OutputError(message)

    monkeypatch.setattr("sparkalbert.bench.benchmark.run_benchmark", run_benchmark)
    assert run(["bench", *options]) == 1
    assert measured == [expected]


def test_a_picture_without_matplotlib_is_refused_before_anything_runs(capsys, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "sparkalbert.plots.canvas", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("sparkalbert.bench.benchmark.run_benchmark", lambda *_: pytest.fail("it runs"))
    assert run(["bench", "--picture", str(tmp_path / "speed.png")]) == 1
    assert capsys.readouterr().err == "Error: Pictures require matplotlib: pip install 'sparkalbert[plot]'\n"


def test_an_existing_target_keeps_its_content_if_the_run_fails(monkeypatch, tmp_path):
    target = tmp_path / "record.json"
    target.write_text("an earlier record")
    assert run(["bench", "--json", str(target), "--model", str(tmp_path / "nowhere")]) == 1
    assert target.read_text() == "an earlier record"


def test_a_system_that_failed_is_an_error_after_the_record_was_written(capsys, monkeypatch, tmp_path, on_spark):
    record = copy.deepcopy(on_spark)
    record["systems"][2] |= {"failed": "The system embedder-fp32 failed: no space left"}
    monkeypatch.setattr("sparkalbert.bench.benchmark.run_benchmark", lambda *_: record)
    assert run(["bench", "--json", str(tmp_path / "failed.json")]) == 1
    shown = capsys.readouterr()
    assert json.loads((tmp_path / "failed.json").read_text()) == record
    assert "; failed, see below" in shown.out
    assert shown.err == "Error: The system embedder-fp32 failed: no space left\n"


def test_the_record_is_written_before_anything_is_printed(monkeypatch, tmp_path, on_spark):
    """``sparkalbert bench --json record.json | head`` closes the output early."""

    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr("sparkalbert.bench.benchmark.run_benchmark", lambda *_: on_spark)
    monkeypatch.setattr("sparkalbert.cli.bench._show", closed)
    with contextlib.suppress(BrokenPipeError):
        run(["bench", "--json", str(tmp_path / "closed.json")])
    assert json.loads((tmp_path / "closed.json").read_text()) == on_spark


def processes_of(folder):
    """The processes that a benchmark with its temporary files in `folder` has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"PYTHONPATH={folder}".encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def test_sigterm_ends_every_process_and_removes_temporary_files(tmp_path):
    words = [
        "bench",
        "--model",
        str(tiny_bundle.bundle().path),
        "--words",
        "500",
        "--precision",
        "fp32",
        "--seconds",
        "1",
    ]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sparkalbert",
            *words,
            "--systems",
            "product",
            "--split",
            "2x1x64",
            "--rounds",
            "100000",
        ],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stderr:
            if line.startswith("round 1"):
                break
        assert processes_of(tmp_path)
        process.terminate()
        shown = process.communicate(timeout=60)
    assert process.returncode == 143
    assert shown[0] == ""
    assert shown[1].endswith("Terminated.\n")
    assert "Traceback" not in shown[1]
    assert list(tmp_path.glob("sparkalbert-*")) == []
    assert processes_of(tmp_path) == []


def test_the_table_shows_speed_ratios_memory_and_cpu(capsys, monkeypatch, on_spark):
    monkeypatch.setenv("COLUMNS", "80")  # as in a pipe
    monkeypatch.setattr("sparkalbert.bench.benchmark.run_benchmark", lambda *_: on_spark)
    assert run(["bench"]) == 0
    shown = capsys.readouterr().out
    for column in (*SPEED_COLUMNS, *PHASES, "rest"):
        assert column in shown
    assert "WordEmbedder" in shown
    assert "processes: 1, threads in each: 1" in shown
    assert f"1 of {os.cpu_count()} cores of" in shown
    assert f"of {os.cpu_count()} cores." in shown


def warnings_about(*systems, repeated_share=0.0):
    record = {"other_cores": 1.11, "machine_cores": 2, "text": {"repeated_share": repeated_share}}
    return list(_warnings({**record, "systems": systems}))


def measured_system(title, **known):
    unknown = dict.fromkeys(("of_limit_range", "of_limit_cpu_range"))
    return {"title": title, "precision": "int8", "slices": [], "slices_left_out": 0, **unknown, **known}


def test_a_system_whose_lowest_round_is_above_the_limit_is_reported():
    systems = [
        measured_system("bare", of_limit_range=[1.0, 1.0], of_limit_cpu_range=[1.0, 1.0]),
        measured_system("WordEmbedder", of_limit_range=[0.99, 1.004]),
        measured_system("pipeline", of_limit_range=[1.554, 1.7], of_limit_cpu_range=[0.97, 1.2]),
    ]
    load, above = warnings_about(*systems)
    assert load == "Other processes took 1.1 of 2 cores."
    assert above == (
        "pipeline (int8) is above the limit, 1.554 in its lowest round. Measure again on an idle machine, or try other "
        "settings of bare ONNX Runtime (--split)."
    )
    assert len(warnings_about(*systems, repeated_share=0.3)) == 2, "equal sentences explain a ratio of 1.43"
    assert len(warnings_about(*systems, repeated_share=0.4)) == 1, "and these one of 1.67"


def test_slices_that_are_left_out_are_reported():
    _, line = warnings_about(measured_system("pipeline", slices=[{}] * 6, slices_left_out=2))
    assert line == (
        "pipeline (int8): 2 of 6 slices are left out, because the large job was not slower than the small one. Measure "
        "again on an idle machine."
    )
