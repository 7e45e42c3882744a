"""The model of a saved stage: its bundle inside the stage's folder, or a reference to it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pyspark.sql import SparkSession

from sparkalbert.bundle import Bundle, Manifest
from sparkalbert.bundle.folder import BUNDLE_KIND, MANIFEST_FILE
from sparkalbert.errors import BundleError, OutputError
from sparkalbert.ml.files import HadoopFileSystem
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.ml.stages.persistence import MODEL_FOLDER
from sparkalbert.models.cache import KEY_DIGITS, converted_once
from sparkalbert.models.folders import folder_kind
from sparkalbert.storage.folders import FileSystem, LocalFileSystem, write_folder
from sparkalbert.storage.paths import is_folder, local_path, with_home

__all__ = ["SavedModel", "download_bundle", "upload_bundle"]

_KEY: Final = "savedModel"


@dataclass(frozen=True)
class SavedModel:
    """Identifies the model that a stage was saved with, in the metadata of the saved stage.

    Attributes
    ----------
    model, precision, revision, do_lower_case, keep_accents, remove_space
        The Params that identified it, see :meth:`is_of`.
    digest
        The digest of its bundle.
    by_value
        Whether the bundle is in the stage's folder.
    """

    model: str
    precision: str | None
    revision: str | None
    digest: str
    by_value: bool
    do_lower_case: bool | None = None
    keep_accents: bool | None = None
    remove_space: bool | None = None

    @classmethod
    def of(cls, model: str, options: Mapping[str, Any], digest: str, *, by_value: bool) -> SavedModel:
        """Return the record of the model that these Params identify; a folder is recorded by its absolute path."""
        path = Path(with_home(model))
        # As find_model recognizes a folder; a file: URI is kept as it was set.
        in_folder = is_folder(path) and folder_kind(path) is not None
        return cls(model=str(path.absolute()) if in_folder else model, digest=digest, by_value=by_value, **options)

    def is_of(self, model: str, options: Mapping[str, Any]) -> bool:
        """Return whether these Params identify the saved model; the record has no effect on a stage with others."""
        return self.model == model and all(getattr(self, name) == value for name, value in options.items())

    def to_metadata(self) -> dict[str, Any]:
        """Return an extra entry for the metadata of a saved stage."""
        return {_KEY: asdict(self)}

    @classmethod
    def from_metadata(cls, metadata: dict[str, Any], path: str) -> SavedModel | None:
        """Read the entry from the metadata of a saved stage; None if the stage had no model.

        Raises
        ------
        BundleError
            If the entry is malformed.
        """
        values = metadata.get(_KEY)
        if values is None:
            return None
        try:
            saved = cls(**values)
            if not isinstance(values["digest"], str):
                msg = f"digest is {values['digest']!r}, expected a string"
                raise TypeError(msg)  # noqa: TRY301 - one message for everything that is malformed
        except TypeError as error:
            msg = f"The metadata of the stage saved in {path} is malformed ({error}). Save the stage again."
            raise BundleError(msg) from error
        return saved


def upload_bundle(bundle: Bundle, folder: str, files: FileSystem | None) -> None:
    """Copy all files of a verified bundle to ``folder/bundle``.

    Raises
    ------
    BundleError
        If a file of the bundle is damaged.
    OutputError
        If only Spark can reach the folder.
    """
    if files is None:
        msg = (
            f"The model cannot be saved to {folder}: this Spark Connect client does not see that folder or cannot "
            "write there. Save to a path that client and server share, or set persistModel to 'reference'."
        )
        raise OutputError(msg)
    bundle.verify()
    for name in (*bundle.manifest.files, MANIFEST_FILE):
        files.upload(bundle.path / name, f"{folder}/{MODEL_FOLDER}/{name}")


def download_bundle(spark: SparkSession, path: str, digest: str) -> Bundle:
    """Return the bundle that :func:`upload_bundle` wrote, from the cache, where it is copied once.

    It is never used in place: a stage or a pipeline may be saved over the folder that it was loaded from.

    Raises
    ------
    BundleError
        If it is damaged, another bundle, or cannot be reached from here.
    """
    return converted_once(f"saved-{digest[:KEY_DIGITS]}", partial(_download, spark, f"{path}/{MODEL_FOLDER}", digest))


def _download(spark: SparkSession, source: str, digest: str, target: Path) -> Bundle:
    files = _file_system(spark, source)
    with write_folder(target, BUNDLE_KIND) as work:
        downloaded = work / f"{MANIFEST_FILE}.part"  # a folder with a manifest counts as complete
        try:
            files.download(f"{source}/{MANIFEST_FILE}", downloaded)
            manifest = Manifest.from_file(downloaded)
            for name in manifest.files:
                files.download(f"{source}/{name}", work / name)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError) or os.strerror(errno.ENOENT) in str(error)
            reason = "it does not contain the model" if missing else str(error)
            msg = f"The model saved in {source} cannot be read: {reason}. Copy the whole folder of the stage."
            raise BundleError(msg) from error
        if manifest.digest != digest:
            msg = f"The bundle in {source} has digest {manifest.digest[:16]}, expected {digest[:16]}. Save it again."
            raise BundleError(msg)
        Bundle(work, manifest).verify()
        downloaded.rename(work / MANIFEST_FILE)
    return Bundle.open(target)


def _file_system(spark: SparkSession, source: str) -> FileSystem:
    local = local_path(source)
    if local is not None and is_folder(local):
        return LocalFileSystem()
    if is_connect_session(spark):
        msg = (
            f"This Spark Connect client cannot read the model saved in {source}. Copy the folder to a path that client "
            "and server share."
        )
        raise BundleError(msg)
    return HadoopFileSystem(spark)
