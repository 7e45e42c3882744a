"""Notices a write to the files of a model that is loaded."""

from __future__ import annotations

import os
import weakref

from sparkalbert.bundle import Bundle
from sparkalbert.errors import BundleError
from sparkalbert.storage.file_state import FileState

__all__ = ["LoadedFiles"]


class LoadedFiles:
    """The opened files of a bundle.

    ONNX Runtime maps the weights into memory and reads those that it does not rearrange (embeddings, biases, norms)
    from the map in each forward pass, so that a byte changed in the file would change vectors. The files stay open,
    because another process may replace the folder. A write sets the time of a file before it changes a byte.

    Parameters
    ----------
    bundle
        The bundle. If :meth:`~sparkalbert.bundle.Bundle.verify` returned it, a write after the check of its bytes is
        noticed, too.

    Raises
    ------
    BundleError
        If a file cannot be read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._opened: dict[str, int] = {}
        weakref.finalize(self, _close, self._opened)
        try:
            for name in bundle.manifest.files:
                self._opened[name] = os.open(bundle.path / name, os.O_RDONLY)
            self._states = bundle.verified_states or self._states_now()
        except OSError as error:
            reason = error.strerror or error
            msg = f"The files of {bundle.path} cannot be read ({reason}). Check that this user may read them."
            raise BundleError(msg) from error

    def _states_now(self) -> dict[str, FileState]:
        return {name: FileState.of(file) for name, file in self._opened.items()}

    def changed(self) -> list[str]:
        """Return the names of the files that were written to since they were checked or opened here."""
        now = self._states_now()
        return [name for name, state in self._states.items() if state.may_differ(now[name])]


def _close(files: dict[str, int]) -> None:
    for file in files.values():
        os.close(file)
