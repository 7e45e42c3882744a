"""Finds the model on a worker's node, verifies it, and loads it once per process, to run with the task's cores."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from sparkalbert.bundle import Bundle, install_pack, installed
from sparkalbert.errors import BundleError, ParamError
from sparkalbert.inference.embedder import Embedder, EmbedderOptions
from sparkalbert.inference.memory import VectorSizes
from sparkalbert.inference.model import MODELS
from sparkalbert.storage.owners import is_trusted

__all__ = ["EmbedderSource", "HeldModel", "ModelHandle", "WorkerModel"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_MB: Final = 1_000_000
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOG_TIME: Final = "%y/%m/%d %H:%M:%S"
"""As in the lines of Spark around it."""

_LEVEL_VARIABLE: Final = "SPARKALBERT_LOG_LEVEL"
_CAPTURE_VARIABLE: Final = "PYSPARK_SPARK_SESSION_UUID"
"""Spark sets it if it collects what its workers log, with a handler of its own (4.1 and newer)."""


class EmbedderSource(Protocol):
    """Where a task gets its embedder from, and how many bytes of vectors it may hold."""

    @property
    def sizes(self) -> VectorSizes:
        """How many bytes of vectors are held."""

    def load(self) -> Embedder:
        """Return the embedder."""


@dataclass(frozen=True)
class ModelHandle:
    """Describes to a worker where the model is, in a few hundred bytes.

    Attributes
    ----------
    name
        Name of the model, for messages.
    digest
        The bundle's identity.
    path
        The driver's folder, used in place by a worker that sees the same bundle there. If the bundle was also sent as
        a file, the folder must belong to the worker's user or root: a file could change after it has been verified.
    file
        Name of the packed bundle among Spark's files; empty if none was sent.
    """

    name: str
    digest: str
    path: str
    file: str = ""

    @classmethod
    def in_place(cls, bundle: Bundle) -> ModelHandle:
        """Return the handle of a bundle that every worker sees in the same folder."""
        return cls(bundle.manifest.name, bundle.digest, str(bundle.path.resolve()))

    def locate(self) -> Bundle:
        """Return the bundle as this worker sees it, installed on the node if necessary, every byte verified.

        Raises
        ------
        BundleError
            If no intact bundle is found; the message lists the places that were tried.
        """
        tried = []
        try:
            bundle = self._in_place()
        except (BundleError, OSError) as error:
            tried.append(f"{self.path} ({error})")
        else:
            _LOGGER.info("Using %s in %s, the driver's folder", self.name, self.path)
            return bundle
        folder = installed(self.digest)
        tried.append("this node's cache")
        if folder is None and self.file:
            places = list(_file_places(self.file))
            tried += map(str, places)
            found = next((place for place in places if place.is_file()), None)
            folder = None if found is None else install_pack(self.digest, found)
        if folder is None:
            msg = (
                f"Model {self.name!r} is not on this worker. Tried: {', '.join(tried)}. Set modelDistribution to "
                "'file' to have Spark send it, or put the bundle on a path that every worker sees."
            )
            raise BundleError(msg)
        _LOGGER.info("Using %s in %s, this node's cache", self.name, folder)
        return Bundle.open(folder)

    def _in_place(self) -> Bundle:
        if self.file and not _is_trusted(Path(self.path)):
            msg = "others can change it"
            raise BundleError(msg)
        bundle = Bundle.open(self.path)
        if bundle.digest != self.digest:
            msg = f"it holds another model, {bundle.manifest.name!r}"
            raise BundleError(msg)
        return bundle.verify()


def _is_trusted(folder: Path) -> bool:
    """Return whether a folder and its files belong to this user or root, and not everybody can write to them."""
    real = folder.resolve()  # a link may lead there: what counts is who can change the files
    found = [path.stat() for path in (real, *real.iterdir())]
    return all(is_trusted(status) and not status.st_mode & stat.S_IWOTH for status in found)


def _file_places(name: str) -> Iterator[Path]:
    """Yield the places where a file that Spark sent may be, most likely place first."""
    from pyspark import SparkFiles

    yield Path(SparkFiles.get(name))
    databricks_session = os.environ.get("DB_SESSION_UUID")
    if databricks_session:
        root = Path("/local_disk0/.ephemeral_nfs/artifacts") / databricks_session
        yield from (root / "files" / name, root / "archives" / name)
    yield Path(name).absolute()


@dataclass(frozen=True)
class WorkerModel:
    """A model and how to run it; plain data that travels to the worker.

    Attributes
    ----------
    handle
        Where to find the model.
    options
        What a vector is. If ``options.session.device`` is plain ``cuda``, the worker takes the GPU that Spark gave
        its task.
    threads
        Threads of one forward pass; None for the task's share of cores (``spark.task.cpus``).
    sizes
        How many bytes of vectors are held.
    budget_mb
        The budget that the sizes come from, which has room for this model only; None if there is none.
    """

    handle: ModelHandle
    options: EmbedderOptions
    threads: int | None = None
    sizes: VectorSizes = field(default_factory=VectorSizes)
    budget_mb: int | None = None

    def load(self) -> Embedder:
        """Return an embedder; the model is loaded on first use in this process."""
        _log_in_worker()
        session = replace(
            self.options.session,
            threads=self.threads or _task_cpus(),
            device=_task_device(self.options.session.device),
        )
        max_kept = None if self.budget_mb is None else 1
        model = MODELS.get(self.handle.digest, session, self._locate, max_kept=max_kept)
        return Embedder(model, replace(self.options, session=session))

    def _locate(self) -> Bundle:
        _LOGGER.info(
            "Vectors are computed in windows of %d MB and sent in arrays of %d MB; memoryBudgetMb is %s",
            self.sizes.window_bytes // _MB,
            self.sizes.output_bytes // _MB,
            self.budget_mb or "not set",
        )
        return self.handle.locate()


@dataclass(frozen=True)
class HeldModel:
    """Keeps a model loaded as long as this object exists."""

    embedder: Embedder
    sizes: VectorSizes

    def load(self) -> Embedder:
        """Return the embedder."""
        return self.embedder


def _log_in_worker() -> None:
    """Write the log of a Python worker to its standard error, which Spark keeps in the executor's log.

    Nobody configures logging in a worker, and without a level and a handler Python drops what is logged at INFO. A
    level or a handler that exists is kept. The driver's log is left to its program.
    """
    if _task_context() is None or _LOGGER.level != logging.NOTSET:
        return
    if _CAPTURE_VARIABLE not in os.environ:
        if _LOGGER.hasHandlers():
            return
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(_LOG_FORMAT, _LOG_TIME))
        _LOGGER.addHandler(handler)
    level = logging.getLevelName(os.environ.get(_LEVEL_VARIABLE, "INFO").upper())
    _LOGGER.setLevel(level if isinstance(level, int) else logging.INFO)


def _task_context() -> Any:
    from pyspark import TaskContext

    return TaskContext.get()


def _task_cpus() -> int:
    context = _task_context()
    return max(context.cpus(), 1) if context is not None else 1


def _task_device(device: str) -> str:
    """Return the device of this task: Spark may give the same worker another GPU from task to task.

    Raises
    ------
    ParamError
        If Spark names the GPU by something other than its number.
    """
    if device != "cuda":
        return device
    context = _task_context()
    resources = context.resources() if context is not None else {}
    if "gpu" not in resources:
        return device
    address = resources["gpu"].addresses[0]
    if not address.isdecimal():
        msg = (
            f"Spark gave this task the GPU {address!r}, expected its number. Let the discovery script of the resource "
            "return numbers, or set device to 'cuda:N'."
        )
        raise ParamError(msg)
    return f"cuda:{address}"
