"""Caches converted models: each is converted once, by one process at a time, and verified before each use.

Only a model that is damaged is replaced, once its successor is complete. A model that cannot be read is an error, and
that of a newer sparkalbert stays, beside the one of this version.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sparkalbert.bundle.folder import Bundle
from sparkalbert.bundle.manifest import FORMAT_VERSION, MANIFEST_FILE
from sparkalbert.errors import BundleError, CheckpointError, OutputError
from sparkalbert.models.names import slug
from sparkalbert.storage.folders import LocalFileSystem
from sparkalbert.storage.homes import HOME_VARIABLE, cache_home
from sparkalbert.storage.locks import exclusive
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["KEY_DIGITS", "cache_key", "cached_bundle", "cached_bundles", "converted_once"]

_LOGGER: Final = logging.getLogger("sparkalbert")
KEY_DIGITS: Final = 16
"""How many digits of a sha256 a key has."""

_MAX_NAME_IN_KEY: Final = 100
"""File systems limit a name to 255 bytes. The rest of a key and a writer's suffix take up to 150."""


def cache_key(name: str, form: str, content: str, given: PieceOptions) -> str:
    """Return the key of a converted model, which is the name of its folder in the cache.

    Parameters
    ----------
    name
        The name of the model, for readers of the folder: only the rest identifies the model.
    form
        The precision, or ``onnx`` for an imported graph.
    content
        What identifies the files that the conversion reads, and the version of the conversion.
    given
        Options that the caller gives.
    """
    return f"{slug(name)[:_MAX_NAME_IN_KEY]}-{form}-{content}{given.key}"


def cached_bundle(key: str) -> Bundle | None:
    """Return a bundle of the cache if it is there and every byte of it is right, else None.

    Raises
    ------
    BundleError
        If it cannot be read, which does not mean that it is damaged.
    """
    folder = _folder_of(key)
    try:
        if not folder.exists():
            return None
        return Bundle.open(folder).verify()
    except OSError as error:
        raise _unreadable(folder, error) from error
    except BundleError as error:
        reason = error.__cause__
        if isinstance(reason, OSError) and not isinstance(reason, (FileNotFoundError, NotADirectoryError)):
            raise _unreadable(folder, reason) from error
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
    BundleError
        If the bundle of the cache cannot be read.
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
            with _without_damaged(folder):
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
    folder = cache_home() / "bundles" / key
    return folder.with_name(f"{key}-format-{FORMAT_VERSION}") if _is_newer(folder) else folder


def _is_newer(folder: Path) -> bool:
    """Return whether a folder holds the bundle of a newer sparkalbert, whose format this version does not read."""
    try:
        version = json.loads((folder / MANIFEST_FILE).read_bytes())["format_version"]
        return isinstance(version, int) and version > FORMAT_VERSION
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _unreadable(folder: Path, error: OSError) -> BundleError:
    path = f"{folder}, in particular {error.filename}," if error.filename else str(folder)
    return BundleError(
        f"The model in the cache, {path} cannot be read ({error.strerror or error}). Check that this user may read it, "
        f"or set {HOME_VARIABLE} to another folder."
    )


@contextmanager
def _without_damaged(folder: Path) -> Iterator[None]:
    """Move a damaged model aside while the block converts it again; it is removed only if the block succeeds."""
    aside, files = folder.with_name(f".{folder.name}-damaged"), LocalFileSystem()
    try:
        if folder.exists():
            if files.exists(str(aside)):
                files.remove(str(aside))
            folder.rename(aside)
    except OSError as error:
        msg = f"The damaged model {folder} cannot be replaced ({error.strerror or error})."
        raise OutputError(msg) from error
    try:
        yield
    except BaseException:
        if files.exists(str(aside)) and not folder.exists():
            aside.rename(folder)
        raise
    try:
        if files.exists(str(aside)):
            files.remove(str(aside))
    except OSError as error:
        _LOGGER.warning("The damaged model %s could not be removed (%s); remove it by hand.", aside, error)


def _complete(folder: Path) -> Bundle | None:
    try:
        return Bundle.open(folder)
    except BundleError as error:
        _LOGGER.warning("A model in the cache is left out. %s", error)
        return None
