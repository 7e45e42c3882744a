"""Makes a model available to the workers: in place, or as one file per executor."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args
from weakref import WeakKeyDictionary

from pyspark.sql import DataFrame

from sparkalbert.bundle import Bundle, pack
from sparkalbert.bundle.packs import pack_name
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.ml.worker.model import ModelHandle
from sparkalbert.options import check_choice

__all__ = ["DISTRIBUTIONS", "Distribution", "ship_model"]

Distribution = Literal["auto", "path", "file"]
DISTRIBUTIONS: Final[tuple[str, ...]] = get_args(Distribution)

_SHARED_ROOTS: Final = ("/Volumes/", "/dbfs/", "/Workspace/")
"""Folders that Databricks mounts on every node."""


@dataclass
class _SentFile:
    """Where the pack is that was sent, None before; the lock is held while it is packed and sent."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    packed: Path | None = None


class _SentFiles:
    """Keeps a record of the packs that were sent in each Spark session, so that each is sent once.

    Adding the same file again would send it again on Spark Connect. The record of a session ends with its object.
    """

    def __init__(self) -> None:
        self._sent: WeakKeyDictionary[Any, dict[str, _SentFile]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def send(self, session: Any, bundle: Bundle) -> str:
        """Send a bundle and return the name of its file among Spark's files. Only users of the same bundle wait."""
        connect = is_connect_session(session)
        owner = session if connect else session.sparkContext  # which several classic sessions share
        name = pack_name(bundle)
        with self._lock:
            file = self._sent.setdefault(owner, {}).setdefault(name, _SentFile())
        with file.lock:
            if file.packed is None:
                packed = pack(bundle)
                if connect:
                    session.addArtifacts(str(packed), file=True)
                else:
                    owner.addFile(str(packed))
                file.packed = packed
            elif not connect and not file.packed.exists():
                pack(bundle)  # a classic driver serves the file from where it is, also to executors that start later
        return name


_SENT: Final = _SentFiles()


def ship_model(frame: DataFrame, bundle: Bundle, how: str) -> ModelHandle:
    """Make a bundle available to the workers of a DataFrame's session; starts no Spark job.

    Parameters
    ----------
    frame
        Any DataFrame of the session.
    bundle
        The model.
    how
        ``path``: nothing is sent, every worker sees the folder. ``file``: Spark sends one file to each executor.
        ``auto``: ``path`` in local mode and for folders that every node mounts, otherwise ``file``.

    Raises
    ------
    ParamError
        If `how` is unknown.
    BundleError, OutputError
        If the bundle is damaged or cannot be packed.
    """
    check_choice("modelDistribution", how, DISTRIBUTIONS)
    session: Any = frame.sparkSession
    handle = ModelHandle.in_place(bundle)
    if (_best(session, bundle) if how == "auto" else how) == "path":
        return handle
    return replace(handle, file=_SENT.send(session, bundle))


def _best(session: Any, bundle: Bundle) -> Distribution:
    if str(bundle.path.resolve()).startswith(_SHARED_ROOTS):
        return "path"
    if is_connect_session(session):
        return "file"
    master: str = session.sparkContext.master
    return "path" if master == "local" or master.startswith("local[") else "file"
