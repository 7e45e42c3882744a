"""Locks between processes that share a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkalbert.errors import OutputError
from sparkalbert.storage.homes import HOME_VARIABLE

__all__ = ["exclusive"]


@contextmanager
def exclusive(home: Path, name: str, *, choose: str = f"Set {HOME_VARIABLE} to") -> Iterator[None]:
    """Let one process (and one thread) at a time do the work called `name`; the others wait.

    The lock belongs to the open file, so it is released when its process dies. Lock files are never removed:
    removing one safely would need another lock.

    Parameters
    ----------
    home
        The cache or node folder.
    name
        Name of the work, valid as a file name.
    choose
        How the user chooses another folder, for messages.

    Raises
    ------
    OutputError
        If the folder cannot be written or its file system does not support locks.
    """
    folder = home / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{name}.lock").open("a")
    except OSError as error:
        msg = f"{folder} cannot be written ({error.strerror}). {choose} a writable folder."
        raise OutputError(msg) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            msg = (
                f"The file system of {folder} cannot lock files ({error.strerror}). {choose} a folder on a local disk."
            )
            raise OutputError(msg) from error
        yield
