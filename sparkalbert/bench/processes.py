"""Counts the CPU seconds and the memory of a process and of everything that it started.

Read from Linux's ``/proc``; elsewhere they are unknown. This module runs in the environment of Spark NLP too, so it
needs no other package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["busy_cpu_s", "family_cpu_s", "memory_peaks", "spent_cpu_s"]

_PARENT: Final = 1
_USER_TO_CHILDREN_SYSTEM: Final = slice(11, 15)
_IDLE: Final = (3, 4)
_GUEST: Final = 8
"""Guests are counted as user time, too."""

_KIB_PER_MB: Final = 1_000_000 / 1024


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
        Seconds, in steps of 10 ms. None if they are not known.
    """
    parents, ticks = {}, {}
    for number, text in _files("stat", proc):
        fields = text.rpartition(")")[2].split()
        parents[number] = int(fields[_PARENT])
        ticks[number] = sum(map(int, fields[_USER_TO_CHILDREN_SYSTEM]))
    if pid not in parents:
        return None
    return {number: ticks[number] / _ticks_per_s() for number in _family(pid, parents)}


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


def memory_peaks(proc: Path = Path("/proc")) -> dict[str, int]:
    """Return the highest resident memory, in MB, that this process and the processes below it have reached.

    Returns
    -------
    dict
        ``own``: this process. ``python`` and ``java``: the largest of the processes below it (a Spark worker is a
        grandchild). Processes that have ended are not counted. Empty if nothing is known.
    """
    statuses = {number: _status(text) for number, text in _files("status", proc)}
    parents = {number: int(status["PPid"]) for number, status in statuses.items()}
    peaks: dict[str, int] = {}
    for number in _family(os.getpid(), parents) & statuses.keys():
        status = statuses[number]
        kind = "own" if number == os.getpid() else status["Name"].rstrip("0123456789.")
        peak = round(int(status.get("VmHWM", "0 kB").split()[0]) / _KIB_PER_MB)
        peaks[kind] = max(peaks.get(kind, 0), peak)
    return {kind: peaks[kind] for kind in ("own", "python", "java") if kind in peaks}


def _status(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.split("\n"))
    return {name: value.strip() for name, _, value in pairs}


def _ticks_per_s() -> int:
    """Return the unit of ``/proc``. Looked up only where there is ``/proc``, because Windows has no ``sysconf``."""
    return os.sysconf("SC_CLK_TCK")


def _family(pid: int, parents: Mapping[int, int]) -> set[int]:
    """Return a process and all processes below it.

    Examples
    --------
    >>> sorted(_family(7, {7: 1, 8: 7, 9: 8, 5: 1}))
    [7, 8, 9]
    """
    family, added = {pid}, {pid}
    while added:
        added = {number for number, parent in parents.items() if parent in added}
        family |= added
    return family


def _files(name: str, proc: Path) -> Iterator[tuple[int, str]]:
    """Yield each process with the text of one of its files."""
    for folder in proc.glob("[0-9]*"):
        try:
            text = (folder / name).read_text(encoding="utf-8", errors="replace")  # a process's name may be any bytes
        except OSError:  # the process has ended
            continue
        yield int(folder.name), text
