"""Progress is a bar on a terminal and a line at intervals in a log, never mixed with results; sizes are decimal."""

import json
import re
import threading
import time

import pytest
from rich.console import Console

from sparkalbert.cli import screen
from sparkalbert.cli.screen import (
    pair_table,
    print_json,
    print_line,
    print_tables,
    shown_count,
    shown_progress,
    shown_steps,
    shown_wait,
    size_in_words,
)
from sparkalbert.ml.job.progress import JobProgress

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9;]+m")


def test_a_terminal_gets_a_bar_with_counts(capsys, terminal):
    terminal()
    with shown_progress("Embedding") as report:
        report(JobProgress(0, 0, 0))
        report(JobProgress(3, 2, 8))
        time.sleep(0.5)  # it draws ten times a second
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Embedding" in shown.err
    assert re.search(r"3 of 8 tasks, [0-9,.]+/(s|min)", shown.err)
    assert "elapsed" in shown.err
    assert "left" in shown.err
    assert COLOUR.search(shown.err)


def test_no_color_is_respected(capsys, terminal):
    terminal(NO_COLOR="1")
    with shown_progress("Embedding") as report:
        report(JobProgress(3, 2, 8))
        time.sleep(0.5)
    shown = capsys.readouterr().err
    assert "3 of 8 tasks" in shown
    assert not COLOUR.search(shown)


def in_thread(function, *arguments):
    """Call a function as a Spark job's progress is reported: from a thread, which has no context variables of ours."""
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_quiet_shows_neither_bars_nor_lines(capsys, terminal, monkeypatch, is_terminal):
    if is_terminal:
        terminal()
    monkeypatch.setattr(screen, "_LOG_INTERVAL_S", 0.0)
    token = screen.IS_QUIET.set(True)
    try:
        with shown_progress("Embedding") as report:
            report(JobProgress(3, 2, 8))
            in_thread(report, JobProgress(4, 2, 8))
        with shown_steps("preparing") as show:
            show("round 1 of 2", 1, 2)
            in_thread(show, "round 2 of 2", 1, 2)
        with shown_count("Reading", "rows") as count:
            count(3, 8)
        with shown_wait("Converting"):
            time.sleep(0.2)
    finally:
        screen.IS_QUIET.reset(token)
    assert capsys.readouterr().err.strip("\n") == ""


def test_steps_are_a_bar_on_a_terminal_and_lines_in_a_log(capsys, terminal):
    with shown_steps("preparing") as show:
        show("round 1 of 2", 0, 2)
        show("round 2 of 2", 1, 2)
    assert capsys.readouterr().err == "round 1 of 2\nround 2 of 2\n"
    with shown_steps("preparing", in_logs=False) as show:
        show("round 1 of 2", 0, 2)
    assert capsys.readouterr().err == ""
    terminal()
    with shown_steps("preparing") as show:
        show("round 2 of 2", 1, 2)
        time.sleep(0.3)
    assert "round 2 of 2" in capsys.readouterr().err


def test_countable_work_shows_its_count_rate_and_the_time_left(capsys, terminal):
    with shown_count("Reading", "rows") as show:
        show(3, 12)
    assert capsys.readouterr().err == "", "not a terminal"
    terminal(COLUMNS="80")
    with shown_count("Reading", "rows") as show:
        show(1200, 4000)
        show(3000, 4000, "Sorting")
    shown = capsys.readouterr().err
    assert re.search(r"Sorting .*3,000 of 4,000 rows, [0-9,.]+/(s|min) .*elapsed, .*[0-9-]:[0-9-]{2}\S* left", shown)
    assert "…" not in shown


@pytest.mark.parametrize("bar", [lambda: shown_count("Checking", "steps"), lambda: shown_wait("Checking")])
def test_a_line_is_printed_where_the_bar_was(capsys, terminal, monkeypatch, bar):
    terminal()
    console = Console(stderr=True)  # on a terminal both are the same screen
    with bar():
        print_line("found", to=console)
    before, _, after = capsys.readouterr().err.partition("found")
    assert before.endswith("\x1b[2K"), "the bar's line is erased"
    assert "Checking" in before
    assert "Checking" in after
    with bar():
        print_line("piped", to=Console(stderr=True, force_terminal=False))
    assert re.search(r"Checking[^\n]*piped\n", capsys.readouterr().err), "a pipe needs no room"


def test_a_wait_is_shown_on_a_terminal_only(capsys, terminal):
    with shown_wait("Converting"):
        pass
    assert capsys.readouterr().err == ""
    terminal()
    with shown_wait("Converting") as show:
        time.sleep(0.3)
        show("Checking")
    assert re.search(r"Converting.*0:00:0(?s:.*)Checking", capsys.readouterr().err)


def test_a_log_gets_a_line_at_intervals(capsys, monkeypatch):
    monkeypatch.setattr(screen, "_LOG_INTERVAL_S", 0.0)
    with shown_progress("Embedding") as report:
        report(JobProgress(3, 2, 8))
    assert re.fullmatch(
        r"Embedding: 3 of 8 tasks done, 2 running, [0-9,.]+/(s|min), \d+ s left\n", capsys.readouterr().err
    )
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


def test_json_is_printed_as_ascii_and_unchanged(capsys):
    content = {"path": "[b]café[/b] :smile: \udce9", "long": "word " * 100}
    print_json(content)
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert shown.count("\n") == 4
    assert json.loads(shown) == content


def test_a_pipe_gets_each_row_as_one_line(capsys, monkeypatch):
    monkeypatch.setattr(screen, "OUTPUT", Console(width=40))
    long = {"path": "p" * 100, "digest": "d" * 64}
    print_tables(pair_table(long), pair_table({"size": "9 MB"}))
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        *map(list, long.items()),
        [],
        ["size", "9", "MB"],
    ]
