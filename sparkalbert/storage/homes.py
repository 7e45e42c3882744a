"""The folders that hold models, on the driver and on every node.

A model takes its own size (xlarge: 220 MB in fp32, 67 MB in int8) once in ``bundles`` on the driver, once in
``packs`` if it was sent as a file, and once in ``installed`` on every node it was sent to. The cache is never
evicted automatically, because entries in use cannot be detected. Delete it by hand when no job is running.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from sparkalbert.errors import BundleError, OutputError
from sparkalbert.storage.owners import user_id
from sparkalbert.storage.paths import with_home

__all__ = ["HOME_VARIABLE", "cache_home", "node_home"]

HOME_VARIABLE: Final = "SPARKALBERT_HOME"
"""Environment variable that moves both folders elsewhere."""

_PRIVATE: Final = 0o700


def cache_home() -> Path:
    """Return the folder for converted models and packs on the driver; it may not exist yet.

    ``SPARKALBERT_HOME``, else ``sparkalbert`` under the user's cache folder (``XDG_CACHE_HOME``, else
    ``~/.cache``; a relative ``XDG_CACHE_HOME`` is ignored, as the XDG specification requires).

    Raises
    ------
    OutputError
        If neither variable is set and the user has no home folder.
    """
    chosen = _chosen_home()
    if chosen is not None:
        return chosen
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        root = xdg if xdg.is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        msg = f"There is no folder for models: {error} Set {HOME_VARIABLE} to a folder that this user can write."
        raise OutputError(msg) from error
    return root / "sparkalbert"


def node_home() -> Path:
    """Return the folder for models on this node, created if needed.

    ``SPARKALBERT_HOME``, else ``sparkalbert-<uid>`` in the temporary directory. Everybody can write to a
    temporary directory and the models in it are executed, so the folder is private to the user.

    Raises
    ------
    BundleError
        If the folder cannot be created or belongs to another user.
    """
    chosen = _chosen_home()
    try:
        if chosen is not None:
            chosen.mkdir(parents=True, exist_ok=True)
            return chosen
        return _private_folder(Path(tempfile.gettempdir()) / f"sparkalbert-{user_id()}")
    except OSError as error:
        msg = (
            f"There is no folder for models on this node: {error}. Set {HOME_VARIABLE} to a folder that this "
            f"user can write (on executors spark.executorEnv.{HOME_VARIABLE})."
        )
        raise BundleError(msg) from error


def _chosen_home() -> Path | None:
    chosen = os.environ.get(HOME_VARIABLE, "").strip()
    return Path(with_home(chosen)).absolute() if chosen else None


def _private_folder(folder: Path) -> Path:
    folder.mkdir(mode=_PRIVATE, exist_ok=True)
    found = folder.lstat()
    is_folder = stat.S_ISDIR(found.st_mode)
    if not is_folder or found.st_uid != user_id():
        msg = (
            f"Expected {folder} to be a folder of user {user_id()}, but it "
            f"{f'belongs to user {found.st_uid}' if is_folder else 'is not a folder'}. Models are never read "
            f"from a place where others can put them: remove it, or set {HOME_VARIABLE} (on executors "
            f"spark.executorEnv.{HOME_VARIABLE}) to a folder of this user."
        )
        raise BundleError(msg)
    if stat.S_IMODE(found.st_mode) != _PRIVATE:
        folder.chmod(_PRIVATE)
    return folder
