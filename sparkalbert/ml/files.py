"""Writes folders with Spark, completely or not at all, on every file system that Spark reaches.

A classic session goes through Hadoop's file systems. A Spark Connect client uses its own if the server shares it.
Otherwise only Spark can write: it writes to the target itself, and an incomplete folder lacks its marker.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from sparkalbert.errors import OutputError, SparkAlbertError
from sparkalbert.ml.failures import is_spark_failure
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.storage.folders import FileSystem, FolderKind, LocalFileSystem, replace_folder
from sparkalbert.storage.paths import file_uri, local_path, with_home, with_slashes

__all__ = [
    "HadoopFileSystem",
    "literal_path",
    "reads_from",
    "remote_files",
    "shares_files",
    "spark_folder",
    "spark_path",
]

_LOGGER: Final = logging.getLogger("sparkalbert")
_MAX_LISTED: Final = 100
_PATTERN_SIGN: Final = re.compile(r"[\[\]{}*?\\]")
_URI: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]+):(?://([^/]*?)(?::\d+)?(?=/|$))?)?(.*)", re.DOTALL)
"""Scheme, host and path; the port does not count."""


class HadoopFileSystem:
    """Reaches every file system of a classic session through Hadoop, with the session's settings.

    Paths are written as for Spark. Every failure is raised as OSError, whichever exception Hadoop or py4j uses for it.
    """

    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark.sparkContext._jvm  # noqa: SLF001 - the only way to Hadoop
        session: Any = spark._jsparkSession  # noqa: SLF001
        self._configuration = session.sessionState().newHadoopConf()  # with what was set in the session only

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder."""
        with _as_os_error():
            return bool(self._system(path).exists(self._path(path)))

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder; raises OSError if it is not one."""
        with _as_os_error():
            system, path = self._system(folder), self._path(folder)
            if not system.getFileStatus(path).isDirectory():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
            return [status.getPath().getName() for status in system.listStatus(path)]

    def rename(self, old: str, new: str) -> None:
        """Rename a file or folder; `new` must not exist."""
        with _as_os_error():
            system, target = self._system(old), self._path(new)
            if system.exists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
            if not system.rename(self._path(old), target):
                raise PermissionError(errno.EPERM, "The file system refused to rename", old, None, new)
            # If the target appeared meanwhile, Hadoop has moved the folder into it.
            nested = self._path(f"{new}/{self._path(old).getName()}")
            if system.exists(nested):
                system.rename(nested, self._path(old))
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)

    def remove(self, path: str) -> None:
        """Remove a folder and everything in it."""
        with _as_os_error():
            system, gone = self._system(path), self._path(path)
            if not system.delete(gone, True) and system.exists(gone):
                raise PermissionError(errno.EPERM, "The file system refused to remove", path)

    def upload(self, source: Path, target: str) -> None:
        """Copy a local file to a path, whose parents are created."""
        with _as_os_error():
            self._system(target).copyFromLocalFile(
                False, True, self._path(file_uri(source.absolute())), self._path(target)
            )

    def download(self, source: str, target: Path) -> None:
        """Copy a file to a local path."""
        with _as_os_error():
            self._system(source).copyToLocalFile(
                False, self._path(source), self._path(file_uri(target.absolute())), True
            )

    def qualified(self, path: str) -> str:
        """Return a path with its scheme and host, as Spark lists it."""
        with _as_os_error():
            return str(self._system(path).makeQualified(self._path(path)).toString())

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _system(self, path: str) -> Any:
        return self._path(path).getFileSystem(self._configuration)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise Hadoop's exceptions as OSError: pyspark passes some of them on as py4j's, and others as its own."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or not is_spark_failure(error):
            raise
        cause: Any = getattr(error, "java_exception", None)
        reason = cause.toString() if cause is not None else str(error).strip()
        raise OSError(reason.splitlines()[0] if reason else type(error).__name__) from error


def literal_path(path: str) -> str:
    r"""Return a path to read from in which the signs of a pattern are part of the name.

    Examples
    --------
    >>> print(literal_path("/data/[a]"))
    /data/\[a\]
    """
    return _PATTERN_SIGN.sub(r"\\\g<0>", path)


def spark_path(spark: SparkSession, path: str) -> str:
    """Return a path to read from, as Spark takes it.

    For a Spark Connect client a relative path, and any path that exists here, is one of this machine; the server would
    look in its own working directory, or in another file system. ``~`` is the home folder of this machine's user.
    """
    path = with_slashes(with_home(path))
    local = local_path(path)
    if is_connect_session(spark) and local is not None and (not local.is_absolute() or local.exists()):
        return file_uri(local.absolute())
    return path


def shares_files(spark: SparkSession, path: Path) -> bool:
    """Return whether the server reads what this client writes near `path`, which need not exist.

    If the client sees the folder of `path` but cannot write to it, the reason is logged.
    """
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    # A job that reads `folder` skips hidden folders, but Spark reads a file in one if it is given the path.
    probe = folder / f".sparkalbert-{uuid.uuid4().hex}" / "probe"
    try:
        probe.parent.mkdir()
        probe.write_text(probe.parent.name, encoding="ascii")
        rows = spark.read.text(literal_path(file_uri(probe))).collect()
    except OSError as error:
        if folder == path.absolute().parent:  # else the path may exist on the server only
            reason = error.strerror or error
            _LOGGER.warning(
                "This Spark Connect client cannot write to %s (%s) and leaves %s to the server.", folder, reason, path
            )
        return False
    except PySparkException as error:
        _LOGGER.info("The Spark Connect server does not read %s: %s", probe, str(error).partition("\n")[0])
        return False
    finally:
        shutil.rmtree(probe.parent, ignore_errors=True)
    return [row[0] for row in rows] == [probe.parent.name]


def reads_from(frame: DataFrame, folder: str) -> bool:
    """Return whether a DataFrame reads a file in a folder that is to be written, whatever pattern or link leads there.

    In doubt it does: neither scheme nor port counts (``s3:`` and ``s3a:`` lead to the same files), and a Spark Connect
    client does not know the file system of a path without a scheme.

    Raises
    ------
    OutputError
        If Spark does not list the files that the DataFrame reads.
    """
    spark, target = frame.sparkSession, with_slashes(with_home(folder))
    local = local_path(target)
    if not is_connect_session(spark):
        with _named(folder):
            target = HadoopFileSystem(spark).qualified(target)
    elif local is not None:
        target = local.absolute().as_posix()
    try:
        files = frame.inputFiles()
    except Exception as error:
        if not is_spark_failure(error):
            raise
        msg = (
            f"{folder} cannot be replaced, since it may contain the texts: Spark does not list their files here "
            f"({str(error).strip().splitlines()[0]}). Choose another folder, or remove it first, and leave out "
            "overwrite."
        )
        raise OutputError(msg) from error
    return _contains(target, files)


def _contains(folder: str, files: Iterable[str]) -> bool:
    """Return whether a folder contains one of some files, which are URIs with percent signs as Spark lists them."""
    host, folders = _place(folder)
    for file in files:
        own_host, paths = _place(unquote(file))
        inside = any(f"{path}/".startswith(f"{parent}/") for path in paths for parent in folders)
        if inside and host in {own_host, None}:
            return True
    return False


def _place(uri: str) -> tuple[str | None, set[str]]:
    """Return the host of a URI, None without a scheme, and its path, on this machine also with links followed."""
    scheme, host, path = _URI.findall(uri)[0]
    local = local_path(uri)
    followed = set() if local is None else {Path(os.path.realpath(local)).as_posix()}
    return host if scheme else None, {path.rstrip("/"), *followed}


def remote_files(spark: SparkSession, folder: str) -> list[str]:
    """Return the paths of some files in a folder that only Spark can reach; none if there is no such folder.

    Spark lists no hidden files, nor those whose name starts with an underscore.
    """
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        return [row[0] for row in reader.load(literal_path(folder)).select("path").limit(_MAX_LISTED).collect()]
    except PySparkException as error:
        if "PATH_NOT_FOUND" in str(error):
            return []
        raise


@contextmanager
def spark_folder(
    spark: SparkSession,
    path: str,
    kind: Callable[[FileSystem], FolderKind],
    *,
    overwrite: bool = False,
    check_remote: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, FileSystem | None]]:
    """Yield a path for Spark to write to; when the block ends without an error, `path` holds what was written.

    Parameters
    ----------
    spark
        The session that writes.
    path
        The folder to write.
    kind
        Returns how to recognize a folder that may be replaced, given its file system.
    overwrite
        If true, a folder of this kind is replaced.
    check_remote
        Checks a target that only Spark can reach; raises OutputError if it must not be written.

    Yields
    ------
    str
        The path to write to, as Spark takes it.
    FileSystem or None
        The file system of that path; None if only Spark can reach it.

    Raises
    ------
    OutputError
        If `path` exists and must not be replaced, or cannot be written.
    """
    target = with_slashes(with_home(path))
    target = target.rstrip("/") or target
    if not is_connect_session(spark):
        files: FileSystem = HadoopFileSystem(spark)
        with _named(target), replace_folder(files, target, kind(files), overwrite=overwrite) as work:
            yield work, files
        return
    local = local_path(target)
    if local is None or not shares_files(spark, local):
        if check_remote is not None:
            check_remote(target)
        yield target, None
        return
    files = LocalFileSystem()
    with replace_folder(files, file_uri(local.absolute()), kind(files), overwrite=overwrite) as work:
        yield work, files


@contextmanager
def _named(target: str) -> Iterator[None]:
    """Raise failures of the file system with the name of the target; the end of the driver's JVM is not one of them."""
    try:
        yield
    except (SparkAlbertError, ConnectionError):
        raise
    except OSError as error:
        msg = f"{target} cannot be written: {error}"
        raise OutputError(msg) from error
