"""The files of a command: texts that it reads, and targets that are checked before the work starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Final

from sparkalbert.cli.screen import ERRORS, print_line
from sparkalbert.errors import InputError, OutputError
from sparkalbert.storage.paths import exists, is_folder, local_path

__all__ = [
    "SAMPLE",
    "check_folder_target",
    "check_not_input",
    "check_target",
    "named_path",
    "read_lines",
    "reported_on_interrupt",
    "whole_file",
]

SAMPLE: Final = Path(__file__).with_name("sample.txt")
"""Short texts, one per line, written for this package."""


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 text file that contain text.

    Raises
    ------
    InputError
        If the file cannot be read or contains no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        msg = f"{path} cannot be read as UTF-8 text: {reason}. Expected a text file, one text per line."
        raise InputError(msg) from error
    texts = [line for line in lines if line.strip()]
    if not texts:
        msg = f"{path} contains no text. Expected a text file, one text per line."
        raise InputError(msg)
    return texts


def check_target(path: Path | None, option: str) -> None:
    """Check that a file can be written, so that a long run does not fail at its end.

    An existing file keeps its content.

    Parameters
    ----------
    path
        The file; None if the option was not given.
    option
        The option that names it, for the message.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if path is None:
        return
    try:
        existed = path.exists()
        if existed and not path.is_file() and not path.is_dir():  # opening a pipe would wait for its reader
            return
        path.open("ab").close()
        if not existed:
            path.resolve().unlink()
    except OSError as error:
        msg = f"{option} {path} cannot be written: {error.strerror or error}. Choose a file in a folder that exists."
        raise OutputError(msg) from error


def check_folder_target(path: Path, option: str) -> None:
    """Check that files can be written to a folder, which is created later if it does not exist.

    Parameters
    ----------
    path
        The folder.
    option
        The option that names it, for the message.

    Raises
    ------
    OutputError
        If the folder cannot be written or created.
    """
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        msg = f"{option} {path} cannot be written: {existing} is a file. Choose another folder."
        raise OutputError(msg)
    if not os.access(existing, os.W_OK | os.X_OK):
        msg = f"{option} {path} cannot be written: no permission to write to {existing}. Choose another folder."
        raise OutputError(msg)


def check_not_input(path: Path | None, option: str, source: str) -> None:
    """Check that a file to write is not one of the files to read, also through a link.

    Parameters
    ----------
    path
        The file to write; None if the option was not given.
    option
        The option that names it, for the message.
    source
        A file, a folder or a pattern to read, as Spark takes it.

    Raises
    ------
    OutputError
        If the file is one that is read.
    """
    place = local_path(source)
    if path is None or place is None or not exists(path):
        return
    if any(path.samefile(file) for file in _files(place)):
        msg = f"{option} {path} is one of the files to read, and would be replaced. Choose another file."
        raise OutputError(msg)


def _files(place: Path) -> Iterator[Path]:
    """Yield the files that a path or pattern names, and those in a folder, except those that Spark ignores."""
    for path in map(Path, {str(place), *glob(str(place))}):  # noqa: PTH207 - Path.glob takes no absolute pattern
        if is_folder(path):
            yield from (file for file in path.iterdir() if not file.name.startswith(("_", ".")) and file.is_file())
        elif exists(path):
            yield path


def named_path(path: Path) -> Path:
    """Return a path that ends with the name of its file or folder: ``.`` and ``..`` are resolved.

    Examples
    --------
    >>> named_path(Path("vectors")).name, named_path(Path()).name == Path.cwd().name
    ('vectors', True)
    """
    return path.resolve() if path.name in {"", ".."} else path


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a path to write to, which becomes `target` when the block ends without an error.

    After an error or Ctrl-C, `target` is what it was before. A pipe is written directly, and so is a file in a folder
    that must not be written.
    """
    if target.exists() and not target.is_file():
        yield target  # not resolved, because the target of /dev/fd/N has no path
        return
    path = Path(os.path.realpath(target))
    if not os.access(path.parent, os.W_OK):
        yield path
        return
    work = path.with_name(f".{path.name}-incomplete-{os.getpid()}")
    try:
        yield work
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


@contextmanager
def reported_on_interrupt(*targets: str | Path | None, on_server: bool = False) -> Iterator[None]:
    """After Ctrl-C, once the block has cleaned up, print what is at each place that the block was to write to.

    Parameters
    ----------
    targets
        Folders and files; None is left out. Each is written as a whole or not at all: folders by
        :mod:`sparkalbert.storage.folders`, files by :func:`whole_file`.
    on_server
        If true, a Spark Connect server writes them, perhaps where this machine cannot see them.
    """
    named = [str(target) for target in targets if target is not None]
    paths = [None if on_server else local_path(name) for name in named]
    before = list(map(_identity, paths))
    try:
        yield
    except KeyboardInterrupt:
        for name, path, identity in zip(named, paths, before, strict=True):
            print_line(f"{name} {_state(path, identity)}.", to=ERRORS)
        raise


def _state(path: Path | None, before: int | None) -> str:
    if path is None:
        return "is complete only if it contains _SUCCESS"
    after = _identity(path)
    if after is None:
        return "was not written"
    return "is unchanged" if after == before else "is complete"


def _identity(path: Path | None) -> int | None:
    """Return the inode of a file or folder; one that was replaced has another."""
    return path.stat().st_ino if path is not None and path.exists() else None
