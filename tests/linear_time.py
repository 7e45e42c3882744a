"""Compares the time of a function on a text with that on one eight times as long."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_FACTOR = 8
_SLACK = 3
_LEAST_S = 0.002
_RUNS = 5
_MAX_LONG_RUNS = 10


def assert_linear_time(function: Callable[[str], object], text_of: Callable[[int], str], length: int) -> None:
    """Fail if a text takes much more than eight times as long as an eighth of it; in quadratic time it takes 64 times.

    Times are those of this thread on the CPU, without garbage collection: its cost grows with what other tests of the
    process keep. A run that other processes slow down is repeated.
    """
    short, long = text_of(length // _FACTOR), text_of(length)
    with _no_garbage_collection():
        limit_s = _SLACK * _FACTOR * max(_LEAST_S, min(_cpu_seconds(function, short) for _ in range(_RUNS)))
        is_linear = any(_cpu_seconds(function, long) < limit_s for _ in range(_MAX_LONG_RUNS))
    assert is_linear, f"more than {limit_s:.3f} s"


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _cpu_seconds(function: Callable[[str], object], text: str) -> float:
    started_s = time.thread_time()
    function(text)
    return time.thread_time() - started_s
