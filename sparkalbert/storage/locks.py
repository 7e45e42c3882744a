"""Locks between processes that share a folder, by the means of the operating system.

The library ``filelock`` is not used: it would be one more package on every executor, it replaces a lock that the file
system does not support by one that outlives its process, and waiting with a log line and an end would remain our own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from sparkalbert.errors import OutputError
from sparkalbert.storage.homes import HOME_VARIABLE

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except PermissionError:  # another process holds it
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]

else:

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process holds it
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


__all__ = ["exclusive"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_POLL_S: Final = 0.05
_NOTICE_S: Final = 30.0
_LIMIT_S: Final = 3600.0
"""Longer than nearly every download or conversion that does not hang."""


@contextmanager
def exclusive(
    home: Path, name: str, *, choose: str = f"Set {HOME_VARIABLE} to", limit_s: float = _LIMIT_S
) -> Iterator[None]:
    """Let one process (and one thread) at a time do the work called `name`; the others wait.

    The lock belongs to the open file, so it is released when its process dies. A process that is stopped, or hangs,
    keeps it: after 30 seconds of waiting a warning names the lock, and after `limit_s` seconds the wait ends. Lock
    files are never removed: removing one safely would need another lock.

    Parameters
    ----------
    home
        The cache or node folder.
    name
        Name of the work, valid as a file name.
    choose
        How the user chooses another folder, for messages.
    limit_s
        How many seconds to wait at most.

    Raises
    ------
    OutputError
        If the folder cannot be written, its file system does not support locks, or other processes held the lock
        for all of `limit_s`.
    """
    folder = home / "locks"
    path = folder / f"{name}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        msg = f"{folder} cannot be written ({error.strerror}). {choose} a writable folder."
        raise OutputError(msg) from error
    with file:
        try:
            _wait_for(file, path, choose, limit_s)
        except OutputError:
            raise
        except OSError as error:
            msg = (
                f"The file system of {folder} cannot lock files ({error.strerror}). {choose} a folder on a local disk."
            )
            raise OutputError(msg) from error
        try:
            yield
        finally:
            # Closing the file releases the lock, too, unless a child has inherited it. A network file system may refuse
            # to unlock; the work is done then, or has an error of its own.
            with suppress(OSError):
                _unlock(file)


def _wait_for(file: IO[bytes], path: Path, choose: str, limit_s: float) -> None:
    """Lock a file; OSError means that it cannot be locked. No system ends a wait by a limit, so it polls."""
    started, is_noted = time.monotonic(), False
    while not _try_lock(file):
        waited = time.monotonic() - started
        if waited >= limit_s:
            msg = (
                f"Waited {limit_s:g} seconds for {path}, which another process holds. If that process is still "
                "working (a slow download, for instance), try again later. If it hangs, end it (on Linux, "
                f"`lsof {path}` finds it). Or {choose[0].lower()}{choose[1:]} another folder."
            )
            raise OutputError(msg)
        if waited >= _NOTICE_S and not is_noted:
            is_noted = True
            _LOGGER.warning("Waiting for %s, which another process holds.", path)
        time.sleep(_POLL_S)
