"""Progress is a bar on a terminal and a line at intervals in a log, never mixed with results; sizes are decimal."""

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


def test_a_log_gets_a_line_at_intervals(capsys, monkeypatch):
    monkeypatch.setattr(screen, "_LOG_INTERVAL_S", 0.0)
    with shown_progress("Embedding") as report:
        report(JobProgress(3, 2, 8))
    assert capsys.readouterr().err == "Embedding: 3 of 8 tasks done, 2 running\n"
    monkeypatch.setattr(screen, "_LOG_INTERVAL_S", 3600.0)
    with shown_progress("Embedding") as report:
        report(JobProgress(4, 2, 8))
    assert capsys.readouterr().err == ""


def test_intervals_begin_after_the_first(monkeypatch):
    times_s = iter([100.0, 100.0, 101.0, 109.9, 110.0, 111.0, 150.0, 159.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times_s))
    is_time = screen.at_intervals(10.0, first_s=0.0)
    assert [is_time() for _ in range(7)] == [True, False, False, True, False, True, False]


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (220_100_000, "220.1 MB"),
        (3_000_000_000, "3.0 GB"),
        (5_120_000_000_000, "5,120.0 GB"),
    ],
)
def test_an_mb_is_a_million_bytes(size_bytes, words):
    assert size_in_words(size_bytes) == words
