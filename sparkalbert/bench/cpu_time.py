"""Counts the CPU seconds of a process and of everything that it started, and those of the whole machine.

Read from Linux's ``/proc``, in steps of 10 ms; elsewhere they are unknown. This module runs in the environment of Spark
NLP too, so it needs no other package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["busy_cpu_s", "family_cpu_s", "spent_cpu_s"]

_PARENT: Final = 1
_USER_TO_CHILDREN_SYSTEM: Final = slice(11, 15)
_IDLE: Final = (3, 4)
_GUEST: Final = 8
"""Guests are counted as user time, too."""


def family_cpu_s(pid: int, proc: Path = Path("/proc")) -> dict[int, float] | None:
    """Return the user and system seconds of a process and of all processes below it, by their ids.

    A process's seconds contain those of its children that have ended, if it waited for them.

    Parameters
    ----------
    pid
        The process.
    proc
        The folder of the processes.

    Returns
    -------
    dict or None
        None if they are not known.
    """
    found = dict(_processes(proc))
    if pid not in found:
        return None
    family, added = {pid}, {pid}
    while added:
        added = {number for number, (parent, _) in found.items() if parent in added}
        family |= added
    return {number: found[number][1] / _ticks_per_s() for number in family}


def spent_cpu_s(before: Mapping[int, float] | None, after: Mapping[int, float] | None) -> float | None:
    """Return the seconds that a family of processes spent between two readings of :func:`family_cpu_s`.

    Returns
    -------
    float or None
        None if a reading is not known, or if a process ended in between: the kernel forgets the seconds of a Spark
        worker that ends, because pyspark's daemon does not wait for it.

    Examples
    --------
    >>> spent_cpu_s({1: 2.0}, {1: 2.5, 7: 1.0}), spent_cpu_s({1: 2.0, 7: 1.0}, {1: 2.5})
    (1.5, None)
    """
    if before is None or after is None or before.keys() - after.keys():
        return None
    return sum(after.values()) - sum(before.values())


def busy_cpu_s(proc: Path = Path("/proc")) -> float | None:
    """Return the seconds in which the machine's cores were not idle; None if they are not known.

    Time that the host of a virtual machine took for others counts as well.
    """
    try:
        fields = (proc / "stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    ticks = [int(field) for field in fields[:_GUEST]]
    return sum(count for place, count in enumerate(ticks) if place not in _IDLE) / _ticks_per_s()


def _ticks_per_s() -> int:
    """Return the unit of ``/proc``. Looked up only where there is ``/proc``, because Windows has no ``sysconf``."""
    return os.sysconf("SC_CLK_TCK")


def _processes(proc: Path) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield each process with its parent and its ticks."""
    for folder in proc.glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")  # a name may be any bytes
        except OSError:  # the process has ended
            continue
        fields = text.rpartition(")")[2].split()
        yield int(folder.name), (int(fields[_PARENT]), sum(map(int, fields[_USER_TO_CHILDREN_SYSTEM])))
