"""Paths as people and Spark write them: plain, with ``~``, or as a ``file:`` URI."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

__all__ = ["exists", "is_folder", "local_path", "with_home"]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
"""RFC 3986, section 3.1."""


def with_home(text: str) -> str:
    """Return a path with ``~`` or ``~user`` at its start replaced by the home folder, as a shell does.

    A shell leaves ``--output=~/vectors`` unchanged, and Spark takes ``~`` for the name of a folder. If there is no such
    user, the path is unchanged.

    Examples
    --------
    >>> with_home("~/models") == os.path.expanduser("~/models"), with_home("s3a://bucket/~")
    (True, 's3a://bucket/~')
    """
    return os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser fails if there is no such user


def local_path(text: str) -> Path | None:
    """Return the path on this machine's file system, or None for another scheme (``s3a:``, ``hdfs:``).

    ``~`` is the home folder, see :func:`with_home`. Percent signs in a ``file:`` URI are literal, as Hadoop reads them;
    relative paths stay relative.

    Examples
    --------
    >>> local_path("file:///models/a%20b").as_posix(), local_path("s3a://bucket/models")
    ('/models/a%20b', None)
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Path(with_home(text))
    if scheme[0].lower() == "file":
        path = text[len("file:") :]
        return Path("/" + path.lstrip("/")) if path.startswith("/") else Path(path)
    return None


def exists(path: Path) -> bool:
    """Return whether there is a file or folder, as ``Path.exists`` does from Python 3.14 on.

    If the file system refuses the path, for instance because a name is longer than 255 bytes, there is none.
    """
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether there is a folder; see :func:`exists`."""
    try:
        return path.is_dir()
    except OSError:
        return False
