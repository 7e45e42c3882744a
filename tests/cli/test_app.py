"""What a shell sees: exit codes, one message per error, and nothing else."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from rich.console import Console

from sparkalbert import __version__
from sparkalbert.__main__ import command, main
from sparkalbert.cli import app, run
from tests import tiny_bundle

COMMANDS = ["demo", "embed", "plan", "explore", "models", "convert", "inspect", "verify", "distill", "doctor", "bench"]

WITHOUT = """
import sys
sys.modules[{missing!r}] = None
from sparkalbert.__main__ import main
sys.exit(main({words!r}))
"""


def without(missing, *words):
    command = [sys.executable, "-c", WITHOUT.format(missing=missing, words=list(words))]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sparkalbert {__version__}\n"


def test_a_failure_is_an_exception_for_who_ignores_what_is_returned(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sparkalbert", "--version"])
    command()
    monkeypatch.setattr(sys, "argv", ["sparkalbert", "inspect", "no/such/folder"])
    with pytest.raises(SystemExit) as raised:
        command()
    assert raised.value.code == 1
    assert "no/such/folder" in capsys.readouterr().err


def test_help_names_every_command(capsys):
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f" {name} " in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(capsys, name):
    assert run([name, "-h"]) == 0
    assert "Usage: sparkalbert" in capsys.readouterr().out


def test_help_documents_the_exit_codes(capsys):
    assert run(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "0 success, 1 error, 2 wrong usage, 130 after Ctrl-C, 143 after SIGTERM" in shown


def test_quiet_is_accepted_at_any_position_and_keeps_results(capsys):
    assert run(["inspect", "albert_mini_en"]) == 0
    expected = capsys.readouterr().out
    for words in (["--quiet", "inspect", "albert_mini_en"], ["inspect", "albert_mini_en", "--quiet"]):
        assert run(words) == 0
        assert capsys.readouterr() == (expected, "")


@pytest.mark.parametrize(
    ("words", "is_terminal", "disabled"),
    [(["--version"], True, "0"), (["--version"], False, "1"), (["--version", "--quiet"], True, "1")],
    ids=["terminal", "log", "quiet"],
)
def test_a_download_shows_no_bar_in_a_log_or_with_quiet(monkeypatch, words, is_terminal, disabled):
    monkeypatch.setattr(app, "ERRORS", Console(stderr=True, force_terminal=is_terminal))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    assert run(words) == 0
    assert os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == disabled


@pytest.mark.parametrize("words", [["--no-such-option"], ["no-such-command"], ["embed", "x.txt"]])
def test_wrong_usage_is_exit_code_2(capsys, words):
    assert run(words) == 2
    assert capsys.readouterr().out == ""


def test_an_error_is_one_message_on_stderr(capsys):
    assert run(["inspect", "no_such_model"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Error: There is no model 'no_such_model'. Known names: ")
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("words", [["--debug", "inspect", "no_such_model"], ["inspect", "no_such_model", "--debug"]])
def test_debug_shows_where_an_error_came_from(capsys, words):
    assert run(words) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "Error: There is no model" in shown


def test_text_in_brackets_is_no_markup(capsys):
    assert run(["inspect", "[red]model[/red]"]) == 1
    assert "'[red]model[/red]'" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_cli_extra_one_line_says_how_to_get_it(missing):
    done = without(missing, "models")
    assert done.returncode == 1
    assert done.stderr == f"The sparkalbert command requires {missing}: pip install 'sparkalbert[cli]'\n"


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [
        ("pyspark", ["demo"], "spark"),
        ("pyspark", ["embed", "x.txt", "-o", "out", "-m", "albert_mini_en"], "spark"),
        ("onnx", ["verify", "albert_mini_en"], "convert"),
        ("onnx", ["convert", "checkpoint", "out"], "convert"),
        ("onnx", ["convert", "checkpoint", "out", "--layout", "spark-nlp"], "convert"),
        ("torch", ["distill", "--teacher", "x", "--corpus", "x.txt", "-o", "out"], "distill"),
    ],
)
def test_without_an_extra_its_command_says_how_to_get_it(missing, words, extra):
    done = without(missing, *words)
    assert done.returncode == 1
    assert done.stderr == f"Error: This command requires {missing}: pip install 'sparkalbert[{extra}]'\n"


def test_a_name_that_the_output_cannot_encode_is_escaped(tmp_path):
    """A file name may contain any bytes, and a terminal may understand ASCII only."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "SPARKALBERT_HOME": os.fsdecode(b"caf\xe9")}
    command = [sys.executable, "-m", "sparkalbert", "models"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "The cache is" in done.stdout
    assert "caf\\udce9" in done.stdout


def test_json_has_neither_colours_nor_characters_that_the_output_cannot_encode(tmp_path):
    folder = tmp_path / "café"
    shutil.copytree(tiny_bundle.bundle().path, folder)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1"}
    command = [sys.executable, "-m", "sparkalbert", "inspect", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == str(folder)


def test_it_runs_as_a_module():
    command = [sys.executable, "-m", "sparkalbert", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == f"sparkalbert {__version__}\n"
