"""Detects writes to a file by what the file system records about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FileState"]


@dataclass(frozen=True)
class FileState:
    """What the file system records about the content of a file. A file with an equal state was not written to.

    Attributes
    ----------
    size_bytes
        Its size.
    modified_ns
        When its content was last changed; programs such as ``cp -a`` set this time at will.
    changed_ns
        When anything about it was last changed, also its mode or the number of its names; 0 on Windows, where
        ``stat`` gives the time of creation, and ``fstat`` may give another one.
    """

    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, file: Path | int) -> FileState:
        """Return the state of a file, given by its path or as an open descriptor; raises OSError."""
        status = file.stat() if isinstance(file, Path) else os.fstat(file)
        return cls(status.st_size, status.st_mtime_ns, 0 if os.name == "nt" else status.st_ctime_ns)

    def has_other_content(self, later: FileState) -> bool:
        """Return whether size or time of modification show that the content is another in a later state."""
        return (self.size_bytes, self.modified_ns) != (later.size_bytes, later.modified_ns)
