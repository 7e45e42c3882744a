"""Notices a write to the files of weights that a loaded model still reads."""

from __future__ import annotations

import os
import weakref
from typing import Final

from sparkalbert.bundle import Bundle
from sparkalbert.errors import BundleError

__all__ = ["WeightFiles"]

_READ_AT_ONCE: Final = (".json", ".md", ".model", ".txt")
"""Endings of the files of a bundle that hold no weights. They are read when the model is loaded, or never."""


class WeightFiles:
    """The opened files of a bundle's weights.

    ONNX Runtime maps the weights into memory and reads those that it does not rearrange (embeddings, biases, norms)
    from the map in each forward pass, so that a byte changed in the file would change vectors. The files stay open,
    because another process may replace the folder. A write sets the time of a file before it changes a byte. Only a
    write between the check of the bytes and the opening here is not noticed.

    Parameters
    ----------
    bundle
        The bundle, whose bytes were checked.

    Raises
    ------
    BundleError
        If a file cannot be read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._names = [name for name in bundle.manifest.files if not name.endswith(_READ_AT_ONCE)]
        self._opened: list[int] = []
        weakref.finalize(self, _close, self._opened)
        try:
            for name in self._names:
                self._opened.append(os.open(bundle.path / name, os.O_RDONLY))
            self._times = self._times_now()
        except OSError as error:
            reason = error.strerror or error
            msg = f"The weights of {bundle.path} cannot be read ({reason}). Check that this user may read them."
            raise BundleError(msg) from error

    def _times_now(self) -> list[int]:
        return [os.fstat(file).st_mtime_ns for file in self._opened]

    def changed(self) -> list[str]:
        """Return the names of the files that were written to since the bundle was loaded."""
        times = zip(self._names, self._times, self._times_now(), strict=True)
        return [name for name, before, now in times if before != now]


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
