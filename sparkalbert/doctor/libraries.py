"""Python, the libraries and Java on this machine."""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Final

from sparkalbert.doctor.check import Check
from sparkalbert.machine import installed_versions

__all__ = ["java_check", "library_checks", "pyspark_check", "python_check"]

_REQUIREMENT: Final = re.compile(r"([\w.-]+)>=([\d.]+)")
_CORE_JAR: Final = re.compile(r"spark-core_[\d.]+-([\d.]+\d)")


def python_check() -> Check:
    """Return the Python of this process."""
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.system()} "
                 f"{platform.machine()}")  # fmt: skip


def library_checks() -> Iterator[Check]:
    """Check each library that sparkalbert requires: that it can be imported, and its version."""
    for name, minimum in _requirements().items():
        yield _library_check(name, minimum)


def _requirements() -> dict[str, str]:
    """Return the oldest supported version of each required library; empty if this package has no metadata."""
    try:
        lines = requires("sparkalbert") or []
    except PackageNotFoundError:  # sent as a zip
        return {}
    found = (_REQUIREMENT.match(line) for line in lines if "extra ==" not in line)
    return {match[1]: match[2] for match in found if match is not None}


def _library_check(name: str, minimum: str) -> Check:
    installed = installed_versions(name)
    distribution = next(iter(installed), name)
    required = f"'{distribution}>={minimum}'"
    try:
        importlib.import_module(name)
    except ImportError as error:
        return Check(name, "failed", f"cannot be imported: {error}", f"pip install --force-reinstall {required}")
    if not installed:
        return Check(name, "warning", "is importable, but its version is unknown", f"pip install {required}")
    if len(installed) > 1:
        return _rival_check(name, installed)
    if _numbers(installed[distribution]) < _numbers(minimum):
        found = f"{installed[distribution]}, expected at least {minimum}"
        return Check(name, "failed", found, f"pip install {required}")
    return Check(name, "ok", installed[distribution])


def _rival_check(name: str, installed: Mapping[str, str]) -> Check:
    found = f"{' and '.join(map(' '.join, installed.items()))} install the same module"
    mend = f"pip uninstall {' '.join(installed)}, then install one of them"
    return Check(name, "warning", found, mend)


def pyspark_check() -> Check:
    """Check that pyspark can be imported, and that the Spark it would start has the same version."""
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
    installed = installed_versions("pyspark")
    return _rival_check("pyspark", installed) if len(installed) > 1 else Check("pyspark", "ok", pyspark.__version__)


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


def _numbers(text: str) -> tuple[int, ...]:
    """Return a version for comparison.

    Examples
    --------
    >>> _numbers("1.18"), _numbers("4.1.0.dev2")
    ((1, 18), (4, 1, 0))
    """
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()
