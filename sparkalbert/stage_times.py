"""Where this process spent its time, stage by stage, for the benchmark and for the curious.

Always on: measuring a stage costs under a microsecond, and stages are measured by the call or the group of
rows, never by the word. A Spark worker is a process of its own, so its figures are its own too. It knows
names and seconds, nothing about what the stages do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

__all__ = ["STAGES", "STAGE_TIMES", "StageTimes"]

STAGES: Final = ("load", "tokenize", "batch", "run", "pool", "emit")
"""``load`` opens the model, ``tokenize`` makes pieces of rows, ``batch`` sorts and pads them, ``run`` is the
graph, ``pool`` makes words of pieces, ``emit`` builds Arrow arrays."""


@dataclass
class StageTimes:
    """Seconds by stage, and how well calls were filled.

    Attributes
    ----------
    seconds
        By stage, see :data:`STAGES`; what is in none of them is waiting.
    calls
        Calls of the graph.
    pieces, slots
        Pieces that were computed, without and with padding.

    Examples
    --------
    >>> times = StageTimes()
    >>> with times.measure("run"):
    ...     times.count_call(pieces=30, slots=32)
    >>> times.seconds["run"] > 0, times.pieces, times.slots
    (True, 30, 32)
    """

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    calls: int = 0
    pieces: int = 0
    slots: int = 0

    def measure(self, stage: str) -> _Stage:
        """Return a context whose duration is added to `stage`; stages must not enclose one another."""
        return _Stage(self.seconds, stage)

    def count_call(self, *, pieces: int, slots: int) -> None:
        """Count a call of the graph."""
        self.calls += 1
        self.pieces += pieces
        self.slots += slots


class _Stage:
    """A context manager by hand: one made by a generator costs three times as much."""

    __slots__ = ("_name", "_seconds", "_started_s")

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds = seconds
        self._name = name

    def __enter__(self) -> None:
        self._started_s = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] += time.perf_counter() - self._started_s


STAGE_TIMES: Final = StageTimes()
"""This process's own."""
