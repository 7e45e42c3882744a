"""Tells whether a file was written to, from what the file system records about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FileState"]


@dataclass(frozen=True)
class FileState:
    """What the file system records about the content of a file.

    Attributes
    ----------
    links
        The number of its names.
    size_bytes
        Its size.
    modified_ns, changed_ns
        When its content, and when anything about it was last changed.
    """

    links: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, file: Path | int) -> FileState:
        """Return the state of a file, given by its path or as an open descriptor; raises OSError."""
        status = file.stat() if isinstance(file, Path) else os.fstat(file)
        return cls(status.st_nlink, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def may_differ(self, later: FileState) -> bool:
        """Return whether the content may be another in a later state.

        Programs such as ``cp -a`` set the time of modification at will, so the time of change counts as well. A file
        that loses its name, because its folder is removed or replaced, has another time of change and fewer links. The
        number of the inode does not count, because mounted object stores make it up anew.
        """
        if (self.size_bytes, self.modified_ns) != (later.size_bytes, later.modified_ns):
            return True
        return self.changed_ns != later.changed_ns and self.links == later.links
