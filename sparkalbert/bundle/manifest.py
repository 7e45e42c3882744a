"""The manifest of a bundle: what the folder holds, where it came from, and how to tell it is whole.

It knows the manifest's fields and nothing of the files' contents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from sparkalbert.errors import BundleError

__all__ = ["FORMAT_VERSION", "FileRecord", "Manifest", "Precision", "sha256_of"]

FORMAT_VERSION: Final = 1
"""Version of the bundle layout, counted apart from the package's version."""

Precision = Literal["fp32", "fp16", "int8"]
"""Number format of the weight matrices."""

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class FileRecord:
    """Size and checksum of one file of the bundle."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says.

    Attributes
    ----------
    name
        Name of the model, for instance ``albert_xlarge_uncased``.
    source
        Where the weights came from: a repository or a folder's name.
    revision
        Revision of the source, or None where it has none.
    precision
        ``fp32``, ``fp16`` or ``int8``.
    dimension
        Width of a vector (``hidden_size``).
    max_pieces
        Most pieces in one call, special tokens included (``max_position_embeddings``).
    num_layers
        Layers that ``layer_weights`` can mix (``num_hidden_layers``); 0 for a foreign graph, which
        offers its last layer only.
    files
        Record of every file but the manifest itself, by name.
    versions
        Versions of the libraries that wrote the bundle.
    note
        What a user must know, for instance that the vectors are placeholders; empty otherwise.
    format_version
        Version of the layout.
    """

    name: str
    source: str
    precision: Precision
    dimension: int
    max_pieces: int
    num_layers: int
    files: Mapping[str, FileRecord]
    revision: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    format_version: int = FORMAT_VERSION

    @property
    def digest(self) -> str:
        """The bundle's identity: sha256 over the names, sizes and checksums of its files."""
        content = json.dumps({name: asdict(record) for name, record in self.files.items()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(record.size_bytes for record in self.files.values())

    def to_json(self) -> str:
        """Return the manifest as JSON, the same text for the same content."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_file(cls, path: Path) -> Manifest:
        """Read ``manifest.json``.

        Raises
        ------
        BundleError
            When the file is missing, malformed, or of a format this sparkalbert does not know.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            msg = (
                f"{path.parent} is not a sparkalbert bundle: {path.name} cannot be read ({error.strerror}). "
                "A checkpoint becomes a bundle with `sparkalbert convert CHECKPOINT BUNDLE`."
            )
            raise BundleError(msg) from error
        except ValueError as error:
            msg = f"{path} is not valid JSON: {error}. Convert the checkpoint again."
            raise BundleError(msg) from error
        return cls._from_values(values, path)

    @classmethod
    def _from_values(cls, values: Any, path: Path) -> Manifest:
        version = values.get("format_version") if isinstance(values, dict) else None
        if version != FORMAT_VERSION:
            msg = (
                f"{path} has format_version {version!r}, this sparkalbert reads {FORMAT_VERSION}. "
                "Upgrade sparkalbert, or convert the checkpoint again."
            )
            raise BundleError(msg)
        try:
            records = {name: FileRecord(**record) for name, record in values["files"].items()}
            manifest = cls(**{**values, "files": records})
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"{path} is malformed ({type(error).__name__}: {error}). Convert the checkpoint again."
            raise BundleError(msg) from error
        if manifest.precision not in get_args(Precision):
            msg = f"{path} has precision {manifest.precision!r}, expected one of {get_args(Precision)}."
            raise BundleError(msg)
        return manifest


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as lower-case hex, reading it in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
