"""The manifest of a bundle: what the folder holds, where it came from, and how to tell it is whole.

It knows the manifest's fields and nothing of the files' contents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, get_args

from sparkalbert.errors import BundleError, problem_list

__all__ = ["FORMAT_VERSION", "MANIFEST_FILE", "FileRecord", "Manifest", "Precision", "sha256_of"]

MANIFEST_FILE: Final = "manifest.json"

FORMAT_VERSION: Final = 1
"""Version of the bundle layout, counted apart from the package's version."""

Precision = Literal["fp32", "fp16", "int8"]
"""Number format of the weight matrices."""

_CHUNK_BYTES: Final = 1 << 20
_HEX_DIGITS: Final = frozenset("0123456789abcdef")
_SHA256_DIGITS: Final = 64
_TEXTS: Final = ("name", "source", "note")
_COUNTS: Final = {"dimension": 1, "max_pieces": 3, "num_layers": 0}
"""Integer fields and the least that makes sense; no input is shorter than [CLS], a piece and [SEP]."""


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
        What a user must know, for instance what the model must not be used for; empty otherwise.
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
        problems = [*_field_problems(manifest), *_record_problems(records)]
        if problems:
            raise BundleError(problem_list(str(path), problems))
        return manifest


def _field_problems(manifest: Manifest) -> list[str]:
    problems = []
    values: Mapping[str, Any] = vars(manifest)  # read from a file: nothing is sure about their types
    for name in _TEXTS:
        value = values[name]
        if not isinstance(value, str):
            problems.append(f"{name} is {value!r}, expected a string")
    for name, least in _COUNTS.items():
        value = values[name]
        if not _is_count(value, least):
            problems.append(f"{name} is {value!r}, expected an integer of at least {least}")
    if not isinstance(values["revision"], (str, type(None))):
        problems.append(f"revision is {values['revision']!r}, expected a string or null")
    if values["precision"] not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        problems.append(f"precision is {values['precision']!r}, expected one of {known}")
    return problems


def _record_problems(records: Mapping[str, FileRecord]) -> list[str]:
    """A manifest from elsewhere must not reach outside its folder, nor name itself."""
    problems = []
    for name, record in records.items():
        if PurePosixPath(name).name != name or name in {"", ".", ".."} or "\\" in name or "\0" in name:
            problems.append(f"file name {name!r} leads outside the bundle")
        elif name == MANIFEST_FILE:
            problems.append(f"{name} lists itself")
        if not _is_count(record.size_bytes, 0):
            problems.append(f"size_bytes of {name!r} is {record.size_bytes!r}, expected a count")
        if not _is_sha256(record.sha256):
            problems.append(f"sha256 of {name!r} is {record.sha256!r}, expected {_SHA256_DIGITS} hex digits")
    return problems


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == _SHA256_DIGITS and _HEX_DIGITS.issuperset(value)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as lower-case hex, reading it in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
