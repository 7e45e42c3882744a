"""What a person sees: the two consoles, sizes in words, and Spark's progress.

It knows nothing about models and jobs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from rich.table import Table

    from sparkalbert.ml.job.progress import JobProgress, Report

__all__ = ["ERRORS", "OUTPUT", "print_wide", "shown_progress", "size_in_words"]

OUTPUT: Final = Console()
ERRORS: Final = Console(stderr=True)
"""For errors and progress, so that a pipe gets results only."""

_ENDLESS: Final = 1000
_LOG_EVERY_S: Final = 10.0
_STEP_BYTES: Final = 1024


def print_wide(table: Table) -> None:
    """Print a table as wide as it is; on a narrower screen its lines wrap, and no figure is cut off."""
    endless = OUTPUT.options.update(width=_ENDLESS)
    width = Measurement.get(OUTPUT, endless, table).maximum
    Console(width=max(OUTPUT.width, width)).print(table, crop=False)


def size_in_words(size_bytes: int) -> str:
    """Return a size as people write it.

    Examples
    --------
    >>> size_in_words(512), size_in_words(231_000_000)
    ('512 B', '220.3 MiB')
    """
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if size < _STEP_BYTES:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _STEP_BYTES
    return f"{size:.1f} GiB"


@contextmanager
def shown_progress(label: str) -> Iterator[Report]:
    """Yield what shows progress: a bar on a terminal, now and then a line in a log.

    Parameters
    ----------
    label
        What is in progress.
    """
    if not ERRORS.is_terminal:
        yield _logged(label)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total} tasks"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERRORS, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(progress: JobProgress) -> None:
            bar.update(task, completed=progress.done, total=progress.total or None)

        yield report


def _logged(label: str) -> Report:
    shown_s = time.monotonic()

    def report(progress: JobProgress) -> None:
        nonlocal shown_s
        if time.monotonic() - shown_s >= _LOG_EVERY_S:
            shown_s = time.monotonic()
            ERRORS.print(
                f"{label}: {progress.done} of {progress.total} tasks done, {progress.active} running",
                highlight=False,
            )

    return report
