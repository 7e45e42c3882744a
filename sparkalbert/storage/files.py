"""Writes a file safely: beside its target, then renamed into place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["unfinished_prefix", "write_file"]

_MODE: Final = 0o644


def unfinished_prefix(target: Path) -> str:
    """Return how the names of unfinished files begin that :func:`write_file` writes beside `target`."""
    return f".{target.name}-"


@contextmanager
def write_file(target: Path) -> Iterator[Path]:
    """Yield a file to write to, which becomes `target` when the block ends without an error.

    Every writer, be it a process or a thread, has a file of its own; the last that ends wins. Missing parents are
    created. After an error, `target` is what it was before.

    Yields
    ------
    Path
        An empty file beside `target`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=unfinished_prefix(target), dir=target.parent)
    os.close(descriptor)
    work = Path(name)
    try:
        yield work
        work.chmod(_MODE)
        work.replace(target)
    except BaseException:
        work.unlink(missing_ok=True)
        raise
