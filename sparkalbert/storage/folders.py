"""Writes a folder safely: beside its target, then renamed into place.

The same steps serve every file system that can rename (local disks here, Hadoop's in :mod:`sparkalbert.ml.files`):

1. Write to a hidden sibling of the target, ``.NAME-incomplete-OWNER``.
2. If the target exists, rename it to ``.NAME-replaced-OWNER``.
3. Rename the new folder to the target's name, then remove the replaced one.

Finished work is never deleted. If anything fails once the new folder is complete, the old folder gets its name back
and the new one stays where it is; the error or a logged warning names its place. A process that is killed leaves its
siblings behind: the next writer of the same target removes those that are provably worthless and logs where the others
are.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import logging
import os
import posixpath
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sparkalbert.errors import OutputError
from sparkalbert.storage.paths import local_path, with_home

__all__ = ["FileSystem", "FolderKind", "LocalFileSystem", "check_target", "replace_folder", "write_folder"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ROOT: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:(//[^/]*)?)?/*")
_SIBLING: Final = re.compile(
    r"\.(?P<name>.+)-(?P<state>incomplete|replaced)-(?P<machine>[0-9a-f]{12})-(?P<pid>\d+)-(?P<started>\d+)-[0-9a-f]{8}"
)


class FileSystem(Protocol):
    """The operations that :func:`replace_folder` needs. Paths are strings; failures raise OSError."""

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder."""

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder; raises OSError if `folder` is not one."""

    def rename(self, old: str, new: str) -> None:
        """Rename a file or folder; `new` must not exist."""

    def remove(self, path: str) -> None:
        """Remove a folder and everything in it."""

    def upload(self, source: Path, target: str) -> None:
        """Copy a local file to a path, whose parents are created."""

    def download(self, source: str, target: Path) -> None:
        """Copy a file to a local path."""


class LocalFileSystem:
    """The file system of this machine. Paths may begin with ``file:``."""

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder."""
        return os.path.lexists(_plain(path))

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder; raises OSError if `folder` is not one."""
        return [path.name for path in _plain(folder).iterdir()]

    def rename(self, old: str, new: str) -> None:
        """Rename a file or folder; `new` must not exist."""
        if self.exists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        _plain(old).rename(_plain(new))

    def remove(self, path: str) -> None:
        """Remove a folder and everything in it; if `path` is a link, remove only the link."""
        folder = _plain(path)
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)

    def upload(self, source: Path, target: str) -> None:
        """Copy a local file to a path, whose parents are created."""
        _plain(target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, _plain(target))

    def download(self, source: str, target: Path) -> None:
        """Copy a file to a local path."""
        shutil.copyfile(_plain(source), target)


def _plain(path: str) -> Path:
    return (local_path(path) if path.startswith("file:") else None) or Path(path)


@dataclass(frozen=True)
class FolderKind:
    """Describes how a writer recognizes its own folders.

    Attributes
    ----------
    marker
        A path in the folder that is written last: a folder that contains it is complete.
    is_ours
        Returns whether a folder holds what this writer writes. Only such a folder may be replaced.
    overwrite_hint
        What the user has to do so that a folder is replaced, for messages, without a full stop.
    """

    marker: str
    is_ours: Callable[[str], bool]
    overwrite_hint: str = "Pass overwrite=True (--overwrite on the command line) to replace it"


@contextmanager
def replace_folder(files: FileSystem, target: str, kind: FolderKind, *, overwrite: bool = False) -> Iterator[str]:
    """Yield a folder to write to, which becomes `target` when the block ends without an error.

    Parameters
    ----------
    files
        The file system of `target`.
    target
        Path of the folder to write, with slashes.
    kind
        How to recognize a folder that may be replaced, and a complete one.
    overwrite
        If true, a folder of this kind at `target` is replaced.

    Yields
    ------
    str
        Path of a folder beside `target`; it does not exist yet. An error in the block removes it, unless it is
        complete: then it is kept, and a logged warning names it.

    Raises
    ------
    OutputError
        If `target` exists and must not be replaced, or if the complete folder cannot be renamed to it. The
        complete folder is kept then, and the message names it.
    """
    replacement = _Replacement(
        files, target, kind, overwrite, _sibling(target, "incomplete"), _sibling(target, "replaced")
    )
    replacement.check(target)
    _clear_siblings(files, target, kind)
    try:
        yield replacement.work
    except BaseException as error:
        replacement.abandon(error)
        raise
    try:
        replacement.check(target)  # the write may have taken hours
        replacement.publish()
    except BaseException as error:
        if not isinstance(error, OSError):  # an interrupt keeps its type
            replacement.log_whereabouts(error)
            raise
        msg = f"{target} cannot be written: {str(error).rstrip('.')}. {replacement.whereabouts()}"
        raise OutputError(msg) from error
    _remove_quietly(files, replacement.replaced)


@contextmanager
def write_folder(target: str | Path, kind: FolderKind, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a local folder beside `target` and rename it when it is complete; see :func:`replace_folder`.

    A link is followed: the folder that it points to is replaced. Missing parents are created.

    Yields
    ------
    Path
        The folder to write into; it exists and is empty.

    Raises
    ------
    OutputError
        If `target` exists and must not be replaced, or cannot be written.
    """
    folder = _real_path(target)
    with replace_folder(LocalFileSystem(), folder.as_posix(), kind, overwrite=overwrite) as name:
        work = Path(name)
        try:
            work.mkdir(parents=True)
        except OSError as error:
            msg = f"{folder} cannot be written: {error}. Choose another folder."
            raise OutputError(msg) from error
        try:
            yield work
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            msg = f"{folder} cannot be written: {error}. Free space there, or choose another folder."
            raise OutputError(msg) from error


def check_target(target: str | Path, kind: FolderKind, *, overwrite: bool = False) -> None:
    """Check what :func:`write_folder` checks first, so that long work before it does not end there.

    Raises
    ------
    OutputError
        If there is a folder at `target` that must not be replaced.
    """
    folder = _real_path(target).as_posix()
    _check_replaceable(LocalFileSystem(), folder, folder, kind, overwrite=overwrite)


def _real_path(target: str | Path) -> Path:
    return Path(os.path.realpath(with_home(os.fspath(target))))


@dataclass(frozen=True)
class _Replacement:
    """The steps that put a complete folder in the place of another."""

    files: FileSystem
    target: str
    kind: FolderKind
    overwrite: bool
    work: str
    replaced: str

    def check(self, path: str) -> None:
        """Check that there is nothing at `path`, or a folder that may be replaced."""
        _check_replaceable(self.files, path, self.target, self.kind, overwrite=self.overwrite)

    def abandon(self, error: BaseException) -> None:
        """Remove the new folder after an error, or name it if it is complete."""
        try:
            is_complete = self.files.exists(posixpath.join(self.work, self.kind.marker))
        except OSError as problem:  # for instance, the JVM that reaches the file system is gone
            _LOGGER.warning(
                "%s may be left (%s). It is complete if it contains %s; rename or remove it.",
                self.work, problem, self.kind.marker,
            )  # fmt: skip
            return
        if is_complete:
            self.log_whereabouts(error)
        else:
            _remove_quietly(self.files, self.work)

    def log_whereabouts(self, error: BaseException) -> None:
        """Log where the complete folder is, for an error that is raised unchanged."""
        _LOGGER.warning("%s before %s was written. %s", type(error).__name__, self.target, self.whereabouts())

    def publish(self) -> None:
        """Rename the complete folder to the target; on any error, give the old folder its name back."""
        try:
            if self.files.exists(self.target):
                self.files.rename(self.target, self.replaced)
                self.check(self.replaced)  # it may have changed since the target was checked
            self.files.rename(self.work, self.target)
        except BaseException:
            self._restore()
            raise

    def _restore(self) -> None:
        # An interrupt may arrive between any two steps, so the file system decides what there is to undo.
        try:
            if self.files.exists(self.replaced) and not self.files.exists(self.target):
                self.files.rename(self.replaced, self.target)
        except OSError as error:
            _LOGGER.warning("%s could not be renamed back to %s (%s).", self.replaced, self.target, error)

    def whereabouts(self) -> str:
        """Return sentences that name the place of the complete folder, and the old one if it lost its name."""
        try:
            if self.files.exists(self.work):
                result = f"The complete result is in {self.work}; rename it by hand."
            else:
                result = f"The complete result is in {self.target}."
            if self.files.exists(self.replaced):
                result += f" The folder that was there before is in {self.replaced}."
        except OSError:
            return (
                f"The complete result is in {self.work} or {self.target}, the folder that was there before in "
                f"{self.replaced} or {self.target}."
            )
        return result


def _check_replaceable(files: FileSystem, path: str, target: str, kind: FolderKind, *, overwrite: bool) -> None:
    if not files.exists(path) or _is_empty(files, path):
        return
    advice = "Remove it first, or choose another folder"
    if kind.is_ours(path):
        if overwrite:
            return
        advice = kind.overwrite_hint
    msg = f"{target} already exists. {advice}."
    raise OutputError(msg)


def _is_empty(files: FileSystem, path: str) -> bool:
    try:
        return not files.names(path)
    except OSError:  # a file
        return False


def _remove_quietly(files: FileSystem, path: str) -> None:
    """Remove a folder; log a failure, so that it does not hide the error that is being raised."""
    try:
        if files.exists(path):
            files.remove(path)
    except OSError as error:
        _LOGGER.warning("%s could not be removed (%s); remove it by hand.", path, error)


def _clear_siblings(files: FileSystem, target: str, kind: FolderKind) -> None:
    """Remove what killed writers of `target` left unfinished; log what may be worth keeping."""
    parent, name = posixpath.split(target)
    try:
        names = sorted(files.names(parent or "."))
    except OSError:  # there is no parent yet
        return
    for sibling in names:
        owner = _SIBLING.fullmatch(sibling)
        if owner is None or owner["name"] != name:
            continue
        path = posixpath.join(parent, sibling)
        is_foreign = owner["machine"] != _machine()
        if not is_foreign and not _is_dead(owner["pid"], owner["started"]):
            continue
        who = "A process of another machine or boot, if it does not run any more," if is_foreign else "A process"
        if owner["state"] == "replaced":
            _LOGGER.warning(
                "%s was killed while it replaced %s. The folder that was there before is %s; rename or "
                "remove it.", who, target, path,
            )  # fmt: skip
        elif files.exists(posixpath.join(path, kind.marker)):
            _LOGGER.warning(
                "%s was killed before it could rename its complete result to %s. The result is %s; "
                "rename or remove it.", who, target, path,
            )  # fmt: skip
        elif is_foreign:
            _LOGGER.info("%s was killed while it wrote %s. What is left is %s; remove it.", who, target, path)
        else:
            _remove_quietly(files, path)


def _sibling(target: str, state: str) -> str:
    """Return a path beside `target` that Spark's readers skip, because its name starts with a dot."""
    if _ROOT.fullmatch(target):
        msg = f"{target!r} is the root of a file system, expected a folder below it."
        raise OutputError(msg)
    parent, name = posixpath.split(target)
    owner = f"{_machine()}-{os.getpid()}-{_started(os.getpid()) or 0}"
    return posixpath.join(parent, f".{name}-{state}-{owner}-{uuid.uuid4().hex[:8]}")


@functools.cache
def _machine() -> str:
    """Return an identifier of the process table that this process is in: the boot and the PID namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # macOS, Windows: no other process is ever declared dead
        boot, namespace = uuid.uuid4().hex, ""
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:12]


def _started(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the boot; None if ``/proc`` does not show it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def _is_dead(pid: str, started: str) -> bool:
    """Return whether a process of this machine has provably ended."""
    now = _started(int(pid))
    return not _exists(int(pid)) if now is None else now != int(started)


def _exists(pid: int) -> bool:
    """Return whether there is a process; ``/proc`` may hide those of other users (``hidepid``)."""
    if pid == os.getpid():  # the only one that is looked for without /proc; on Windows, signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True
