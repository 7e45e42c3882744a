"""Compares the time of a function on a long text with that on its parts, one after another."""

import time
from collections.abc import Callable

_PARTS = 256
_SLACK = 32
_ROUNDS = 3


def assert_linear_time(function: Callable[[str], object], text_of: Callable[[int], str], length: int) -> None:
    """Fail if, in each of three rounds, a text takes 32 times as long as its 256 parts.

    In quadratic time it takes 256 times as long. Both do the same work, so a busy machine slows both down. A long text
    may take ten times as long in linear time: its result needs more memory, and some steps only long tokens need. So a
    quadratic part is found where it takes more than about 36 times the linear part at this length. Times are those of
    this thread on the CPU.
    """
    part, text = text_of(length // _PARTS), text_of(length)
    rounds = ((_cpu_seconds(function, [text]), _cpu_seconds(function, [part] * _PARTS)) for _ in range(_ROUNDS))
    assert any(whole_s < _SLACK * parts_s for whole_s, parts_s in rounds), "more than linear time"


def _cpu_seconds(function: Callable[[str], object], texts: list[str]) -> float:
    started_s = time.thread_time()
    for text in texts:
        function(text)
    return time.thread_time() - started_s
