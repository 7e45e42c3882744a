"""Shows the progress of a prediction in one line."""

from __future__ import annotations

import builtins
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["ProgressLine", "progress_line"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_FIRST_S: Final = 2.0
_SCREEN_INTERVAL_S: Final = 0.2
_LOG_INTERVAL_S: Final = 10.0


class ProgressLine:
    """Shows progress on standard error, on a terminal and in a notebook; elsewhere it is logged at INFO."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._is_interactive = sys.stderr.isatty() or hasattr(builtins, "__IPYTHON__")
        self._start_s = time.monotonic()
        self._next_s = self._start_s + _FIRST_S
        self._width = 0

    def update(self, done: float, total: float) -> None:
        """Show that `done` of `total` is done, unless the last line is recent."""
        now_s = time.monotonic()
        if now_s < self._next_s or not total:
            return
        self._next_s = now_s + (_SCREEN_INTERVAL_S if self._is_interactive else _LOG_INTERVAL_S)
        share = done / total
        left_s = (now_s - self._start_s) * (1 - share) / share if share else float("nan")
        text = f"{self._label}: {share:.0%}" + (f", {left_s:.0f} s left" if share else "")
        if self._is_interactive:
            self._print(text)
        else:
            _LOGGER.info(text)

    def clear(self) -> None:
        """Remove the line from the screen."""
        if self._width:
            self._print("")
            print(end="\r", file=sys.stderr, flush=True)

    def _print(self, text: str) -> None:
        print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(text)


@contextmanager
def progress_line(label: str) -> Iterator[ProgressLine]:
    """Yield a line that disappears at the end of the block."""
    line = ProgressLine(label)
    try:
        yield line
    finally:
        line.clear()
