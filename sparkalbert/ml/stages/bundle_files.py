"""A bundle inside a saved stage: copied to and from wherever Spark saves.

Classic sessions go through Hadoop's file systems. A Connect client reaches its own file system and
mounts such as ``/Volumes`` only. It knows folders, nothing about Params.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlparse

from pyspark.sql import SparkSession

from sparkalbert.bundle import Bundle, Manifest
from sparkalbert.bundle.folder import MANIFEST_FILE
from sparkalbert.errors import BundleError, OutputError
from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["load_bundle", "local_path", "save_bundle"]

_FOLDER: Final = "bundle"


def save_bundle(spark: SparkSession, bundle: Bundle, path: str) -> None:
    """Copy all files of a bundle to ``path/bundle``.

    Raises
    ------
    OutputError
        When a Connect client is to write where only the server can.
    """
    names = [*bundle.manifest.files, MANIFEST_FILE]
    if not is_connect_session(spark):
        hadoop, folder = _hadoop(spark, f"{path}/{_FOLDER}")
        for name in names:
            hadoop.copyFromLocalFile(False, True, _jvm_path(spark, str(bundle.path / name)), folder(name))
        return
    local = local_path(path)
    if local is None:
        msg = (
            f"This Spark Connect client cannot write the model's files to {path}. Save to a path that client "
            "and server share, or set persistModel to 'reference'."
        )
        raise OutputError(msg)
    target = local / _FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(bundle.path / name, target / name)


def load_bundle(spark: SparkSession, path: str, digest: str) -> Bundle:
    """Open and verify the bundle that :func:`save_bundle` wrote, in place where the path is local.

    Raises
    ------
    BundleError
        When it is damaged, is another one, or cannot be reached from here.
    """
    local = local_path(path)
    if local is not None and (local / _FOLDER / MANIFEST_FILE).is_file():
        folder = local / _FOLDER
    elif not is_connect_session(spark):
        folder = _download(spark, f"{path}/{_FOLDER}")
    else:
        msg = f"This Spark Connect client cannot read the model's files under {path}: copy the folder here."
        raise BundleError(msg)
    bundle = Bundle.open(folder).verify()
    if bundle.digest != digest:
        msg = f"The bundle under {path} has digest {bundle.digest[:16]}, the saved stage says {digest[:16]}."
        raise BundleError(msg)
    return bundle


def _download(spark: SparkSession, uri: str) -> Path:
    """Copy a bundle folder from Hadoop's file system to this driver, for this process's life."""
    hadoop, folder = _hadoop(spark, uri)
    target = Path(tempfile.mkdtemp(prefix="sparkalbert-"))
    hadoop.copyToLocalFile(False, folder(MANIFEST_FILE), _jvm_path(spark, str(target / MANIFEST_FILE)), True)
    for name in Manifest.from_file(target / MANIFEST_FILE).files:
        hadoop.copyToLocalFile(False, folder(name), _jvm_path(spark, str(target / name)), True)
    return target


def local_path(path: str) -> Path | None:
    """Return the path on this machine's file system, None for another scheme."""
    parsed = urlparse(path)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(path) if not parsed.scheme else None


def _jvm_path(spark: SparkSession, path: str) -> Any:
    return spark.sparkContext._jvm.org.apache.hadoop.fs.Path(path)  # type: ignore[union-attr]  # noqa: SLF001


def _hadoop(spark: SparkSession, uri: str) -> tuple[Any, Any]:
    """Return Hadoop's file system of a folder, and what names a file in it."""
    configuration = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    file_system = _jvm_path(spark, uri).getFileSystem(configuration)
    return file_system, lambda name: _jvm_path(spark, f"{uri}/{name}")
