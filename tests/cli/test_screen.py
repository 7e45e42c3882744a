"""Progress is a bar on a terminal and now and then a line in a log; results are never mixed with it."""

import time

import pytest
from rich.console import Console

from sparkalbert.cli import screen
from sparkalbert.cli.screen import shown_progress, size_in_words
from sparkalbert.ml.job.progress import JobProgress


def test_a_terminal_gets_a_bar_with_counts(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(screen, "ERRORS", Console(stderr=True))  # as made where stderr is a terminal
    with shown_progress("Embedding") as report:
        report(JobProgress(0, 0, 0))
        report(JobProgress(3, 2, 8))
        time.sleep(0.5)  # it draws ten times a second
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Embedding" in shown.err
    assert "3 of 8 tasks" in shown.err


def test_a_log_gets_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(screen, "_LOG_EVERY_S", 0.0)
    with shown_progress("Embedding") as report:
        report(JobProgress(3, 2, 8))
    assert capsys.readouterr().err == "Embedding: 3 of 8 tasks done, 2 running\n"
    monkeypatch.setattr(screen, "_LOG_EVERY_S", 3600.0)
    with shown_progress("Embedding") as report:
        report(JobProgress(4, 2, 8))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (5 << 40, "5120.0 GiB"),
    ],
)
def test_sizes_are_in_the_unit_people_would_choose(size_bytes, words):
    assert size_in_words(size_bytes) == words
