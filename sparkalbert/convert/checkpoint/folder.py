"""A Hugging Face ALBERT folder, checked as a whole and read one tensor at a time.

Only safetensors is read: a ``pytorch_model.bin`` is a pickle, which can run any code of its author when it is
opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.files import weight_files
from sparkalbert.convert.weights.names import IGNORED_PREFIXES, checkpoint_shapes
from sparkalbert.errors import (
    CheckpointError,
    ConfigError,
    ModelNotFoundError,
    SparkAlbertError,
    problem_list,
)
from sparkalbert.text import PieceTokenizer

__all__ = ["Checkpoint", "vocabulary_problems"]

_PREFIX: Final = "albert."
_DTYPES: Final[Mapping[str, str]] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_HEADER_LENGTH_BYTES: Final = 8
_MAX_LISTED: Final = 50
_VALUES_PER_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class _Location:
    """The position of one tensor in its file, from the file's header."""

    path: Path
    offset_bytes: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder that can be converted.

    Use :meth:`open`, which checks names, shapes and number formats without reading a tensor.

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
            A folder with ``config.json``, ``spiece.model`` and ``model.safetensors`` (or the shards that
            ``model.safetensors.index.json`` names); ``tokenizer_config.json`` is optional.

        Raises
        ------
        CheckpointError
            If the folder cannot be converted; the message lists every problem.
        """
        path = Path(folder)
        if not path.is_dir():
            msg = f"{path} is not a folder, expected a Hugging Face checkpoint with config.json."
            raise CheckpointError(msg)
        problems: list[str] = []
        config: AlbertConfig | None = None
        try:
            config = AlbertConfig.from_file(path / CONFIG_FILE)
        except ConfigError as error:
            problems += _problems_of(error)
        problems += vocabulary_problems(path, config)
        locations: dict[str, _Location] = {}
        for file in weight_files(path, problems):
            _read_header(file, locations, problems)
        if config is not None and locations:
            problems += _tensor_problems(config, locations)
        if problems or config is None:
            raise CheckpointError(problem_list(f"The checkpoint {path}", problems))
        return cls(path, config, locations)

    def tensor(self, name: str) -> Float32Array:
        """Return one tensor as float32. It is read from the file each time.

        Parameters
        ----------
        name
            Its name without the ``albert.`` prefix.

        Raises
        ------
        CheckpointError
            If the tensor holds infinities or NaN, or the file has changed since it was opened.
        """
        values = _read(self._locations[name])
        if not _is_finite(values):
            raise CheckpointError(self._not_finite([name]))
        return values

    def check_values(self) -> Checkpoint:
        """Read every required tensor once and return the checkpoint itself.

        Raises
        ------
        CheckpointError
            If tensors hold infinities or NaN; the message names all of them.
        """
        names = [name for name in checkpoint_shapes(self.config) if not _is_finite(_read(self._locations[name]))]
        if names:
            raise CheckpointError(self._not_finite(names))
        return self

    def _not_finite(self, names: list[str]) -> str:
        advice = "it holds NaN or infinity; download the checkpoint again, or check its training"
        return problem_list(f"The checkpoint {self.folder}", [f"{name}: {advice}" for name in names])


def vocabulary_problems(folder: Path, config: AlbertConfig | None) -> list[str]:
    """Return why the tokenizer of a folder does not fit its model, one line per problem.

    A table of embeddings may have rows for which no file has a piece, but not the other way round.
    """
    try:
        tokenizer = PieceTokenizer.load(folder)
    except (CheckpointError, ConfigError, ModelNotFoundError) as error:
        return _problems_of(error)
    if config is not None and tokenizer.vocabulary_size > config.vocab_size:
        problem = (
            f"{tokenizer.record.source} has {tokenizer.vocabulary_size} pieces, but {CONFIG_FILE} has vocab_size "
            f"{config.vocab_size}; they belong to different models"
        )
        return [problem]
    return []


def _is_finite(values: Float32Array) -> bool:
    """Check block by block, because a mask of the whole tensor would need memory of its size."""
    flat = values.reshape(-1)
    starts = range(0, flat.size, _VALUES_PER_BLOCK)
    return all(bool(np.isfinite(flat[start : start + _VALUES_PER_BLOCK]).all()) for start in starts)


def _read(location: _Location) -> Float32Array:
    count = int(np.prod(location.shape, dtype=np.int64))
    with location.path.open("rb") as file:
        file.seek(location.offset_bytes)
        values = np.fromfile(file, dtype=_DTYPES[location.dtype], count=count)
    if values.size != count:
        msg = f"{location.path} became shorter while it was read. Copy the checkpoint again."
        raise CheckpointError(msg)
    if location.dtype == "BF16":
        # bfloat16 is the upper half of a float32.
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32, copy=False).reshape(location.shape)


def _problems_of(error: SparkAlbertError) -> list[str]:
    """Return the lines of an error's list of problems."""
    first, *problems = str(error).splitlines()
    subject = first.partition(" has ")[0]
    return [f"{subject}: {line.removeprefix('  - ')}" for line in problems] or [first]


def _read_header(path: Path, locations: dict[str, _Location], problems: list[str]) -> None:
    """Add the location of each tensor of one file; the safetensors library checks the header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as checked:
            checked.keys()
        with path.open("rb") as file:
            length_bytes = int.from_bytes(file.read(_HEADER_LENGTH_BYTES), "little")
            header = json.loads(file.read(length_bytes))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} is not a complete safetensors file ({error}); download it again")
        return
    for stored, name, entry in _entries(header):
        if name in locations:
            problems.append(
                f"{path.name}: {stored} appears twice, with and without the prefix {_PREFIX!r} or in two shards"
            )
        locations[name] = _Location(
            path,
            _HEADER_LENGTH_BYTES + length_bytes + entry["data_offsets"][0],
            entry["dtype"],
            tuple(entry["shape"]),
        )


def _entries(header: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for stored, entry in header.items():
        if stored != "__metadata__" and not stored.removeprefix(_PREFIX).startswith(IGNORED_PREFIXES):
            yield stored, stored.removeprefix(_PREFIX), entry


def _tensor_problems(config: AlbertConfig, locations: Mapping[str, _Location]) -> list[str]:
    expected = checkpoint_shapes(config)
    missing = [f"{name} {list(shape)} is missing" for name, shape in expected.items() if name not in locations]
    surplus = [
        f"{name} {list(location.shape)} is not a tensor of the model that config.json describes"
        for name, location in locations.items()
        if name not in expected
    ]
    wrong = []
    for name, shape in expected.items():
        location = locations.get(name)
        if location is None:
            continue
        if location.shape != shape:
            wrong.append(f"{name} has shape {list(location.shape)}, config.json requires {list(shape)}")
        if location.dtype not in _DTYPES:
            wrong.append(f"{name} has dtype {location.dtype}, expected one of {', '.join(_DTYPES)}")
    return [*_shortened(missing), *_shortened(surplus), *_shortened(wrong)]


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _MAX_LISTED:
        return lines
    return [*lines[:_MAX_LISTED], f"... and {len(lines) - _MAX_LISTED} more of this kind"]
