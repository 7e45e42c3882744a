"""A bundle on its way to other machines: one file named by content, or a pickle that installs itself.

Both end in the node-local folder of :mod:`sparkalbert.bundle.installation`. Standard library only: this
runs on executors. It knows nothing about Spark.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import pickle
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from sparkalbert.bundle.cache import HOME_VARIABLE, cache_home, exclusive, remove_leftovers
from sparkalbert.bundle.folder import MANIFEST_FILE, Bundle
from sparkalbert.bundle.installation import Installation, installed
from sparkalbert.errors import BundleError, OutputError

__all__ = ["PackedBundle", "install", "install_pack", "pack"]

_CHUNK_BYTES: Final = 1 << 20
_PICKLE_CHUNK_BYTES: Final = 1 << 14
"""An unpickler holds a thousand items at a time: 16 MiB of them."""
_MANIFEST_MAX_BYTES: Final = 1 << 20
_OUT_OF_BAND_PROTOCOL: Final = 5
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE: Final = 0o100644


def pack(bundle: Bundle, folder: str | Path | None = None) -> Path:
    """Return one file that holds a whole bundle, written on first use.

    The file is an uncompressed zip, named by content (``sparkalbert-<digest16>.zip``) and byte for byte
    the same for the same bundle. Every checksum is checked while it is written.

    Parameters
    ----------
    bundle
        The bundle.
    folder
        Where the file goes; ``packs`` in the cache folder by default.

    Raises
    ------
    BundleError
        When a file of the bundle differs from its manifest.
    OutputError
        When the file cannot be written.
    """
    home = cache_home()
    target = Path(folder) if folder is not None else home / "packs"
    path = target / f"sparkalbert-{bundle.digest[:16]}.zip"
    with exclusive(home, path.name):
        if not _is_pack_of(path, bundle):
            try:
                _write_pack(path, bundle)
            except OSError as error:
                size_bytes = bundle.manifest.size_bytes
                msg = (
                    f"{path} cannot be written ({error.strerror}); it needs {size_bytes} bytes. "
                    f"Free space there, or set {HOME_VARIABLE} to a folder with room."
                )
                raise OutputError(msg) from error
    return path


def _is_pack_of(path: Path, bundle: Bundle) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            manifest = archive.read(MANIFEST_FILE)
    except (OSError, KeyError, zipfile.BadZipFile):
        return False
    expected = {name: record.size_bytes for name, record in bundle.manifest.files.items()}
    return manifest == _manifest_bytes(bundle) and sizes == {**expected, MANIFEST_FILE: len(manifest)}


def _write_pack(path: Path, bundle: Bundle) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}-"
    remove_leftovers(path.parent, prefix)
    descriptor, work = tempfile.mkstemp(prefix=prefix, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_entry(MANIFEST_FILE), _manifest_bytes(bundle))
            for name in sorted(bundle.manifest.files):
                _write_entry(archive, name, bundle)
        Path(work).chmod(0o644)
        Path(work).replace(path)
    except BaseException:
        Path(work).unlink(missing_ok=True)
        raise


def _write_entry(archive: zipfile.ZipFile, name: str, bundle: Bundle) -> None:
    record = bundle.manifest.files[name]
    entry = _entry(name)
    entry.file_size = record.size_bytes
    sha256 = hashlib.sha256()
    with (bundle.path / name).open("rb") as source, archive.open(entry, "w") as packed:
        for chunk in _chunks(source):
            sha256.update(chunk)
            packed.write(chunk)
    if sha256.hexdigest() != record.sha256:
        msg = (
            f"{bundle.path / name} has sha256 {sha256.hexdigest()}, the manifest says {record.sha256}. "
            "Convert the checkpoint again."
        )
        raise BundleError(msg)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.create_system = 3  # Unix, whatever machine writes it
    entry.external_attr = _REGULAR_FILE << 16
    return entry


def _manifest_bytes(bundle: Bundle) -> bytes:
    return bundle.manifest.to_json().encode()


def install(digest: str, manifest: str, files: Iterable[tuple[str, IO[bytes] | Iterable[bytes]]]) -> Path:
    """Install a bundle on this node and return its folder.

    One process at a time installs a digest; others wait and find it there.

    Parameters
    ----------
    digest
        The bundle's identity.
    manifest
        The text of its ``manifest.json``.
    files
        Name and contents (an open file, or pieces of bytes) of every file that the manifest lists.

    Raises
    ------
    BundleError
        When the bundle differs from `digest` or `manifest`, or the node has no room for it.
    """
    installation = Installation(digest, manifest)
    try:
        if installation.path is None:
            for name, contents in files:
                for chunk in _chunks(contents):
                    installation.write(name, chunk)
        return installation.finish()
    finally:
        installation.abandon()


def install_pack(digest: str, path: str | Path) -> Path:
    """Install a file written by :func:`pack` on this node and return the bundle's folder.

    Raises
    ------
    BundleError
        When the file is no pack of this bundle, or the node has no room for it.
    """
    folder = installed(digest)
    if folder is not None:
        return folder
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _read_manifest(archive)
            names = [name for name in archive.namelist() if name != MANIFEST_FILE]
            return install(digest, manifest, ((name, _packed(archive, name)) for name in names))
    except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        msg = f"{path} is no complete sparkalbert pack ({error}). Remove it, and send the model again."
        raise BundleError(msg) from error


def _read_manifest(archive: zipfile.ZipFile) -> str:
    with archive.open(MANIFEST_FILE) as file:
        text = file.read(_MANIFEST_MAX_BYTES + 1)
    if len(text) > _MANIFEST_MAX_BYTES:
        msg = f"The manifest in {archive.filename} has more than {_MANIFEST_MAX_BYTES} bytes."
        raise BundleError(msg)
    return text.decode()


def _packed(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as file:
        yield from _chunks(file)


def _chunks(contents: IO[bytes] | Iterable[bytes]) -> Iterator[bytes]:
    if hasattr(contents, "read"):
        while chunk := contents.read(_CHUNK_BYTES):
            yield chunk
    else:
        yield from contents


class PackedBundle:
    """A bundle that travels by pickle, for ``SparkContext.broadcast``.

    What travels is the bytes of the files; what arrives is a path. Unpickling writes the bytes into the
    node's content-addressed folder (or drops them where it finds the bundle there) and keeps only the
    digest and the path, so that no process holds a copy of the weights: workers map the same files.
    A worker asks :func:`installed` first, and where that finds the folder it never touches the
    broadcast's value, so the bytes are not even read.

    Pickling reads the files through a memory map, and unpickling frees each piece once it is written:
    neither side ever holds more than 16 MiB of the model (with a pickle protocol below 5, which has no
    buffers, one copy).

    Parameters
    ----------
    bundle
        The bundle, on the driver.

    Raises
    ------
    BundleError
        On the driver when a file of the bundle differs from its manifest; on the node as in
        :class:`sparkalbert.bundle.installation.Installation`.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.digest: str = bundle.verify().digest
        self._path: Path | None = bundle.path
        self._installation: Installation | None = None

    @property
    def path(self) -> Path:
        """The bundle's folder on this machine."""
        if self._path is None:
            msg = "The bundle has not arrived: its pickle was broken off. Send the model again."
            raise BundleError(msg)
        return self._path

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        bundle = Bundle.open(self.path)
        pieces = _pieces(bundle, in_buffers=protocol >= _OUT_OF_BAND_PROTOCOL)
        # pickle calls, in this order: _arriving(...), extend(pieces) some at a time, __setstate__(...)
        return (_arriving, (self.digest, bundle.manifest.to_json()), {"arrived": True}, pieces)

    def extend(self, pieces: Iterable[tuple[str, Any]]) -> None:
        """Take some pieces from the pickle: names of files and their next bytes."""
        for name, chunk in pieces:
            if self._installation is not None:
                self._installation.write(name, chunk)
            if isinstance(chunk, bytearray):
                chunk.clear()  # the unpickler remembers every object it made until it ends

    def append(self, piece: tuple[str, Any]) -> None:
        """Take one piece from the pickle."""
        self.extend([piece])

    def __setstate__(self, state: dict[str, Any]) -> None:
        installation, self._installation = self._installation, None
        if installation is not None:
            self._path = installation.finish()


def _arriving(digest: str, manifest: str) -> PackedBundle:
    packed = PackedBundle.__new__(PackedBundle)
    packed.digest = digest
    packed._path = None  # noqa: SLF001 - the second constructor of the class above
    packed._installation = Installation(digest, manifest)  # noqa: SLF001
    return packed


def _pieces(bundle: Bundle, *, in_buffers: bool) -> Iterator[tuple[str, Any]]:
    """Yield every file of a bundle in small pieces.

    A writable buffer is pickled without a copy and arrives as a bytearray, which can be emptied. The map
    is private, so nothing that is written to it could reach the file.
    """
    for name, record in sorted(bundle.manifest.files.items()):
        if not record.size_bytes:
            continue
        with (bundle.path / name).open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), record.size_bytes, access=mmap.ACCESS_COPY))
        for start in range(0, record.size_bytes, _PICKLE_CHUNK_BYTES):
            piece = mapped[start : start + _PICKLE_CHUNK_BYTES]
            yield name, pickle.PickleBuffer(piece) if in_buffers else bytes(piece)
