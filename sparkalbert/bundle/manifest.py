"""The manifest of a bundle: its files with their checksums, and where the model came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, get_args

from sparkalbert.errors import BundleError, problem_list
from sparkalbert.options import check_choice

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_FILE",
    "PRECISIONS",
    "FileRecord",
    "Manifest",
    "Precision",
    "TokenizerRecord",
    "check_precision",
]

MANIFEST_FILE: Final = "manifest.json"

FORMAT_VERSION: Final = 2
"""Version of the bundle layout, independent of the package's version. Version 1 has no `tokenizer`, and always a
``spiece.model``."""

_READ_VERSIONS: Final = (1, FORMAT_VERSION)

Precision = Literal["fp32", "fp16", "int8"]
"""Number format of the weight matrices."""

PRECISIONS: Final[tuple[str, ...]] = get_args(Precision)

_HEX_DIGITS: Final = frozenset("0123456789abcdef")
_SHA256_DIGITS: Final = 64
_TEXTS: Final = ("name", "source", "weights", "note")
_COUNTS: Final = {"dimension": 1, "max_pieces": 3, "num_layers": 0}
"""Integer fields and their minima; the shortest input is [CLS], a piece and [SEP]."""


@dataclass(frozen=True)
class FileRecord:
    """Size and checksum of one file of the bundle."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class TokenizerRecord:
    """Which tokenizer a bundle has.

    Attributes
    ----------
    kind
        ``sentencepiece``, or ``tokenizers`` for a file that the tokenizers library reads.
    file
        The file of the bundle that holds the vocabulary.
    source
        The file of the model that it was made from.
    options
        The options by Hugging Face's names.
    origins
        Where each option comes from: ``given``, the file that states it, or Hugging Face's ``default``.
    """

    kind: str
    file: str
    source: str
    options: Mapping[str, bool]
    origins: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """The contents of ``manifest.json``.

    Attributes
    ----------
    name
        Name of the model, for instance ``albert_xlarge_uncased``.
    source
        Where the weights came from: a repository or a folder's name.
    revision
        Revision of the source, or None if it has none.
    precision
        ``fp32``, ``fp16`` or ``int8``.
    dimension
        Width of a vector (``hidden_size``).
    max_pieces
        Largest number of pieces in one sequence, special pieces included (``max_position_embeddings``).
    num_layers
        Layers that ``layer_weights`` can mix (``num_hidden_layers``); 0 for an imported graph, which
        returns its last layer only.
    files
        Record of every file except the manifest itself, by name.
    versions
        Versions of the libraries that wrote the bundle.
    weights
        The file of the source that the weights were read from; empty if it was not recorded.
    batch_invariant
        Whether a vector depends on its own sequence only. If false, each sequence runs alone: the graph of a
        foreign export scales its numbers by all sequences of a batch (dynamic quantization), or heads are so wide
        that their products are added up in another order in longer batches.
    note
        A warning to users, for instance what the model must not be used for; empty by default.
    tokenizer
        Its tokenizer; None in a bundle of version 1, which has a ``spiece.model``.
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
    weights: str = ""
    batch_invariant: bool = True
    note: str = ""
    tokenizer: TokenizerRecord | None = None
    format_version: int = FORMAT_VERSION

    @property
    def digest(self) -> str:
        """The bundle's identity: sha256 over the names, sizes and checksums of its files.

        Whether sequences run alone decides vectors as well, and only the manifest knows it.
        """
        identity: dict[str, object] = {name: asdict(record) for name, record in self.files.items()}
        if not self.batch_invariant:
            identity["batch_invariant"] = False
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

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
            If the file is missing, malformed, or of a format that this sparkalbert does not read.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            msg = (
                f"{path.parent} is not a sparkalbert bundle: {path.name} cannot be read ({error.strerror}). "
                "`sparkalbert convert CHECKPOINT BUNDLE` makes a bundle from a checkpoint."
            )
            raise BundleError(msg) from error
        return cls.from_json(text, source=str(path))

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str = MANIFEST_FILE) -> Manifest:
        """Parse the text of a ``manifest.json``; `source` is its name in messages.

        Raises
        ------
        BundleError
            If the text is malformed, or of a format that this sparkalbert does not read.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{source} is not valid JSON: {error}. Convert the checkpoint again."
            raise BundleError(msg) from error
        return cls._from_values(values, source)

    @classmethod
    def _from_values(cls, values: Any, source: str) -> Manifest:
        version = values.get("format_version") if isinstance(values, dict) else None
        if not _is_count(version, 1) or version not in _READ_VERSIONS:
            msg = (
                f"{source} has format_version {version!r}, expected {' or '.join(map(str, _READ_VERSIONS))}. "
                "Upgrade sparkalbert, or convert the checkpoint again."
            )
            raise BundleError(msg)
        try:
            records = {name: FileRecord(**record) for name, record in values["files"].items()}
            tokenizer = values.get("tokenizer")
            tokenizer = None if tokenizer is None else TokenizerRecord(**tokenizer)
            manifest = cls(**{**values, "files": records, "tokenizer": tokenizer})
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"{source} is malformed ({type(error).__name__}: {error}). Convert the checkpoint again."
            raise BundleError(msg) from error
        problems = [*_field_problems(manifest), *_record_problems(records)]
        if problems:
            raise BundleError(problem_list(source, problems))
        return manifest


def check_precision(precision: str) -> None:
    """Raise ParamError unless `precision` is a known number format."""
    check_choice("precision", precision, PRECISIONS)


def _field_problems(manifest: Manifest) -> list[str]:
    problems = []
    values: Mapping[str, Any] = vars(manifest)  # read from a file, so their types are unknown
    for name in _TEXTS:
        value = values[name]
        if not isinstance(value, str):
            problems.append(f"{name} is {value!r}, expected a string")
    if not isinstance(values["batch_invariant"], bool):
        problems.append(f"batch_invariant is {values['batch_invariant']!r}, expected true or false")
    for name, minimum in _COUNTS.items():
        value = values[name]
        if not _is_count(value, minimum):
            problems.append(f"{name} is {value!r}, expected an integer of at least {minimum}")
    if not isinstance(values["revision"], (str, type(None))):
        problems.append(f"revision is {values['revision']!r}, expected a string or null")
    versions = values["versions"]
    if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
        problems.append(f"versions is {versions!r}, expected an object of strings")
    if values["tokenizer"] is not None:
        problems += _tokenizer_problems(values["tokenizer"])
    if values["precision"] not in PRECISIONS:
        problems.append(f"precision is {values['precision']!r}, expected one of {', '.join(PRECISIONS)}")
    return problems


def _tokenizer_problems(tokenizer: TokenizerRecord) -> list[str]:
    values: Mapping[str, Any] = vars(tokenizer)  # read from a file, so their types are unknown
    problems = [
        f"{name} of tokenizer is {values[name]!r}, expected a string"
        for name in ("kind", "file", "source")
        if not isinstance(values[name], str)
    ]
    for name, kind, expected in (("options", bool, "true or false"), ("origins", str, "strings")):
        value = values[name]
        if not isinstance(value, dict) or not all(isinstance(item, kind) for item in value.values()):
            problems.append(f"{name} of tokenizer is {value!r}, expected an object of {expected}")
    return problems


def _record_problems(records: Mapping[str, FileRecord]) -> list[str]:
    """Return what is wrong with the records of files: a manifest may name only files in its own folder, not itself."""
    problems = []
    for name, record in records.items():
        if PurePosixPath(name).name != name or name in {"", ".", ".."} or "\\" in name:
            problems.append(f"file name {name!r} points outside the bundle")
        elif not name.isprintable():
            problems.append(f"file name {name!r} is not printable")
        elif name == MANIFEST_FILE:
            problems.append(f"{name} lists itself")
        if not _is_count(record.size_bytes, 0):
            problems.append(f"size_bytes of {name!r} is {record.size_bytes!r}, expected a non-negative integer")
        if not _is_sha256(record.sha256):
            problems.append(f"sha256 of {name!r} is {record.sha256!r}, expected {_SHA256_DIGITS} hex digits")
    return problems


def _is_count(value: object, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == _SHA256_DIGITS and _HEX_DIGITS.issuperset(value)
