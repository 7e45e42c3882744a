"""Reports facts about this machine: the cores that this process may use, the CPU and its features, its memory.

Reads ``/proc`` and ``/sys``; without them (macOS) features, quotas and memory are unknown.
"""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

__all__ = [
    "RIVALS",
    "available_cores",
    "cpu_features",
    "installed_versions",
    "machine_facts",
    "memory_limit",
]

RIVALS: Final[Mapping[str, tuple[str, ...]]] = {
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
    "pyspark": ("databricks-connect", "pyspark-client"),
}
"""Other distributions of a library's module. Two of them in one environment overwrite each other's files."""

_FEATURES: Final = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX512-VNNI",
    "amx_int8": "AMX",
    "asimddp": "DOTPROD",
}
"""Linux's names of the features that decide how fast a CPU multiplies floats and integers, and their usual names."""

_LIBRARIES: Final = ("sparkalbert", "onnxruntime", "pyspark", "numpy", "pyarrow", "torch", "transformers")


def available_cores(root: Path = Path("/")) -> int:
    """Return the number of cores that this process may use: its CPU affinity, bounded by its cgroup's quota.

    A container with a limit of 2 CPUs sees all cores of its machine, but is throttled if it uses more than 2.

    Parameters
    ----------
    root
        The folder that contains ``proc`` and ``sys``.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *map(math.ceil, _cgroup_quotas(root))]))


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the memory that this process may use, in bytes: that of the machine, bounded by its cgroup's limit.

    Parameters
    ----------
    root
        The folder that contains ``proc`` and ``sys``.

    Returns
    -------
    int or None
        None if it is not known.
    """
    files = [
        folder / name
        for folder in _cgroup_folders(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")  # of cgroup versions 2 and 1
    ]
    limits = [int(text) for file in files if (text := _text_of(file).strip()).isdecimal()]  # no limit is "max"
    total = re.search(r"^MemTotal:\s+(\d+) kB", _text_of(root / "proc/meminfo"), re.MULTILINE)
    return min([*limits, *([int(total[1]) * 1024] if total else [])], default=None)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def _cgroup_quotas(root: Path) -> Iterator[float]:
    """Yield the CPU quotas of this process's cgroup and of its ancestors, in cores."""
    for folder in _cgroup_folders(root, "cpu"):
        quota = _quota_of(folder)
        if quota is not None:
            yield quota


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's cgroup for a controller, and of its ancestors."""
    try:
        text = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape")  # a path of any bytes
    except OSError:
        return
    for line in filter(None, text.split("\n")):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        # In a container the path may be the host's, and the mount the container's own.
        for folder in (mount / path.lstrip("/"), *(mount / path.lstrip("/")).parents):
            yield folder
            if folder == mount:
                break


def _quota_of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").is_file():  # cgroup version 2
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError):  # no limit is written as "max" or -1
        return None


def cpu_features() -> list[str]:
    """Return the features of the CPU that decide how fast it multiplies, weakest first."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return []
    return [name for flag, name in _FEATURES.items() if flag in flags]


def machine_facts() -> dict[str, Any]:
    """Return what a reader needs to judge figures that were measured here."""
    return {
        "cpu": _cpu_name(),
        "cpu_features": cpu_features(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {
            library: next(iter(found.values())) for library in _LIBRARIES if (found := installed_versions(library))
        },
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown")


def installed_versions(library: str) -> dict[str, str]:
    """Return the version of each installed distribution of a library by its name; that of the library comes first."""
    names = (library, *RIVALS.get(library, ()))
    return {name: found for name in names if (found := _version(name)) is not None}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
