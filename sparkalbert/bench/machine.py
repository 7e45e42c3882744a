"""What a figure depends on besides the code: the CPU and its features, the libraries, the memory in use.

It reads ``/proc`` and asks nobody; where there is none (macOS), features and memory are unknown.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

__all__ = ["available_cores", "cpu_features", "machine_facts", "memory_peaks"]

_FEATURES: Final = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX512-VNNI",
    "amx_int8": "AMX",
    "asimddp": "DOTPROD",
}
"""Linux's names, and those of the manuals: what decides the speed of products of floats and of integers."""

_LIBRARIES: Final = ("sparkalbert", "onnxruntime", "pyspark", "numpy", "pyarrow", "torch", "transformers")
_KIB_PER_MIB: Final = 1024
_DEPTH: Final = 5


def cpu_features() -> list[str]:
    """Return those of the CPU's features that decide how fast it multiplies, weakest first."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return []
    return [name for flag, name in _FEATURES.items() if flag in flags]


def available_cores() -> int:
    """Return how many cores this process may use; in a container often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_facts() -> dict[str, Any]:
    """Return what a reader needs to judge figures measured here."""
    return {
        "cpu": _cpu_name(),
        "cpu_features": cpu_features(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {library: found for library in _LIBRARIES if (found := _version(library))},
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown")


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def memory_peaks() -> dict[str, int]:
    """Return the highest resident memory, in MiB, that this process and its children reached so far.

    Returns
    -------
    dict
        ``own``: this process. ``python`` and ``java``: the largest of the processes below it; a Spark
        worker is a grandchild. Those that have ended are not seen.
    """
    statuses = dict(_statuses())
    family = {os.getpid()}
    for _ in range(_DEPTH):
        family |= {number for number, status in statuses.items() if int(status["PPid"]) in family}
    peaks: dict[str, int] = {}
    for number in family & statuses.keys():
        status = statuses[number]
        kind = "own" if number == os.getpid() else status["Name"].rstrip("0123456789.")
        peak = int(status.get("VmHWM", "0 kB").split()[0]) // _KIB_PER_MIB
        peaks[kind] = max(peaks.get(kind, 0), peak)
    return {kind: peaks[kind] for kind in ("own", "python", "java") if kind in peaks}


def _statuses() -> Iterator[tuple[int, dict[str, str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            lines = (folder / "status").read_text(encoding="utf-8").splitlines()
        except OSError:  # it has ended meanwhile
            continue
        pairs = (line.partition(":") for line in lines)
        yield int(folder.name), {name: value.strip() for name, _, value in pairs}
