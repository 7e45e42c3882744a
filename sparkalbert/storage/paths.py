"""Paths as people and Spark write them: plain, with ``~``, or as a ``file:`` URI."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["local_path"]


def local_path(text: str) -> Path | None:
    """Return the path on this machine's file system, or None for another scheme (``s3a:``, ``hdfs:``).

    Percent signs in a ``file:`` URI are literal, as Hadoop reads them; relative paths stay relative.

    Examples
    --------
    >>> local_path("file:///models/a%20b").as_posix(), local_path("s3a://bucket/models")
    ('/models/a%20b', None)
    """
    scheme = urlsplit(text).scheme
    if scheme == "file":
        path = text.removeprefix("file:")
        return Path("/" + path.lstrip("/")) if path.startswith("/") else Path(path)
    return None if scheme else Path(text)
