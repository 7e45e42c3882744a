"""Caches converted models: each is converted once, by one process at a time, and verified before each use."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sparkalbert.bundle.folder import Bundle
from sparkalbert.bundle.manifest import MANIFEST_FILE
from sparkalbert.errors import BundleError, CheckpointError, OutputError
from sparkalbert.storage.homes import HOME_VARIABLE, cache_home
from sparkalbert.storage.locks import exclusive

__all__ = ["cached_bundle", "cached_bundles", "converted_once"]

_LOGGER: Final = logging.getLogger("sparkalbert")


def cached_bundle(key: str) -> Bundle | None:
    """Return a bundle of the cache if it is there and every byte of it is right, else None."""
    folder = _folder_of(key)
    if not folder.exists():
        return None
    try:
        return Bundle.open(folder).verify()
    except BundleError as error:
        _LOGGER.warning("The model in the cache is damaged and is converted again. %s", error)
        return None


def cached_bundles() -> list[Bundle]:
    """Return the bundles of the cache whose files are all there, sorted by folder; checksums are not checked."""
    manifests = sorted((cache_home() / "bundles").glob(f"[!.]*/{MANIFEST_FILE}"))  # hidden folders are incomplete
    return [bundle for path in manifests if (bundle := _complete(path.parent)) is not None]


def converted_once(key: str, convert: Callable[[Path], Bundle]) -> Bundle:
    """Return a bundle of the cache, converted now if it is not there or damaged.

    Parameters
    ----------
    key
        Name of the folder in the cache. It must depend on everything that `convert` reads.
    convert
        Writes the bundle to the folder that it is given, which does not exist, and returns it. It raises OutputError
        if it cannot write; any other OSError means that it cannot read the model.

    Raises
    ------
    CheckpointError
        If the model cannot be read.
    OutputError
        If the cache cannot be written.
    """
    bundle = cached_bundle(key)
    if bundle is not None:
        return bundle
    with exclusive(cache_home(), key):
        bundle = cached_bundle(key)  # another process may have been faster
        if bundle is not None:
            return bundle
        folder = _folder_of(key)
        try:
            _remove(folder)
            bundle = convert(folder).verify()
        except OutputError as error:
            msg = f"{str(error).rstrip('.')}. The cache is {cache_home()}; set {HOME_VARIABLE} to a folder with room."
            raise OutputError(msg) from error
        except OSError as error:
            msg = f"The model cannot be read: {str(error).rstrip('.')}. Check that its files exist and can be read."
            raise CheckpointError(msg) from error
    _LOGGER.info("Converted %s (%s) to %s", bundle.manifest.name, bundle.manifest.precision, folder)
    return bundle


def _folder_of(key: str) -> Path:
    return cache_home() / "bundles" / key


def _remove(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        msg = f"The damaged model {folder} cannot be removed ({error.strerror or error})."
        raise OutputError(msg) from error


def _complete(folder: Path) -> Bundle | None:
    try:
        return Bundle.open(folder)
    except BundleError as error:
        _LOGGER.warning("A model in the cache is left out. %s", error)
        return None
