"""A Hugging Face ALBERT folder, checked as a whole and read one tensor at a time.

It knows files, names, shapes and number formats, and nothing of graphs. Only safetensors is read: a
``pytorch_model.bin`` is a pickle, and opening one runs whatever code its author put in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle.folder import CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.weight_names import IGNORED_PREFIXES, checkpoint_shapes
from sparkalbert.errors import (
    CheckpointError,
    ConfigError,
    ModelNotFoundError,
    SparkAlbertError,
    problem_list,
)
from sparkalbert.text import PieceTokenizer

__all__ = ["Checkpoint", "vocabulary_problems"]

Float32Array = npt.NDArray[np.float32]

_WEIGHTS_FILE: Final = "model.safetensors"
_INDEX_FILE: Final = "model.safetensors.index.json"
_PICKLE_FILES: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_PREFIX: Final = "albert."
_DTYPES: Final[Mapping[str, str]] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_HEADER_LENGTH_BYTES: Final = 8
_MOST_LISTED: Final = 50
_VALUES_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True)
class _Location:
    """Where one tensor lies, as its file's header says."""

    path: Path
    offset_bytes: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder that can be converted.

    Use :meth:`open`; it checks names, shapes and number formats without reading a tensor.

    Attributes
    ----------
    folder
        The folder.
    config
        Its ``config.json``.
    """

    folder: Path
    config: AlbertConfig
    _locations: Mapping[str, _Location]

    @classmethod
    def open(cls, folder: str | Path) -> Checkpoint:
        """Open a checkpoint folder.

        Parameters
        ----------
        folder
            A folder with ``config.json``, ``spiece.model`` and ``model.safetensors`` (or the shards
            that ``model.safetensors.index.json`` names); ``tokenizer_config.json`` is optional.

        Raises
        ------
        CheckpointError
            When the folder cannot be converted; every problem found is listed.
        """
        path = Path(folder)
        if not path.is_dir():
            msg = f"{path} is not a folder; expected a Hugging Face checkpoint with config.json."
            raise CheckpointError(msg)
        problems: list[str] = []
        config: AlbertConfig | None = None
        try:
            config = AlbertConfig.from_file(path / CONFIG_FILE)
        except ConfigError as error:
            problems += _lines_of(error)
        problems += vocabulary_problems(path, config)
        located: dict[str, _Location] = {}
        for file in _weight_files(path, problems):
            _locate(file, located, problems)
        if config is not None and located:
            problems += _tensor_problems(config, located)
        if problems or config is None:
            raise CheckpointError(problem_list(f"The checkpoint {path}", problems))
        return cls(path, config, located)

    def tensor(self, name: str) -> Float32Array:
        """Return one tensor as float32, read from the file and kept nowhere.

        Parameters
        ----------
        name
            Its name without the ``albert.`` prefix.

        Raises
        ------
        CheckpointError
            When the tensor holds infinities or NaN.
        """
        values = _read(self._locations[name])
        if not _is_finite(values):
            raise CheckpointError(self._not_finite([name]))
        return values

    def check_values(self) -> Checkpoint:
        """Read every needed tensor once and return the checkpoint itself.

        Raises
        ------
        CheckpointError
            When tensors hold infinities or NaN; every one is named.
        """
        names = [
            name for name in checkpoint_shapes(self.config) if not _is_finite(_read(self._locations[name]))
        ]
        if names:
            raise CheckpointError(self._not_finite(names))
        return self

    def _not_finite(self, names: list[str]) -> str:
        advice = "its numbers are not finite (NaN or infinity); the download or the training went wrong"
        return problem_list(f"The checkpoint {self.folder}", [f"{name}: {advice}" for name in names])


def _is_finite(values: Float32Array) -> bool:
    """Tell in parts: a mask as large as the tensor would be memory for nothing."""
    flat = values.reshape(-1)
    starts = range(0, flat.size, _VALUES_AT_ONCE)
    return all(bool(np.isfinite(flat[start : start + _VALUES_AT_ONCE]).all()) for start in starts)


def _read(location: _Location) -> Float32Array:
    count = int(np.prod(location.shape, dtype=np.int64))
    with location.path.open("rb") as file:
        file.seek(location.offset_bytes)
        values = np.fromfile(file, dtype=_DTYPES[location.dtype], count=count)
    if location.dtype == "BF16":
        # bfloat16 is the upper half of a float32.
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32, copy=False).reshape(location.shape)


def vocabulary_problems(folder: Path, config: AlbertConfig | None) -> list[str]:
    """Return why a folder's tokenizer cannot go with its model: a line each, none when it can."""
    try:
        tokenizer = PieceTokenizer.load(folder)
    except (CheckpointError, ConfigError, ModelNotFoundError) as error:
        return _lines_of(error)
    if config is not None and tokenizer.vocabulary_size > config.vocab_size:
        problem = (
            f"{VOCABULARY_FILE} has {tokenizer.vocabulary_size} pieces, {CONFIG_FILE} says vocab_size "
            f"{config.vocab_size}; the two are of different models"
        )
        return [problem]
    return []


def _lines_of(error: SparkAlbertError) -> list[str]:
    """Turn one error's list of problems back into lines."""
    first, *rest = str(error).splitlines()
    subject = first.partition(" has ")[0]
    return [f"{subject}: {line.removeprefix('  - ')}" for line in rest] or [first]


def _weight_files(folder: Path, problems: list[str]) -> list[Path]:
    if (folder / _WEIGHTS_FILE).is_file():
        return [folder / _WEIGHTS_FILE]
    if (folder / _INDEX_FILE).is_file():
        return _shards(folder, problems)
    found = [name for name in _PICKLE_FILES if (folder / name).is_file()]
    if found:
        problems.append(
            f"{_WEIGHTS_FILE} is missing and {found[0]} is refused: it is a pickle, and opening one runs any "
            "code its author put in. Where you trust it, save it again with transformers: "
            "AlbertModel.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True)"
        )
    else:
        problems.append(f"{_WEIGHTS_FILE} is missing")
    return []


def _shards(folder: Path, problems: list[str]) -> list[Path]:
    try:
        names = sorted(
            set(json.loads((folder / _INDEX_FILE).read_text(encoding="utf-8"))["weight_map"].values())
        )
        outside = [name for name in names if PurePosixPath(name).name != name or "\\" in name]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        problems.append(
            f"{_INDEX_FILE} is malformed ({type(error).__name__}: {error}); "
            'expected {"weight_map": {tensor: file}}'
        )
        return []
    problems += [f"{_INDEX_FILE} names {name!r}, which leads outside the folder" for name in outside]
    paths = [folder / name for name in names if name not in outside]
    problems += [f"the shard {path.name} is missing" for path in paths if not path.is_file()]
    return [path for path in paths if path.is_file()]


def _locate(path: Path, located: dict[str, _Location], problems: list[str]) -> None:
    """Note where each tensor of one file lies; the header is checked by the safetensors library."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as checked:
            checked.keys()
        with path.open("rb") as file:
            length_bytes = int.from_bytes(file.read(_HEADER_LENGTH_BYTES), "little")
            header = json.loads(file.read(length_bytes))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} is not a whole safetensors file ({error}); download it again")
        return
    for stored, name, entry in _entries(header):
        if name in located:
            problems.append(
                f"{path.name}: {stored} is there twice, with and without {_PREFIX!r} or in two shards"
            )
        located[name] = _Location(
            path,
            _HEADER_LENGTH_BYTES + length_bytes + entry["data_offsets"][0],
            entry["dtype"],
            tuple(entry["shape"]),
        )


def _entries(header: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for stored, entry in header.items():
        if stored != "__metadata__" and not stored.removeprefix(_PREFIX).startswith(IGNORED_PREFIXES):
            yield stored, stored.removeprefix(_PREFIX), entry


def _tensor_problems(config: AlbertConfig, located: Mapping[str, _Location]) -> list[str]:
    expected = checkpoint_shapes(config)
    missing = [f"{name} {list(shape)} is missing" for name, shape in expected.items() if name not in located]
    surplus = [
        f"{name} {list(location.shape)} is there, which this config.json has no place for"
        for name, location in located.items()
        if name not in expected
    ]
    wrong = []
    for name, shape in expected.items():
        location = located.get(name)
        if location is None:
            continue
        if location.shape != shape:
            wrong.append(f"{name} has shape {list(location.shape)}, config.json asks for {list(shape)}")
        if location.dtype not in _DTYPES:
            wrong.append(f"{name} has dtype {location.dtype}, expected one of {', '.join(_DTYPES)}")
    return [*_shortened(missing), *_shortened(surplus), *_shortened(wrong)]


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _MOST_LISTED:
        return lines
    return [*lines[:_MOST_LISTED], f"... and {len(lines) - _MOST_LISTED} more of this kind"]
