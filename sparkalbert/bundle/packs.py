"""Packs a bundle into one file for other machines, and installs it once on each node.

Spark copies the file to every executor (``SparkContext.addFile``, or ``addArtifacts`` on Spark Connect). A
node keeps the bundle in a folder named by its digest, however many workers run there: they map the same pages.
Standard library only, because every worker runs this.

Measured with a file of 218 MB on ``local-cluster[2,1,1024]``: 437 MB crossed the loopback device, one transfer
per executor, in 3.9 s; a Spark broadcast of the same bytes moved 440 MB in 7.0 s and left a copy in the memory
of every worker that read it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from sparkalbert.bundle.folder import BUNDLE_KIND, MANIFEST_FILE, Bundle
from sparkalbert.bundle.manifest import Manifest
from sparkalbert.errors import BundleError, OutputError
from sparkalbert.storage.files import unfinished_prefix, write_file
from sparkalbert.storage.folders import FolderKind, write_folder
from sparkalbert.storage.homes import HOME_VARIABLE, cache_home, node_home
from sparkalbert.storage.locks import exclusive
from sparkalbert.storage.owners import is_trusted

__all__ = ["install_pack", "installed", "pack", "pack_name"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES: Final = 1 << 20
_INSTALL_LIMIT_S: Final = 600.0
"""Copying the largest model takes seconds, on a slow network disk minutes."""

_MANIFEST_MAX_BYTES: Final = 1 << 20
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED: Final = 1
_DAMAGED_ZIP: Final = (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, ValueError, struct.error)
"""What zipfile raises for a damaged file, besides OSError."""

_REGULAR_FILE: Final = 0o100644
_READ_ONLY: Final = 0o444
_OTHERS_READ_ONLY: Final = 0o755
_OTHERS_WRITE: Final = 0o022


def pack_name(bundle: Bundle) -> str:
    """Return the name of the file that holds a packed bundle: the same name for the same content."""
    return f"sparkalbert-{bundle.digest[:16]}.zip"


def pack(bundle: Bundle, folder: str | Path | None = None) -> Path:
    """Return one file that holds a whole bundle, written on first use.

    The file is an uncompressed zip named by content (``sparkalbert-<digest16>.zip``), byte for byte the same
    for the same bundle. Every byte of the bundle is verified while it is written. If the file exists already, its
    contents are compared with the manifest, and it is written again if a byte is wrong.

    Parameters
    ----------
    bundle
        The bundle.
    folder
        Where the file goes; ``packs`` in the cache folder by default. One process at a time writes a pack there, so
        a folder ``locks`` is created in it.

    Raises
    ------
    BundleError
        If a file of the bundle cannot be read or differs from its manifest.
    OutputError
        If the file cannot be written.
    """
    home = cache_home() if folder is None else Path(folder)
    target = home / "packs" if folder is None else home
    choose = f"Set {HOME_VARIABLE} to" if folder is None else "Choose"
    path = target / pack_name(bundle)
    try:
        with exclusive(home, path.name, choose=choose):
            if not _is_pack_of(path, bundle):
                _write_pack(path, bundle)
    except OutputError:
        raise
    except OSError as error:
        msg = (
            f"{path} cannot be written ({error.strerror or error}); it needs {bundle.manifest.size_bytes} bytes. "
            f"{choose} a folder with room, or free space there."
        )
        raise OutputError(msg) from error
    return path


def installed(digest: str) -> Path | None:
    """Return this node's folder of a bundle if nobody else can change it and every byte of it is right, else None.

    Parameters
    ----------
    digest
        The bundle's identity, :attr:`sparkalbert.bundle.Manifest.digest`.

    Raises
    ------
    BundleError
        If `digest` is malformed, or this node has no folder for models.
    """
    folder = _folder_of(digest)
    try:
        if _is_private(folder) and Bundle.open(folder).verify().digest == digest:
            return folder
        reason = "it is another bundle, or others can change it"
    except FileNotFoundError:
        return None
    except (BundleError, OSError) as error:
        reason = str(error)
    _LOGGER.warning("The model in %s is not used: %s", folder, reason)
    return None


def install_pack(digest: str, path: str | Path) -> Path:
    """Install a file written by :func:`pack` on this node and return the bundle's folder.

    One process at a time installs a digest; the others wait and find it. A damaged folder is replaced.

    Raises
    ------
    BundleError
        If the file is not a pack of this bundle, or the node has no room for it.
    """
    folder = _folder_of(digest)
    with exclusive(node_home(), digest, limit_s=_INSTALL_LIMIT_S):
        if installed(digest) is not None:
            return folder
        try:
            manifest = _unpack(Path(path), digest, folder)
        except BundleError:
            raise
        except OSError as error:
            msg = (
                f"{path} cannot be installed on this node: {str(error).rstrip('.')}. Set {HOME_VARIABLE} (on executors "
                f"spark.executorEnv.{HOME_VARIABLE}) to a folder of this user with room for the model."
            )
            raise BundleError(msg) from error
        except _DAMAGED_ZIP as error:
            msg = (
                f"{path} is not a complete sparkalbert pack ({error}). Remove it, and pack the bundle again. If Spark "
                "sent it, start a new application (on Spark Connect a new session): in one, a file is sent once."
            )
            raise BundleError(msg) from error
    _LOGGER.info("Installed %s (%s) in %s", manifest.name, manifest.precision, folder)
    return folder


_INSTALLED: Final = FolderKind(BUNDLE_KIND.marker, is_ours=lambda _: True)
"""Whatever is in the node's own folder under a digest is ours to repair."""


def _folder_of(digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        msg = f"{digest!r} is not the digest of a bundle, expected 64 lower-case hexadecimal digits."
        raise BundleError(msg)
    return node_home() / "installed" / digest


def _is_private(folder: Path) -> bool:
    """Return whether a folder and its files belong to this user or root, and nobody else can write to a file.

    Checksums alone are not enough: anyone who can write to the folder or a file could change a file after it has been
    verified. The right of others to write to the folder is revoked first. A file that they could write to is refused,
    because it may still be open for writing.
    """
    mode = folder.lstat().st_mode
    if not stat.S_ISDIR(mode):
        return False
    if mode & _OTHERS_WRITE:
        folder.chmod(stat.S_IMODE(mode) & ~_OTHERS_WRITE)
    if not is_trusted(folder.lstat()):
        return False
    files = [path.lstat() for path in folder.iterdir()]
    return all(is_trusted(file) and not file.st_mode & _OTHERS_WRITE for file in files)


def _unpack(path: Path, digest: str, folder: Path) -> Manifest:
    with zipfile.ZipFile(path) as archive:
        _check_stored(archive)
        manifest = _read_manifest(archive, digest)
        _check_entries(archive, manifest)
        if folder.is_symlink():  # write_folder would follow it
            folder.unlink()
        with write_folder(folder, _INSTALLED, overwrite=True) as work:
            for name in manifest.files:
                with archive.open(name) as packed, (work / name).open("wb") as file:
                    shutil.copyfileobj(packed, file, _CHUNK_BYTES)
                (work / name).chmod(_READ_ONLY)
            Bundle(work, manifest).verify()
            with write_file(work / MANIFEST_FILE) as marker:  # marks the folder as complete
                marker.write_text(manifest.to_json(), encoding="utf-8")
            (work / MANIFEST_FILE).chmod(_READ_ONLY)
            work.chmod(_OTHERS_READ_ONLY)
    return manifest


def _read_manifest(archive: zipfile.ZipFile, digest: str) -> Manifest:
    with archive.open(MANIFEST_FILE) as file:
        text = file.read(_MANIFEST_MAX_BYTES + 1)
    if len(text) > _MANIFEST_MAX_BYTES:
        msg = f"The manifest in {archive.filename} has more than {_MANIFEST_MAX_BYTES} bytes."
        raise BundleError(msg)
    manifest = Manifest.from_json(text, source=f"{archive.filename}/{MANIFEST_FILE}")
    if manifest.digest != digest:
        msg = f"{archive.filename} holds the bundle {manifest.digest}, expected {digest}. Pack the bundle again."
        raise BundleError(msg)
    return manifest


def _check_stored(archive: zipfile.ZipFile) -> None:
    """Refuse an archive with compressed files: a small one may expand to any size."""
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
            msg = f"{archive.filename} holds {entry.filename!r} compressed or encrypted. Pack the bundle again."
            raise BundleError(msg)


def _check_entries(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Refuse an archive that holds anything but the files of the manifest, in their sizes."""
    for entry in archive.infolist():
        if entry.filename == MANIFEST_FILE:
            continue
        record = manifest.files.get(entry.filename)
        if record is None:
            msg = f"{archive.filename} holds {entry.filename!r}, which its manifest does not list."
            raise BundleError(msg)
        if entry.file_size != record.size_bytes:
            msg = (
                f"{archive.filename} holds {entry.file_size} bytes of {entry.filename!r}, expected {record.size_bytes}."
            )
            raise BundleError(msg)


def _is_pack_of(path: Path, bundle: Bundle) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_stored(archive)
            _check_entries(archive, bundle.manifest)
            if archive.read(MANIFEST_FILE) != _manifest_bytes(bundle):
                return False
            return all(
                _sha256_of_entry(archive, name) == record.sha256 for name, record in bundle.manifest.files.items()
            )
    except (OSError, *_DAMAGED_ZIP):
        return False


def _sha256_of_entry(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _write_pack(path: Path, bundle: Bundle) -> None:
    for leftover in path.parent.glob(f"{unfinished_prefix(path)}*"):  # of a killed writer: all hold the same lock
        leftover.unlink()
    with write_file(path) as work, zipfile.ZipFile(work, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(MANIFEST_FILE), _manifest_bytes(bundle))
        for name in sorted(bundle.manifest.files):
            _write_entry(archive, name, bundle)


def _write_entry(archive: zipfile.ZipFile, name: str, bundle: Bundle) -> None:
    record = bundle.manifest.files[name]
    entry = _entry(name)
    entry.file_size = record.size_bytes
    sha256 = hashlib.sha256()
    with archive.open(entry, "w") as packed:
        for chunk in _file_chunks(bundle.path / name):
            sha256.update(chunk)
            packed.write(chunk)
    if sha256.hexdigest() != record.sha256:
        msg = (
            f"{bundle.path / name} has sha256 {sha256.hexdigest()}, expected {record.sha256}. "
            "Convert the checkpoint again."
        )
        raise BundleError(msg)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.create_system = 3  # Unix, so that the bytes do not depend on the machine
    entry.external_attr = _REGULAR_FILE << 16
    return entry


def _manifest_bytes(bundle: Bundle) -> bytes:
    return bundle.manifest.to_json().encode()


def _file_chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from _chunks(file)
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}). Check that this user may read it."
        raise BundleError(msg) from error


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
