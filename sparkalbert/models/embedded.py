"""Finds the models that are part of this package: the folders beside this file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sparkalbert.bundle.folder import BUNDLE_KIND, Bundle
from sparkalbert.bundle.manifest import MANIFEST_FILE, Manifest
from sparkalbert.models.cache import KEY_DIGITS, converted_once
from sparkalbert.storage.files import write_file
from sparkalbert.storage.folders import write_folder

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["embedded_folder", "embedded_models"]

_EMBEDDED: Final = resources.files("sparkalbert.models")


def embedded_models() -> tuple[str, ...]:
    """Return the names of the models that are part of this package, sorted."""
    return tuple(sorted(entry.name for entry in _EMBEDDED.iterdir() if (entry / MANIFEST_FILE).is_file()))


def embedded_folder(name: str) -> Path:
    """Return the folder of an embedded model, copied to the cache if this package is inside a zip file.

    Raises
    ------
    BundleError
        If the manifest is damaged, or if the bundle of the cache cannot be read.
    CheckpointError
        If the model cannot be read.
    OutputError
        If the cache cannot be written.
    """
    folder: Traversable = _EMBEDDED / name
    if isinstance(folder, Path):
        return folder
    manifest = Manifest.from_json((folder / MANIFEST_FILE).read_bytes(), source=f"{folder}/{MANIFEST_FILE}")

    def extract(target: Path) -> Bundle:
        with write_folder(target, BUNDLE_KIND) as work:
            for file in manifest.files:
                (work / file).write_bytes((folder / file).read_bytes())
            with write_file(work / MANIFEST_FILE) as marker:  # marks the folder as complete
                marker.write_bytes((folder / MANIFEST_FILE).read_bytes())
        return Bundle.open(target)

    return converted_once(f"{name}-{manifest.digest[:KEY_DIGITS]}", extract).path
