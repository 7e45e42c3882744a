"""Prints for people: the two consoles, tables, sizes as text, and progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

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
from rich.table import Table

if TYPE_CHECKING:
    from sparkalbert.ml.job.progress import JobProgress, Report

__all__ = [
    "ERRORS",
    "OUTPUT",
    "at_intervals",
    "pair_table",
    "print_line",
    "print_wide",
    "progress_bar",
    "shown_progress",
    "size_in_words",
]

# What is printed is mostly data: a path or a name may contain "[b]" or ":x:".
_console: Final = partial(Console, markup=False, emoji=False, highlight=False)

OUTPUT: Final = _console()
ERRORS: Final = _console(stderr=True)
"""For errors and progress, so that a pipe receives results only."""

_UNLIMITED_WIDTH: Final = 1000
_LOG_INTERVAL_S: Final = 10.0
_UNIT_STEP: Final = 1000


def print_line(text: str, *, to: Console = OUTPUT, style: str | None = None) -> None:
    """Print a line without wrapping it."""
    to.print(text, style=style, soft_wrap=True)


def print_wide(table: Table) -> None:
    """Print a table in its full width. On a narrower screen its lines wrap, but no figure is cut off."""
    unlimited = OUTPUT.options.update(width=_UNLIMITED_WIDTH)
    width = Measurement.get(OUTPUT, unlimited, table).maximum
    _console(width=max(OUTPUT.width, width)).print(table, crop=False)


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
    """Return a progress bar on the error console, with `columns` between the bar and the times."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=ERRORS,
        transient=transient,
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

    Parameters
    ----------
    label
        What is in progress.
    """
    if not ERRORS.is_terminal:
        yield _logged(label)
        return
    with progress_bar(TextColumn("{task.completed:.0f} of {task.total} tasks"), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(progress: JobProgress) -> None:
            bar.update(task, completed=progress.done, total=progress.total or None)

        yield report


def _logged(label: str) -> Report:
    is_time = at_intervals(_LOG_INTERVAL_S, first_s=_LOG_INTERVAL_S)

    def report(progress: JobProgress) -> None:
        if is_time():
            print_line(f"{label}: {progress.done} of {progress.total} tasks done, {progress.active} running", to=ERRORS)

    return report
