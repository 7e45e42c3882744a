"""Reports files of a model that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from sparkalbert.errors import CheckpointError, SparkAlbertError

__all__ = ["copy_readable", "wrap_unreadable"]

_CHUNK_BYTES: Final = 1 << 20


@contextmanager
def wrap_unreadable(path: Path) -> Iterator[None]:
    """Raise CheckpointError if the block fails to read a file; errors of sparkalbert pass unchanged.

    Parameters
    ----------
    path
        The file or folder that the block reads. The message names a file in it instead if the OSError does.

    Raises
    ------
    CheckpointError
        If the block raises OSError.
    """
    try:
        yield
    except SparkAlbertError:  # some are OSErrors, too
        raise
    except OSError as error:
        msg = f"{error.filename or path} cannot be read ({error.strerror or error}). Check that this user may read it."
        raise CheckpointError(msg) from error


def copy_readable(source: Path, target: Path) -> None:
    """Copy a file of a model.

    Raises
    ------
    CheckpointError
        If `source` cannot be read.
    OSError
        If `target` cannot be written.
    """
    with ExitStack() as stack:
        with wrap_unreadable(source):
            file = stack.enter_context(source.open("rb"))
        copy = stack.enter_context(target.open("wb"))
        while True:
            with wrap_unreadable(source):
                chunk = file.read(_CHUNK_BYTES)
            if not chunk:
                return
            copy.write(chunk)
