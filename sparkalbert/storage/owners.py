"""Reads the owners of files, also on systems that do not report them."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["is_trusted", "user_id"]

_ROOT: Final = 0


def user_id() -> int:
    """Return the id of the user that this process runs as.

    On Windows it is 0, the owner that Python reports there for every file. Windows decides by access lists who may
    change a file, and the temporary directory belongs to one user.
    """
    getuid = getattr(os, "getuid", None)
    return _ROOT if getuid is None else int(getuid())


def is_trusted(status: os.stat_result) -> bool:
    """Return whether a file belongs to this user or root; on Windows always."""
    return status.st_uid in {user_id(), _ROOT}
