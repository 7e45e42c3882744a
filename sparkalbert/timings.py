"""Measures where this process spends its time, phase by phase.

Always on: measuring a phase costs less than a microsecond, and phases are measured per batch or per group of
rows, never per word. A Spark worker is a process of its own, so its timings are its own too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

__all__ = ["PHASES", "TIMINGS", "Timings"]

PHASES: Final = ("load", "tokenize", "batch", "run", "pool", "emit")
"""``load`` opens the model, ``tokenize`` splits rows into pieces, ``batch`` sorts and pads them, ``run`` is the
forward pass, ``pool`` turns pieces into words, ``emit`` builds Arrow arrays."""


@dataclass
class Timings:
    """Seconds per phase, and how full the batches were.

    Attributes
    ----------
    seconds
        Per phase, see :data:`PHASES`; the rest of a process's time is waiting.
    batches
        Number of forward passes.
    pieces, slots
        Pieces that were computed, without and with padding.

    Examples
    --------
    >>> timings = Timings()
    >>> with timings.measure("run"):
    ...     timings.count_batch(pieces=30, slots=32)
    >>> timings.seconds["run"] > 0, timings.pieces, timings.slots
    (True, 30, 32)
    """

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    batches: int = 0
    pieces: int = 0
    slots: int = 0

    def measure(self, phase: str) -> _Phase:
        """Return a context whose duration is added to `phase`; phases must not be nested."""
        return _Phase(self.seconds, phase)

    def count_batch(self, *, pieces: int, slots: int) -> None:
        """Count a forward pass."""
        self.batches += 1
        self.pieces += pieces
        self.slots += slots


class _Phase:
    """A hand-written context manager: one made from a generator costs three times as much."""

    __slots__ = ("_name", "_seconds", "_started_s")

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds = seconds
        self._name = name

    def __enter__(self) -> None:
        self._started_s = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] += time.perf_counter() - self._started_s


TIMINGS: Final = Timings()
"""The timings of this process."""
