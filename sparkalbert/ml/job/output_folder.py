"""A folder that Spark writes, in place whole or not at all.

Rows go to a hidden folder beside the target, which takes the target's name when the write has ended.
On classic sessions Hadoop's file systems do it, on Connect this machine's, where client and server
share it. Elsewhere on Connect nobody but Spark can rename: it writes to the target itself, and a folder
without ``_SUCCESS`` in it is incomplete. It knows nothing about rows.
"""

from __future__ import annotations

import posixpath
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkalbert.errors import OutputError
from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["output_folder"]

_SUCCESS_FILE: Final = "_SUCCESS"
_LOOKED_AT: Final = 100


class _Files(Protocol):
    """The four things needed of a file system; paths as Spark takes them."""

    def exists(self, path: str) -> bool: ...
    def is_empty(self, path: str) -> bool: ...
    def rename(self, old: str, new: str) -> bool: ...
    def remove(self, path: str) -> None: ...


class _LocalFiles:
    def exists(self, path: str) -> bool:
        return self._path(path).exists()

    def is_empty(self, path: str) -> bool:
        return self._path(path).is_dir() and not any(self._path(path).iterdir())

    def rename(self, old: str, new: str) -> bool:
        self._path(old).rename(self._path(new))
        return True

    def remove(self, path: str) -> None:
        shutil.rmtree(self._path(path), ignore_errors=True)

    @staticmethod
    def _path(path: str) -> Path:
        return Path(path.removeprefix("file:"))


class _HadoopFiles:
    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark.sparkContext._jvm  # noqa: SLF001 - the only way to Hadoop
        self._configuration = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001

    def exists(self, path: str) -> bool:
        return bool(self._system(path).exists(self._path(path)))

    def is_empty(self, path: str) -> bool:
        system, folder = self._system(path), self._path(path)
        return bool(system.getFileStatus(folder).isDirectory()) and len(system.listStatus(folder)) == 0

    def rename(self, old: str, new: str) -> bool:
        return bool(self._system(old).rename(self._path(old), self._path(new)))

    def remove(self, path: str) -> None:
        self._system(path).delete(self._path(path), True)

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _system(self, path: str) -> Any:
        return self._path(path).getFileSystem(self._configuration)


@contextmanager
def output_folder(spark: SparkSession, path: str, *, overwrite: bool = False) -> Iterator[str]:
    """Yield the path to write to; when the block ends well, `path` holds what was written there.

    Parameters
    ----------
    spark
        The session that writes.
    path
        The folder to appear.
    overwrite
        Whether the output of an earlier run (a folder with ``_SUCCESS`` in it) may be replaced.

    Raises
    ------
    OutputError
        When `path` exists and may not be replaced, or cannot be put in place.
    """
    files, target = _files(spark, path.rstrip("/"))
    if files is None:
        _check_from_afar(spark, target, overwrite=overwrite)
        yield target
        return
    _check(files, target, overwrite=overwrite)
    work = _sibling(target, "incomplete")
    try:
        yield work
        _check(files, target, overwrite=overwrite)  # again: the write may have taken hours
        _move(files, work, target)
    finally:
        files.remove(work)


def _files(spark: SparkSession, path: str) -> tuple[_Files | None, str]:
    """Return the file system to rename on, if any, and the path as both sides understand it."""
    if not is_connect_session(spark):
        return _HadoopFiles(spark), path
    local = _local_path(path)
    if local is None or not _shares_files(spark, local):
        return None, path
    return _LocalFiles(), f"file:{local}"


def _local_path(path: str) -> Path | None:
    """Return where a path leads on this machine, None for another scheme."""
    parts = urlsplit(path)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(path).absolute()


def _shares_files(spark: SparkSession, path: Path) -> bool:
    """Whether the server reads what this client writes near `path`."""
    folder = next(parent for parent in path.parents if parent.is_dir())
    probe = folder / f"sparkalbert-{uuid.uuid4().hex}"  # Spark reads no hidden file
    try:
        probe.write_text(probe.name, encoding="ascii")
        rows = spark.read.text(f"file:{probe}").collect()
    except (OSError, PySparkException):
        return False
    finally:
        probe.unlink(missing_ok=True)
    return [row[0] for row in rows] == [probe.name]


def _check(files: _Files, target: str, *, overwrite: bool) -> None:
    if not files.exists(target) or files.is_empty(target):
        return
    if not files.exists(f"{target}/{_SUCCESS_FILE}"):
        raise OutputError(_not_ours(target))
    if not overwrite:
        raise OutputError(_exists(target))


def _check_from_afar(spark: SparkSession, target: str, *, overwrite: bool) -> None:
    """Check a folder that only Spark sees: it lists no ``_SUCCESS``, so names of files must do."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        found = reader.load(target).select("path").limit(_LOOKED_AT).collect()
    except PySparkException as error:
        if "PATH_NOT_FOUND" in str(error):
            return
        raise
    if any(not posixpath.basename(row[0]).startswith("part-") for row in found):
        raise OutputError(_not_ours(target))
    if found and not overwrite:
        raise OutputError(_exists(target))


def _not_ours(target: str) -> str:
    return f"{target} exists and is no finished output of Spark: remove it first, or choose another folder."


def _exists(target: str) -> str:
    return f"{target} exists already; pass --overwrite (overwrite=True) to replace it."


def _move(files: _Files, work: str, target: str) -> None:
    if not files.exists(target):
        _rename(files, work, target)
        return
    aside = _sibling(target, "replaced")
    _rename(files, target, aside)
    try:
        _rename(files, work, target)
    except OutputError:
        files.rename(aside, target)
        raise
    files.remove(aside)


def _rename(files: _Files, old: str, new: str) -> None:
    try:
        done = files.rename(old, new)
    except OSError as error:
        msg = f"{old} was written but cannot be renamed to {new}: {error}"
        raise OutputError(msg) from error
    if not done:
        msg = f"{old} was written but cannot be renamed to {new}: the file system refused."
        raise OutputError(msg)


def _sibling(target: str, state: str) -> str:
    """A name that Spark's readers skip, because it starts with a dot."""
    parent, name = posixpath.split(target)
    if not name or target.endswith(":"):
        msg = f"{target!r} is no folder to write to; name one below it."
        raise OutputError(msg)
    return posixpath.join(parent, f".{name}-{state}-{uuid.uuid4().hex[:8]}")
