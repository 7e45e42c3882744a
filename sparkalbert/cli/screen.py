"""Prints for people: the two consoles, tables, sizes as text, and progress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

if TYPE_CHECKING:
    from sparkalbert.ml.job.progress import JobProgress, Report

__all__ = [
    "ERRORS",
    "IS_QUIET",
    "OUTPUT",
    "ShowCount",
    "ShowStep",
    "at_intervals",
    "pair_table",
    "print_json",
    "print_line",
    "print_status",
    "print_tables",
    "print_wide",
    "progress_bar",
    "shown_count",
    "shown_progress",
    "shown_steps",
    "shown_wait",
    "size_in_words",
]

# What is printed is mostly data: a path or a name may contain "[b]" or ":x:".
_console: Final = partial(Console, markup=False, emoji=False, highlight=False)

OUTPUT: Final = _console()
ERRORS: Final = _console(stderr=True)
"""For errors and progress, so that a pipe receives results only."""

IS_QUIET: Final[ContextVar[bool]] = ContextVar("IS_QUIET", default=False)
"""If true, only results and errors are printed: no progress, no notes."""

ShowStep = Callable[[str, float, float], None]
"""Called with a description of the current step, how much is done, and of how much."""


class ShowCount(Protocol):
    """Shows how much of countable work is done."""

    def __call__(self, done: int, total: int, label: str | None = None) -> None:
        """Show that `done` of `total` are done and, if it has changed, what is in progress."""


_SHOWN_BAR: Final[ContextVar[Progress | None]] = ContextVar("_SHOWN_BAR", default=None)
_UNLIMITED_WIDTH: Final = 1000
_LOG_INTERVAL_S: Final = 10.0
_UNIT_STEP: Final = 1000
_WHOLE_RATE: Final = 100
_MINUTE_S: Final = 60


def print_line(text: str, *, to: Console = OUTPUT, style: str | None = None) -> None:
    """Print a line without wrapping it, above the bar that is shown on the terminal."""
    bar = _SHOWN_BAR.get()
    if bar is None or not to.is_terminal:
        to.print(text, style=style, soft_wrap=True)
        return
    bar.stop()  # the cursor of the terminal is at the end of the bar
    to.print(text, style=style, soft_wrap=True)
    bar.start()


def print_json(content: Mapping[str, Any]) -> None:
    """Print JSON for programs, always without colours and in ASCII, which every encoding of the output contains."""
    print_line(json.dumps(content, indent=2))


def print_status(text: str) -> None:
    """Print a line about the run on the error console, unless ``--quiet`` is given."""
    if not IS_QUIET.get():
        print_line(text, to=ERRORS)


def print_wide(table: Table) -> None:
    """Print a table in its full width. On a narrower screen its lines wrap, but no figure is cut off."""
    unlimited = OUTPUT.options.update(width=_UNLIMITED_WIDTH)
    width = Measurement.get(OUTPUT, unlimited, table).maximum
    _console(width=max(OUTPUT.width, width)).print(table, crop=False)


def print_tables(*tables: Table) -> None:
    """Print tables, an empty line between them: cells wrap on a terminal, but a pipe gets each row as one line."""
    for number, table in enumerate(tables):
        if number:
            print_line("")
        if OUTPUT.is_terminal:
            OUTPUT.print(table)
        else:
            print_wide(table)


def pair_table(rows: Mapping[str, str]) -> Table:
    """Return a table of names and values."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def size_in_words(size_bytes: int) -> str:
    """Return a size as text. An MB is 1,000,000 bytes.

    Examples
    --------
    >>> size_in_words(512), size_in_words(220_100_000)
    ('512 B', '220.1 MB')
    """
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if round(size, 1) < _UNIT_STEP:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _UNIT_STEP
    return f"{size:,.1f} GB"


def progress_bar(*columns: ProgressColumn, transient: bool) -> Progress:
    """Return a progress bar on the error console, with `columns` between the bar and the times.

    With ``--quiet`` it shows nothing.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeElapsedColumn(table_column=Column(no_wrap=True)),  # on a narrow terminal the bar becomes shorter
        TextColumn("elapsed,"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        console=ERRORS,
        transient=transient,
        disable=IS_QUIET.get(),
    )


def at_intervals(interval_s: float, *, first_s: float) -> Callable[[], bool]:
    """Return a function that returns true if `interval_s` seconds have passed since it last returned true.

    Parameters
    ----------
    interval_s
        Seconds between two lines of a log.
    first_s
        Seconds until the first line.
    """
    next_s = time.monotonic() + first_s

    def is_time() -> bool:
        nonlocal next_s
        now_s = time.monotonic()
        if now_s < next_s:
            return False
        next_s = now_s + interval_s
        return True

    return is_time


@contextmanager
def shown_progress(label: str) -> Iterator[Report]:
    """Yield a function that shows the progress of Spark jobs: a bar on a terminal, or a line at intervals in a log.

    Both show the number of tasks that are done, their rate, and the time left.

    Parameters
    ----------
    label
        What is in progress.
    """
    if not ERRORS.is_terminal:
        yield _logged(label)
        return
    with shown_count(label, "tasks") as show:
        yield lambda progress: show(progress.done, progress.total)


@contextmanager
def shown_count(label: str, unit: str) -> Iterator[ShowCount]:
    """Yield a function that shows how much of countable work is done: on a terminal a bar, its rate and the time left.

    Parameters
    ----------
    label
        What is in progress.
    unit
        What is counted, in the plural.
    """
    if not ERRORS.is_terminal:
        yield _show_nothing
        return
    started_s = time.monotonic()
    with _shown(progress_bar(TextColumn("{task.fields[count]}"), transient=True)) as bar:
        task = bar.add_task(label, total=None, count="")

        def show(done: int, total: int, label: str | None = None) -> None:
            count = f"{done:,} of {total:,} {unit}{_rate(done, time.monotonic() - started_s)}"
            bar.update(task, description=label, completed=done, total=total or None, count=count)

        yield show


def _show_nothing(done: int, total: int, label: str | None = None) -> None:
    del done, total, label


@contextmanager
def _shown(bar: Progress) -> Iterator[Progress]:
    """Show a bar during a block, in which :func:`print_line` prints above it."""
    token = _SHOWN_BAR.set(None if bar.disable else bar)
    try:
        with bar:
            yield bar
    finally:
        _SHOWN_BAR.reset(token)


def _logged(label: str) -> Report:
    is_quiet = IS_QUIET.get()  # `report` is called from another thread, in which the variable is not set
    started_s = time.monotonic()
    is_time = at_intervals(_LOG_INTERVAL_S, first_s=_LOG_INTERVAL_S)

    def report(progress: JobProgress) -> None:
        if is_quiet or not is_time():
            return
        spent_s = time.monotonic() - started_s
        left = f", {spent_s * (progress.total / progress.done - 1):.0f} s left" if progress.done else ""
        print_line(
            f"{label}: {progress.done} of {progress.total} tasks done, {progress.active} running"
            f"{_rate(progress.done, spent_s)}{left}",
            to=ERRORS,
        )

    return report


def _rate(done: int, spent_s: float) -> str:
    """Return what is done per second or minute as text, empty before the first is done.

    Examples
    --------
    >>> _rate(12_000, 4), _rate(2, 1), _rate(2, 60), _rate(0, 5)
    (', 3,000/s', ', 2.0/s', ', 2.0/min', '')
    """
    if not done or spent_s <= 0:
        return ""
    per_s = done / spent_s
    if per_s >= _WHOLE_RATE:
        return f", {per_s:,.0f}/s"
    return f", {per_s:.1f}/s" if per_s >= 1 else f", {per_s * _MINUTE_S:.1f}/min"


@contextmanager
def shown_steps(label: str, *, in_logs: bool = True) -> Iterator[ShowStep]:
    """Yield a function that shows steps of known number or size: a bar on a terminal, or a line each in a log.

    Parameters
    ----------
    label
        What is in progress before the first step.
    in_logs
        If false, nothing is printed where standard error is not a terminal; for many short steps.
    """
    if not ERRORS.is_terminal:
        is_shown = in_logs and not IS_QUIET.get()
        yield lambda text, _done, _total: print_line(text, to=ERRORS) if is_shown else None
        return
    with _shown(progress_bar(transient=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda text, done, total: bar.update(task, description=text, completed=done, total=total or None)


@contextmanager
def shown_wait(label: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is in progress, and since when. For work whose length is not known.

    Yields a function that replaces the label.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    is_hidden = IS_QUIET.get() or not ERRORS.is_terminal
    with _shown(Progress(*columns, console=ERRORS, transient=True, disable=is_hidden)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda text: bar.update(task, description=text)
