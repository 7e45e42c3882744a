"""A bundle written into this node's folder, checked byte by byte, by one process at a time.

A node keeps a bundle once, in a folder named by its digest, however many workers run there: they map
the same pages. Standard library only: this runs on executors. Where the bytes come from is
:mod:`sparkalbert.bundle.transport`'s business.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from sparkalbert.bundle.cache import HOME_VARIABLE, exclusive, node_home, remove_leftovers
from sparkalbert.bundle.folder import MANIFEST_FILE, Bundle
from sparkalbert.bundle.manifest import Manifest
from sparkalbert.errors import BundleError, problem_list

__all__ = ["Installation", "installed"]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ROOT: Final = 0
_READ_ONLY: Final = 0o444


def installed(digest: str) -> Path | None:
    """Return this node's folder of a bundle if it is there and whole, else None.

    Cheap: reads the manifest and the files' sizes and owner, not their contents; every byte was checked
    when the folder was written.

    Parameters
    ----------
    digest
        The bundle's identity, :attr:`sparkalbert.bundle.Manifest.digest`.

    Raises
    ------
    BundleError
        When `digest` is no digest, or this node has no folder for models.
    """
    folder = _folder_of(digest)
    try:
        trusted = folder.stat().st_uid in {os.getuid(), _ROOT}
        whole = trusted and Bundle.open(folder).digest == digest
    except (BundleError, OSError):
        return None
    return folder if whole else None


class Installation:
    """One bundle on its way into this node's folder.

    It holds the digest's lock from the start: where another process was faster, `path` is set at once
    and whatever is written is dropped.

    Parameters
    ----------
    digest
        The identity that the bundle must turn out to have.
    manifest
        The text of its ``manifest.json``.

    Attributes
    ----------
    path
        The bundle's folder once it is there, else None.

    Raises
    ------
    BundleError
        When the manifest describes another bundle, a file differs from it, or the folder cannot be
        written. Nothing half-written stays behind.
    """

    path: Path | None

    def __init__(self, digest: str, manifest: str) -> None:
        self._target = _folder_of(digest)
        self._digest = digest
        self._streams: dict[str, tuple[IO[bytes], hashlib._Hash]] = {}
        resources = ExitStack()
        # Runs on close, on failure, and when a reader that broke off drops the object.
        self._release = weakref.finalize(self, resources.close)
        self._release.atexit = False  # a forked child must not undo its parent's work
        with self._told():
            resources.enter_context(exclusive(self._target.parent.parent, digest))
            self.path = installed(digest)
            if self.path is None:
                self._begin(manifest, resources)

    def _begin(self, manifest: str, resources: ExitStack) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{self._digest}-"
        remove_leftovers(self._target.parent, prefix)
        self._work = Path(tempfile.mkdtemp(prefix=prefix, dir=self._target.parent))
        resources.callback(shutil.rmtree, self._work, ignore_errors=True)
        path = self._work / MANIFEST_FILE
        path.write_text(manifest, encoding="utf-8")
        self._manifest = Manifest.from_file(path)
        if self._manifest.digest != self._digest:
            msg = (
                f"The bundle sent to this node has digest {self._manifest.digest}, expected {self._digest}. "
                "Pack the bundle again."
            )
            raise BundleError(msg)
        for name in self._manifest.files:
            file = (self._work / name).open("wb")
            resources.callback(_close, file)
            self._streams[name] = (file, hashlib.sha256())

    def write(self, name: str, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes to one of the bundle's files; the order of files does not matter."""
        if self.path is not None:
            return
        with self._told():
            if name not in self._streams:
                msg = f"The bundle sent to this node holds {name!r}, which its manifest does not list."
                raise BundleError(msg)
            file, sha256 = self._streams[name]
            if file.tell() + len(chunk) > self._manifest.files[name].size_bytes:
                msg = f"The bundle sent to this node holds more of {name!r} than its manifest says."
                raise BundleError(msg)
            sha256.update(chunk)
            file.write(chunk)

    def finish(self) -> Path:
        """Check every file, move the folder into place and return it."""
        if self.path is None:
            with self._told():
                self._check_files()
                self._publish()
            self.path = self._target
        self._release()
        return self.path

    def abandon(self) -> None:
        """Remove what was written and let go of the lock."""
        self._release()

    def _check_files(self) -> None:
        problems = []
        for name, (file, sha256) in self._streams.items():
            file.close()
            record = self._manifest.files[name]
            size_bytes = (self._work / name).stat().st_size
            if size_bytes != record.size_bytes:
                problems.append(f"{name} has {size_bytes} bytes, the manifest says {record.size_bytes}")
            elif sha256.hexdigest() != record.sha256:
                problems.append(f"{name} has sha256 {sha256.hexdigest()}, the manifest says {record.sha256}")
            (self._work / name).chmod(_READ_ONLY)
        if problems:
            raise BundleError(problem_list("The bundle sent to this node", problems))

    def _publish(self) -> None:
        if self._target.exists():  # damaged: installed() refused it
            aside = Path(tempfile.mkdtemp(prefix=f".{self._digest}-", dir=self._target.parent))
            self._target.rename(aside / "damaged")
            shutil.rmtree(aside, ignore_errors=True)
        self._work.rename(self._target)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Clean up after a failure, and say where it happened and what helps."""
        try:
            yield
        except BaseException as error:
            self._release()
            if isinstance(error, OSError):
                msg = (
                    f"The bundle cannot be installed in {self._target} on this node: {error}. Free space "
                    f"there, or set {HOME_VARIABLE} (on executors spark.executorEnv.{HOME_VARIABLE}) to a "
                    "folder of this user with room for the model."
                )
                raise BundleError(msg) from error
            raise


def _close(file: IO[bytes]) -> None:
    """Close a file of a folder that is about to go: what a full disk did not take no longer matters."""
    with suppress(OSError):
        file.close()


def _folder_of(digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        msg = f"{digest!r} is no digest of a bundle, expected 64 lower-case hexadecimal digits."
        raise BundleError(msg)
    return node_home() / "installed" / digest
