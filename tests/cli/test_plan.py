"""The command plan: when its record is written. tests/ml/job/test_plan.py tests what it contains."""

import contextlib
import json

import pytest

from sparkalbert.cli import plan as plan_command
from sparkalbert.cli import run


@pytest.fixture
def words(tmp_path, monkeypatch):
    """The words of a command whose estimate is made up."""
    monkeypatch.setattr(plan_command, "_estimate", lambda *_: {"rows": 3})
    return ["plan", "in.txt", "--model", "albert_mini_en", "--json", str(tmp_path / "plan.json")]


def test_the_record_is_written_before_anything_is_printed(tmp_path, monkeypatch, words):
    """``sparkalbert plan in.txt --json plan.json | true`` closes the output early."""

    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr(plan_command, "_table", closed)
    with contextlib.suppress(BrokenPipeError):
        run(words)
    assert json.loads((tmp_path / "plan.json").read_text()) == {"rows": 3}


def test_an_interrupt_while_the_record_is_written_is_reported(tmp_path, monkeypatch, capsys, words):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", interrupted)
    assert run(words) == 130
    assert capsys.readouterr().err == f"{tmp_path / 'plan.json'} was not written.\nInterrupted.\n"
