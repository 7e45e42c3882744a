"""The command doctor: one line per check, JSON, and an exit code."""

import json
import re

import pytest

from sparkalbert.cli import run


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_each_check_is_one_line(capsys):
    assert run(["doctor", "--no-spark"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[1] for line in lines[:-1]]
    assert {"python", "onnxruntime", "sentencepiece", "cache", "model", "hub"} <= set(names)
    assert lines[-1] == f"{len(names)} checks: 0 failed, 0 with a warning"


def test_a_failed_check_has_its_mend_and_exit_code_1(capsys):
    assert run(["doctor", "--no-spark", "--model", "albert_mini_eng"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed")]
    assert "There is no model 'albert_mini_eng'. Did you mean 'albert_mini_en'" in line
    assert " -> Choose a model" in line


def test_a_terminal_shows_which_step_of_how_many_it_is(capsys, terminal):
    terminal()
    assert run(["doctor", "--no-spark"]) == 0
    shown = capsys.readouterr()
    assert re.search(r"Checking libraries, step 2 of 5 .*0:0", shown.err)
    assert "Checking Hub, step 5 of 5" in shown.err
    assert "left" not in shown.err, "steps of such different lengths do not give the time left"
    assert "Checking" not in shown.out
    assert run(["--quiet", "doctor", "--no-spark"]) == 0
    assert "Checking" not in capsys.readouterr().err


def test_json_is_for_programs(capsys):
    assert run(["doctor", "--no-spark", "--json", "--model", "nowhere_é"]) == 1
    shown = capsys.readouterr().out
    assert shown.isascii()
    found = json.loads(shown)
    assert found["ok"] is False
    (model,) = [check for check in found["checks"] if check["name"] == "model"]
    assert set(model) == {"name", "status", "found", "mend"}
    assert model["status"] == "failed"
    assert "'nowhere_é'" in model["found"]


def test_a_server_that_is_not_there_is_a_failed_check(capsys):
    assert run(["doctor", "--master", "sc://127.0.0.1:1"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed")]
    assert "There is no Spark Connect server at sc://127.0.0.1:1" in line
    assert "Start the server" in line


def test_a_real_session_passes(any_spark, capsys, terminal):
    terminal()
    assert run(["doctor"]) == 0
    shown, progress = capsys.readouterr()
    assert "Checking embedding, step 10 of 10" in progress
    assert "the existing session" in shown
    assert "bit for bit" in shown
