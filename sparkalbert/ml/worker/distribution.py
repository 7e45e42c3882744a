"""How a bundle reaches the workers: broadcast, artifact, or in place.

Classic Spark broadcasts a :class:`~sparkalbert.bundle.PackedBundle`, which unpickles into a node-local,
content-addressed folder; Spark Connect has no broadcast and gets a file named by content. Where the
workers see the driver's own path, nothing is sent. It knows nothing about vectors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pyspark.sql import DataFrame

from sparkalbert.bundle import Bundle, PackedBundle, install_pack, installed, pack
from sparkalbert.errors import BundleError, ParamError
from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["DISTRIBUTIONS", "Distribution", "ModelHandle", "ship"]

Distribution = Literal["auto", "path", "broadcast", "artifact"]
DISTRIBUTIONS: Final[tuple[str, ...]] = get_args(Distribution)

_SHARED_ROOTS: Final = ("/Volumes/", "/dbfs/", "/Workspace/")
"""Folders that Databricks mounts on every node."""


@dataclass(frozen=True)
class ModelHandle:
    """All that travels to a worker about a model: a few hundred bytes.

    Attributes
    ----------
    name
        Name of the model, for messages.
    digest
        The bundle's identity.
    path
        The driver's folder, used in place where a worker sees the same bundle there.
    broadcast
        ``Broadcast[PackedBundle]`` on classic sessions; its value is never touched by a worker that
        finds the bundle on its node.
    artifact
        Name of the packed file among Spark's files.
    """

    name: str
    digest: str
    path: str
    broadcast: Any = None
    artifact: str = ""

    @classmethod
    def in_place(cls, bundle: Bundle) -> ModelHandle:
        """Return the handle of a bundle that is used where it lies."""
        return cls(bundle.manifest.name, bundle.digest, str(bundle.path.resolve()))

    def locate(self) -> Bundle:
        """Return the bundle as this worker sees it, installing it on the node if need be.

        Raises
        ------
        BundleError
            When it is nowhere; the message lists the places.
        """
        if self._is_in_place():
            return Bundle.open(self.path)
        folder = installed(self.digest)
        if folder is None and self.broadcast is not None:
            folder = self.broadcast.value.path
        tried = [self.path, "this node's cache"]
        if folder is None and self.artifact:
            places = list(_artifact_places(self.artifact))
            tried += map(str, places)
            found = next((place for place in places if place.is_file()), None)
            folder = None if found is None else install_pack(self.digest, found)
        if folder is None:
            msg = (
                f"Model {self.name!r} is not on this worker. Tried: {', '.join(tried)}. Set "
                "modelDistribution to "
                "'broadcast' (classic Spark) or 'artifact' (Spark Connect), or put the bundle on a path that "
                "every worker sees."
            )
            raise BundleError(msg)
        return Bundle.open(folder)

    def _is_in_place(self) -> bool:
        try:
            return Bundle.open(self.path).digest == self.digest
        except (BundleError, OSError):
            return False


_shipped: dict[tuple[str, str, str], ModelHandle] = {}


def ship(frame: DataFrame, bundle: Bundle, how: Distribution) -> ModelHandle:
    """Send a bundle to the workers of a DataFrame's session, once per session; starts no Spark job.

    Parameters
    ----------
    frame
        Any DataFrame of the session.
    bundle
        The model.
    how
        ``path``: nothing is sent, every worker sees the folder. ``broadcast``: classic sessions only.
        ``artifact``: as a file. ``auto``: nothing is sent in local mode or from a folder that every
        node mounts; otherwise artifact on Connect and broadcast on classic sessions.

    Raises
    ------
    ParamError
        When `how` is unknown or cannot work with this session.
    """
    if how not in DISTRIBUTIONS:
        msg = f"modelDistribution is {how!r}, expected one of {', '.join(DISTRIBUTIONS)}."
        raise ParamError(msg)
    session: Any = frame.sparkSession
    connect = is_connect_session(session)
    chosen = _choose(session, bundle, connect=connect) if how == "auto" else how
    if chosen == "broadcast" and connect:
        msg = (
            "modelDistribution is 'broadcast', but Spark Connect has no broadcast: use 'auto' or 'artifact'."
        )
        raise ParamError(msg)
    session_id = session.session_id if connect else session.sparkContext.applicationId
    key = (session_id, bundle.digest, chosen)
    if key not in _shipped:
        _shipped[key] = _send(session, bundle, chosen, connect=connect)
    return _shipped[key]


def _choose(session: Any, bundle: Bundle, *, connect: bool) -> Distribution:
    if str(bundle.path.resolve()).startswith(_SHARED_ROOTS):
        return "path"
    if connect:
        return "artifact"
    master: str = session.sparkContext.master
    on_this_machine = master == "local" or master.startswith("local[")
    return "path" if on_this_machine else "broadcast"


def _send(session: Any, bundle: Bundle, how: str, *, connect: bool) -> ModelHandle:
    handle = ModelHandle.in_place(bundle)
    if how == "broadcast":
        return replace(handle, broadcast=session.sparkContext.broadcast(PackedBundle(bundle)))
    if how == "path":
        return handle
    packed = pack(bundle)
    if connect:
        session.addArtifacts(str(packed), file=True)
    else:
        session.sparkContext.addFile(str(packed))
    return replace(handle, artifact=packed.name)


def _artifact_places(name: str) -> Iterator[Path]:
    """Where a file sent along may lie, most likely place first."""
    from pyspark import SparkFiles

    yield Path(SparkFiles.get(name))
    databricks_session = os.environ.get("DB_SESSION_UUID")
    if databricks_session:
        root = Path("/local_disk0/.ephemeral_nfs/artifacts") / databricks_session
        yield from (root / "files" / name, root / "archives" / name)
    yield Path(name).absolute()
