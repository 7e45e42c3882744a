"""The folders that sparkalbert keeps models in, on the driver and on every node, and the lock over them.

Nothing is evicted: what is in use cannot be told from what is not, and a folder may be removed by hand
whenever no job runs. A model takes its own size (xlarge 220 MB in fp32, 67 MB in int8) once in
``bundles`` on the driver, once in ``packs`` where it was sent as an artifact, and once in ``installed`` on
every node that it was sent to; huggingface_hub's cache keeps the checkpoint it came from.

Standard library only: this runs on executors. It knows nothing about bundles or downloads.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sparkalbert.errors import BundleError, OutputError

__all__ = ["HOME_VARIABLE", "cache_home", "exclusive", "node_home", "remove_leftovers"]

HOME_VARIABLE: Final = "SPARKALBERT_HOME"
"""Environment variable that moves both folders elsewhere."""

_PRIVATE: Final = 0o700


def cache_home() -> Path:
    """Return the folder that keeps converted models and packs on the driver; it may not exist yet.

    ``SPARKALBERT_HOME``, else ``sparkalbert`` under the user's cache folder (``XDG_CACHE_HOME``, else
    ``~/.cache``; a relative ``XDG_CACHE_HOME`` is ignored, as the XDG specification asks).

    Raises
    ------
    OutputError
        When neither variable is set and the user has no home.
    """
    chosen = _chosen_home()
    if chosen is not None:
        return chosen
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        root = xdg if xdg.is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        msg = f"No folder for models: {error} Set {HOME_VARIABLE} to a folder that this user can write."
        raise OutputError(msg) from error
    return root / "sparkalbert"


def node_home() -> Path:
    """Return the folder that keeps models on this node, made if it does not exist.

    ``SPARKALBERT_HOME``, else ``sparkalbert-<uid>`` in the temporary directory, which is private to the
    user: anybody can write in a temporary directory, and what lies here is run.

    Raises
    ------
    BundleError
        When the folder cannot be made or belongs to somebody else.
    """
    chosen = _chosen_home()
    try:
        if chosen is not None:
            chosen.mkdir(parents=True, exist_ok=True)
            return chosen
        return _private_folder(Path(tempfile.gettempdir()) / f"sparkalbert-{os.getuid()}")
    except OSError as error:
        msg = (
            f"No folder for models on this node: {error}. Set {HOME_VARIABLE} to a folder that this user can "
            f"write (on executors spark.executorEnv.{HOME_VARIABLE})."
        )
        raise BundleError(msg) from error


def _chosen_home() -> Path | None:
    chosen = os.environ.get(HOME_VARIABLE, "").strip()
    return Path(chosen).expanduser().absolute() if chosen else None


def _private_folder(folder: Path) -> Path:
    folder.mkdir(mode=_PRIVATE, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        msg = (
            f"{folder} should be a folder of user {os.getuid()}, but it is "
            f"{'owned by user ' + str(found.st_uid) if stat.S_ISDIR(found.st_mode) else 'no folder'}. Models "
            f"are not read from where others can put them: remove it, or set {HOME_VARIABLE} (on executors "
            f"spark.executorEnv.{HOME_VARIABLE}) to a folder of this user."
        )
        raise BundleError(msg)
    if stat.S_IMODE(found.st_mode) != _PRIVATE:
        folder.chmod(_PRIVATE)
    return folder


@contextmanager
def exclusive(home: Path, name: str) -> Iterator[None]:
    """Let one process (and one thread) at a time do the work called `name`; the others wait.

    The lock belongs to the open file: a process that dies lets go of it. Lock files stay, because to
    remove one safely would need a lock of its own.

    Parameters
    ----------
    home
        The cache or node folder.
    name
        Name of the work, valid as a file name.

    Raises
    ------
    OutputError
        When the folder cannot be written or its file system has no locks.
    """
    folder = home / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{name}.lock").open("a")
    except OSError as error:
        msg = f"{folder} cannot be written ({error.strerror}). Set {HOME_VARIABLE} to a folder that can."
        raise OutputError(msg) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            msg = (
                f"The file system of {folder} cannot lock files ({error.strerror}). "
                f"Set {HOME_VARIABLE} to a folder on a local disk."
            )
            raise OutputError(msg) from error
        yield


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove what killed writers left: call it under the lock that every writer of `prefix` holds."""
    for leftover in folder.glob(f"{prefix}*"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
