"""Python, the libraries and Java on this machine."""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from sparkalbert.doctor.check import Check

__all__ = ["java_check", "library_checks", "pyspark_check", "python_check"]

_REQUIREMENT: Final = re.compile(r"([\w.-]+)>=([\d.]+)")
_RIVALS: Final[Mapping[str, tuple[str, ...]]] = {
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
    "pyspark": ("databricks-connect", "pyspark-client", "pyspark-connect"),
}
"""Distributions that install the same module, each over the files of the other."""

_CORE_JAR: Final = re.compile(r"spark-core_[\d.]+-([\d.]+\d)")


def python_check() -> Check:
    """Return the Python of this process."""
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.system()} "
                 f"{platform.machine()}")  # fmt: skip


def library_checks() -> Iterator[Check]:
    """Check each library that sparkalbert requires: that it can be imported, and its version."""
    for name, least in _requirements().items():
        yield _library_check(name, least)


def _requirements() -> dict[str, str]:
    """Return the oldest supported version of each required library; empty if this package has no metadata."""
    try:
        lines = requires("sparkalbert") or []
    except PackageNotFoundError:  # sent as a zip
        return {}
    found = (_REQUIREMENT.match(line) for line in lines if "extra ==" not in line)
    return {match[1]: match[2] for match in found if match is not None}


def _library_check(name: str, least: str) -> Check:
    try:
        importlib.import_module(name)
    except ImportError as error:
        return Check(name, "failed", f"cannot be imported: {error}", f"pip install --force-reinstall '{name}>={least}'")
    installed = _version(name)
    if installed is None:
        return Check(name, "warning", "is importable, but its version is unknown", f"pip install '{name}>={least}'")
    if _numbers(installed) < _numbers(least):
        return Check(name, "failed", f"{installed}, expected at least {least}", f"pip install '{name}>={least}'")
    return _rival_check(name, installed)


def _rival_check(name: str, installed: str) -> Check:
    for rival in _RIVALS.get(name, ()):
        other = _version(rival)
        if other is not None:
            found = f"{installed}, and {rival} {other} with the same module"
            mend = f"pip uninstall {name} {rival}, then install one of them"
            return Check(name, "warning", found, mend)
    return Check(name, "ok", installed)


def pyspark_check() -> Check:
    """Check that pyspark can be imported, and that the Spark it would start is of its version."""
    try:
        pyspark = importlib.import_module("pyspark")
    except ImportError as error:
        return Check("pyspark", "failed", f"cannot be imported: {error}", "pip install 'sparkalbert[spark]'")
    home = os.environ.get("SPARK_HOME")
    jars = _spark_version(Path(home)) if home else None
    if jars is not None and _numbers(jars)[:2] != _numbers(pyspark.__version__)[:2]:
        found = f"{pyspark.__version__}, but SPARK_HOME={home} is Spark {jars}"
        mend = f"unset SPARK_HOME, or pip install 'pyspark=={jars}'"
        return Check("pyspark", "failed", f'{found}: calls end in "does not exist in the JVM"', mend)
    return _rival_check("pyspark", str(pyspark.__version__))


def _spark_version(home: Path) -> str | None:
    """Return the version of a Spark installation by the name of its jar."""
    found = (_CORE_JAR.match(path.name) for path in (home / "jars").glob("spark-core_*.jar"))
    return next((match[1] for match in found if match is not None), None)


def java_check() -> Check:
    """Check that a local Spark finds a Java that it supports."""
    from sparkalbert.errors import MissingDependencyError
    from sparkalbert.ml.session.java import ensure_java

    try:
        return Check("java", "ok", ensure_java())
    except MissingDependencyError as error:
        found, _, mend = str(error).partition(". ")
        return Check("java", "failed", found, mend)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """Return a version for comparison.

    Examples
    --------
    >>> _numbers("1.18"), _numbers("4.1.0.dev2")
    ((1, 18), (4, 1, 0))
    """
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()
