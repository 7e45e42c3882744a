"""Notices a write to the weights of a model that is loaded."""

from __future__ import annotations

import os
import weakref

from sparkalbert.bundle import Bundle
from sparkalbert.errors import BundleError
from sparkalbert.storage.checksums import sha256_of_open
from sparkalbert.storage.file_state import FileState

__all__ = ["LoadedFiles"]


class LoadedFiles:
    """The opened graph and weights of a bundle.

    ONNX Runtime maps the weights into memory and reads those that it does not rearrange (embeddings, biases, norms)
    from the map in each forward pass, so that a byte changed in the file would change vectors. The files stay open,
    because another process may replace the folder. A write sets the time of a file before it changes a byte. Where only
    the time of change differs (a removed folder, a link, another mode, ``cp -a``), the bytes are read again.

    Parameters
    ----------
    bundle
        The bundle.

    Raises
    ------
    BundleError
        If a file cannot be read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._records = {name: bundle.manifest.files[name] for name in bundle.weight_files}
        self._opened: dict[str, int] = {}
        weakref.finalize(self, _close, self._opened)
        try:
            for name in self._records:
                self._opened[name] = os.open(bundle.path / name, os.O_RDONLY)
            self._states = {name: FileState.of(file) for name, file in self._opened.items()}
        except OSError as error:
            reason = error.strerror or error
            msg = f"The weights of {bundle.path} cannot be read ({reason}). Check that this user may read them."
            raise BundleError(msg) from error

    def changed(self) -> list[str]:
        """Return the names of the files that were written to since they were opened here."""
        return [name for name in self._opened if self._is_changed(name)]

    def _is_changed(self, name: str) -> bool:
        before, now = self._states[name], FileState.of(self._opened[name])
        if now == before:
            return False
        if before.has_other_content(now) or sha256_of_open(self._opened[name]) != self._records[name].sha256:
            return True
        self._states[name] = now
        return False


def _close(files: dict[str, int]) -> None:
    for file in files.values():
        os.close(file)
