"""Makes the bundle of a repository on the Hub in the cache, and records which commit a branch or tag means."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from sparkalbert.bundle.folder import Bundle
from sparkalbert.bundle.manifest import Precision
from sparkalbert.errors import OutputError
from sparkalbert.models.cache import cache_key, cached_bundle, converted_once
from sparkalbert.models.folders import CONVERSION, convert_folder
from sparkalbert.models.hub import HubCheckpoint, download_checkpoint
from sparkalbert.models.names import COMMIT, HubModel, slug
from sparkalbert.storage.files import write_file
from sparkalbert.storage.homes import HOME_VARIABLE, cache_home
from sparkalbert.storage.locks import exclusive
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["bundle_from_hub", "cached_from_hub"]


def bundle_from_hub(model: HubModel, precision: Precision, given: PieceOptions, *, allow_download: bool) -> Bundle:
    """Return the bundle of a repository, downloaded and converted if the cache does not have it.

    Raises
    ------
    BundleError
        If the bundle of the cache cannot be read.
    CheckpointError, ConfigError
        If the model cannot be converted.
    DownloadError
        If the Hub cannot be reached or refuses, or if `allow_download` is false and files are missing.
    OutputError
        If the cache cannot be written.
    MissingDependencyError
        If converting or downloading requires a package that is not installed.
    """
    bundle = cached_from_hub(model, precision, given)
    if bundle is not None:
        return bundle
    with exclusive(cache_home(), f"{slug(model.repository)}@{quote(model.revision, safe='')}-{precision}{given.key}"):
        bundle = cached_from_hub(model, precision, given)  # another process may have been faster
        if bundle is not None:
            return bundle
        known = _commit_of(model)
        wanted = model if known is None else replace(model, revision=known)
        checkpoint = download_checkpoint(wanted, given, allow_download=allow_download)
        bundle = _converted(model, precision, given, checkpoint)
        _record_commit(model, checkpoint.commit)
        return bundle


def cached_from_hub(model: HubModel, precision: Precision, given: PieceOptions) -> Bundle | None:
    """Return the bundle of a repository if the cache has it; a branch or tag means what it meant when first used.

    Raises
    ------
    BundleError
        If the bundle of the cache cannot be read.
    """
    commit = _commit_of(model)
    return None if commit is None else cached_bundle(_key_of(model, precision, given, commit))


def _converted(model: HubModel, precision: Precision, given: PieceOptions, checkpoint: HubCheckpoint) -> Bundle:
    convert = partial(
        convert_folder,
        checkpoint.folder,
        given,
        precision=precision,
        name=model.name,
        origin=model.repository,
        revision=checkpoint.commit,
    )
    return converted_once(_key_of(model, precision, given, checkpoint.commit), convert)


def _key_of(model: HubModel, precision: Precision, given: PieceOptions, commit: str) -> str:
    return cache_key(model.name, precision, f"{commit}-{CONVERSION}", given)


def _commit_of(model: HubModel) -> str | None:
    """Return the commit of a revision: itself, or what it meant when it was first used."""
    if model.commit is not None:
        return model.commit
    try:
        recorded = _record_of(model).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return recorded if COMMIT.fullmatch(recorded) else None


def _record_commit(model: HubModel, commit: str) -> None:
    if model.commit is None:
        record = _record_of(model)
        try:
            with write_file(record) as work:
                work.write_text(f"{commit}\n", encoding="ascii")
        except OSError as error:
            msg = (
                f"{record} cannot be written ({error.strerror or error}). Free space there, or set {HOME_VARIABLE} to "
                "a folder with room."
            )
            raise OutputError(msg) from error


def _record_of(model: HubModel) -> Path:
    return cache_home() / "refs" / f"{slug(model.repository)}@{quote(model.revision, safe='')}"
