"""Paths as people and Spark write them: plain, with ``~``, or as a ``file:`` URI."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath
from typing import Final

__all__ = ["exists", "file_uri", "is_folder", "is_remote", "local_path", "with_home", "with_slashes"]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)")
"""RFC 3986, section 3.1; one letter is a drive of Windows."""

_DRIVE: Final = re.compile(r"[A-Za-z]:")


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
    relative paths stay relative. One letter before a colon is a drive of Windows, not a scheme.

    Examples
    --------
    >>> local_path("file:///models/a%20b").as_posix(), local_path("s3a://bucket/models")
    ('/models/a%20b', None)
    >>> local_path("C:/models").as_posix(), local_path("file:///C:/models").as_posix()
    ('C:/models', 'C:/models')
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Path(with_home(text))
    if scheme[0].lower() == "file":
        path = text[len("file:") :]
        below_root = path.lstrip("/")
        return Path(f"/{below_root}" if path.startswith("/") and not _DRIVE.match(below_root) else below_root)
    return None


def is_remote(text: str) -> bool:
    """Return whether a text is the URI of another file system (``s3a:``, ``hdfs:``).

    Without a slash it is a name, which may contain a colon.

    Examples
    --------
    >>> [is_remote(text) for text in ("hdfs://host/model", "file:///model", "C:/model", "albert:v2")]
    [True, False, False, False]
    """
    return "/" in text and local_path(text) is None


def file_uri(path: PurePath) -> str:
    """Return an absolute path as a ``file:`` URI for Spark, which does not unescape percent signs.

    Examples
    --------
    >>> from pathlib import PurePosixPath, PureWindowsPath
    >>> file_uri(PurePosixPath("/models/a b")), file_uri(PureWindowsPath("C:/models"))
    ('file:/models/a b', 'file:/C:/models')
    """
    text = path.as_posix()
    return f"file:{text}" if text.startswith("/") else f"file:/{text}"


def with_slashes(text: str) -> str:
    r"""Return a path in which slashes separate the names, as on every system but Windows.

    Examples
    --------
    >>> with_slashes(r"C:\models\albert"), with_slashes("s3a://bucket/a")
    ('C:/models/albert', 's3a://bucket/a')
    """
    return text.replace("\\" if _DRIVE.match(text) else os.sep, "/")


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
