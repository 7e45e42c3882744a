"""Compares the time of a function on a text with that on one eight times as long."""

import time
from collections.abc import Callable

_FACTOR = 8
_SLACK = 3
_LEAST_S = 0.002
_RUNS = 5


def assert_linear_time(function: Callable[[str], object], text_of: Callable[[int], str], length: int) -> None:
    """Fail if a text takes much more than eight times as long as an eighth of it; in quadratic time it takes 64 times.

    Times are those of the CPU, not of the clock. A run that other processes slow down is repeated.
    """
    short, long = text_of(length // _FACTOR), text_of(length)
    limit_s = _SLACK * _FACTOR * max(_LEAST_S, min(_cpu_seconds(function, short) for _ in range(_RUNS)))
    assert any(_cpu_seconds(function, long) < limit_s for _ in range(_RUNS)), f"more than {limit_s:.3f} s"


def _cpu_seconds(function: Callable[[str], object], text: str) -> float:
    started = time.process_time()
    function(text)
    return time.process_time() - started
