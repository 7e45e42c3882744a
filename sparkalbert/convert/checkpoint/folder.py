"""A folder with the weights of an ALBERT, checked as a whole and read one tensor at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.files import (
    GOOGLE_CONFIG_FILE,
    WeightFiles,
    WeightsFormat,
    config_path,
    weight_files,
)
from sparkalbert.convert.checkpoint.hdf5_file import hdf5_tensors
from sparkalbert.convert.checkpoint.naming import (
    from_google,
    from_keras,
    from_pytorch,
    split_prefix,
    without_heads,
)
from sparkalbert.convert.checkpoint.safetensors_file import safetensors_tensors
from sparkalbert.convert.checkpoint.stored import FLOATS, StoredTensor
from sparkalbert.convert.checkpoint.tensorflow_checkpoint import tensorflow_tensors
from sparkalbert.convert.checkpoint.torch_file import torch_tensors
from sparkalbert.convert.weights.names import IGNORED_PREFIXES, checkpoint_shapes
from sparkalbert.errors import (
    CheckpointError,
    ConfigError,
    ModelNotFoundError,
    listed_problems,
    problem_list,
)
from sparkalbert.storage.file_state import FileState
from sparkalbert.storage.paths import is_folder, with_home
from sparkalbert.storage.reading import wrap_unreadable
from sparkalbert.text import PieceTokenizer
from sparkalbert.text.pieces.files import LFS_POINTER
from sparkalbert.text.pieces.options import NOTHING_GIVEN, PieceOptions

__all__ = ["Checkpoint", "read_config", "read_tokenizer"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_Names = Callable[[Mapping[str, StoredTensor]], dict[str, StoredTensor]]
_READERS: Final[Mapping[WeightsFormat, tuple[Callable[[Path], dict[str, StoredTensor]], _Names]]] = {
    "safetensors": (safetensors_tensors, from_pytorch),
    "torch": (torch_tensors, from_pytorch),
    "hdf5": (hdf5_tensors, from_keras),
    "tensorflow": (tensorflow_tensors, from_google),
}
_MODEL: Final = ("embeddings.", "encoder.")
"""What hidden states depend on."""

_MAX_LISTED: Final = 3
_VALUES_PER_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder that can be converted.

    Use :meth:`open`, which checks names, shapes and number formats without reading a tensor.

    Attributes
    ----------
    folder
        The folder.
    config
        Its ``config.json``, or Google's ``albert_config.json``.
    weights
        Name of the file that the weights are read from; for shards, that of their index.
    tokenizer
        Its tokenizer. Whether the vocabulary agrees with options that nobody states is not checked yet, see
        :meth:`sparkalbert.text.PieceTokenizer.check_vocabulary`.
    """

    folder: Path
    config: AlbertConfig
    weights: str
    tokenizer: PieceTokenizer
    _tensors: Mapping[str, StoredTensor]
    _states: Mapping[Path, FileState]

    @classmethod
    def open(cls, folder: str | Path, given: PieceOptions = NOTHING_GIVEN) -> Checkpoint:
        """Open a checkpoint folder.

        Parameters
        ----------
        folder
            A folder with ``config.json``, a vocabulary (``spiece.model``, ``tokenizer.json`` or ``vocab.txt``) and
            weights, see :mod:`sparkalbert.convert.checkpoint.files`; ``tokenizer_config.json`` is optional.
        given
            Options of the tokenizer that the caller states.

        Raises
        ------
        CheckpointError
            If the folder cannot be converted; the message lists every problem. If the folder or a file in it cannot be
            read.
        MissingDependencyError
            If the weights are in an HDF5 file and h5py is not installed.
        """
        path = Path(with_home(os.fspath(folder)))
        if not is_folder(path):
            msg = f"{path} is not a folder, expected a Hugging Face checkpoint with config.json."
            raise CheckpointError(msg)
        with wrap_unreadable(path):
            return cls._open(path, given)

    @classmethod
    def _open(cls, path: Path, given: PieceOptions) -> Checkpoint:
        problems: list[str] = []
        config: AlbertConfig | None = None
        try:
            config = read_config(path)
        except ConfigError as error:
            problems += listed_problems(error)
        tokenizer = read_tokenizer(path, config, given, problems)
        weights = weight_files(path, problems)
        # Before the headers are read, so that a later write shows.
        states = {file: FileState.of(file) for file in weights.files} if weights else {}
        stored = _stored(weights, problems) if weights else None
        tensors = {} if config is None or stored is None else _of_model(config, stored, problems)
        if problems or config is None or tokenizer is None or weights is None:
            raise CheckpointError(problem_list(f"The checkpoint {path}", problems))
        return cls(path, config, weights.name, tokenizer, tensors, states)

    def tensor(self, name: str) -> Float32Array:
        """Return one tensor as float32. It is read from the file each time.

        Parameters
        ----------
        name
            Its name without a prefix.

        Raises
        ------
        CheckpointError
            If the tensor holds infinities or NaN, or the file cannot be read or has changed since it was opened.
        """
        values = self._read(name)
        if not _is_finite(values):
            raise CheckpointError(self._not_finite([name]))
        return values

    def check_values(self) -> Checkpoint:
        """Read every required tensor once and return the checkpoint itself.

        Raises
        ------
        CheckpointError
            If tensors hold infinities or NaN; the message names all of them. If a file cannot be read or has changed
            since it was opened.
        """
        names = [name for name in checkpoint_shapes(self.config) if not _is_finite(self._read(name))]
        if names:
            raise CheckpointError(self._not_finite(names))
        return self

    def _read(self, name: str) -> Float32Array:
        tensor = self._tensors[name]
        values = tensor.read()
        opened = self._states.get(tensor.path)
        with wrap_unreadable(tensor.path):
            now = FileState.of(tensor.path)
        if now != opened:  # the tensors may be those of two models
            msg = (
                f"{tensor.path} changed after the checkpoint was opened, expected one file for all of its tensors. "
                "Convert or verify the checkpoint again when nothing writes to it."
            )
            raise CheckpointError(msg)
        return values

    def _not_finite(self, names: list[str]) -> str:
        advice = "it holds NaN or infinity; download the checkpoint again, or check its training"
        return problem_list(f"The checkpoint {self.folder}", [f"{name}: {advice}" for name in names])


def read_tokenizer(
    folder: Path, config: AlbertConfig | None, given: PieceOptions, problems: list[str]
) -> PieceTokenizer | None:
    """Return the tokenizer of a folder, None if it cannot be loaded.

    Parameters
    ----------
    folder
        The folder.
    config
        Shape of the model, if it is known. The embedding table may have more rows than the vocabulary has pieces, but
        not fewer.
    given
        Options of the tokenizer that the caller states.
    problems
        One line is appended for each reason why the tokenizer cannot be loaded or does not fit the model.
    """
    try:
        tokenizer = PieceTokenizer.load(folder, **given.stated)
    except (CheckpointError, ConfigError, ModelNotFoundError) as error:
        problems += listed_problems(error)
        return None
    if config is not None and tokenizer.vocabulary_size > config.vocab_size:
        problems.append(
            f"{tokenizer.record.source} has {tokenizer.vocabulary_size} pieces, but {CONFIG_FILE} has vocab_size "
            f"{config.vocab_size}; they belong to different models"
        )
    return tokenizer


def _is_finite(values: Float32Array) -> bool:
    """Check block by block, because a mask of the whole tensor would need memory of its size."""
    flat = values.reshape(-1)
    starts = range(0, flat.size, _VALUES_PER_BLOCK)
    return all(bool(np.isfinite(flat[start : start + _VALUES_PER_BLOCK]).all()) for start in starts)


def read_config(folder: Path) -> AlbertConfig:
    """Read the configuration of a folder.

    In Google's own code, and so in its ``albert_config.json``, ``gelu`` is the tanh approximation, which Hugging
    Face calls ``gelu_new``.
    """
    path = config_path(folder)
    config = AlbertConfig.from_file(path)
    if path.name == GOOGLE_CONFIG_FILE and config.hidden_act == "gelu":
        _LOGGER.info("%s has hidden_act gelu, in Google's code the tanh approximation: gelu_new is used", path)
        return replace(config, hidden_act="gelu_new")
    return config


def _stored(weights: WeightFiles, problems: list[str]) -> dict[str, StoredTensor] | None:
    """Return the tensors of all parts, heads left out, under their names in PyTorch; problems are appended.

    None if there is no part, or if a part cannot be read: which tensors are missing is then unknown.
    """
    read, rename = _READERS[weights.format]
    tensors: dict[str, StoredTensor] = {}
    is_complete = bool(weights.parts)
    for path in weights.parts:
        try:
            with wrap_unreadable(path), path.open("rb") as file:
                if file.read(len(LFS_POINTER)) == LFS_POINTER:
                    problems.append(f"{path.name} is a pointer of Git LFS; download the file itself (git lfs pull)")
                    is_complete = False
                    continue
            found = without_heads(rename(read(path)))
        except CheckpointError as error:
            problems.append(str(error))
            is_complete = False
            continue
        problems += [f"{path.name}: {name} is in another shard, too" for name in found if name in tensors]
        tensors |= found
    return tensors if is_complete else None


def _of_model(config: AlbertConfig, stored: Mapping[str, StoredTensor], problems: list[str]) -> dict[str, StoredTensor]:
    """Return the tensors of the model without their prefix; problems are appended."""
    expected = checkpoint_shapes(config)
    prefixes = split_prefix(stored, expected)
    if len(prefixes) != 1:
        problems.append(_prefix_problem(prefixes, stored, expected))
        return {}
    (prefix,) = prefixes
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in stored.items()
        if name.startswith(tuple(prefix + part for part in _MODEL))
        and not name.removeprefix(prefix).startswith(IGNORED_PREFIXES)
    }
    missing = [f"{prefix}{name} {list(shape)} is missing" for name, shape in expected.items() if name not in tensors]
    surplus = [
        f"{prefix}{name} {list(tensor.checkpoint_shape)} is not a tensor of the model that config.json describes"
        for name, tensor in tensors.items()
        if name not in expected
    ]
    wrong = []
    for name, shape in expected.items():
        tensor = tensors.get(name)
        if tensor is None:
            continue
        if tensor.checkpoint_shape != shape:
            wrong.append(
                f"{prefix}{name} has shape {list(tensor.checkpoint_shape)}, config.json requires {list(shape)}"
            )
        if tensor.dtype not in FLOATS:
            wrong.append(f"{prefix}{name} has dtype {tensor.dtype}, expected one of {', '.join(FLOATS)}")
    found = f"{prefixes[prefix]} of {len(expected)} tensors were found, with the prefix {prefix!r}"
    problems += [*_shortened(missing, found), *_shortened(surplus), *_shortened(wrong)]
    return tensors


def _prefix_problem(
    prefixes: Mapping[str, int], stored: Mapping[str, StoredTensor], expected: Mapping[str, object]
) -> str:
    if prefixes:
        found = " and ".join(f"{prefix!r} ({count} of {len(expected)})" for prefix, count in prefixes.items())
        return f"tensors of an ALBERT appear under the prefixes {found}; keep those of one model"
    names = ", ".join(sorted(stored)[:_MAX_LISTED])
    found = f"none of its {len(stored)} tensors ({names} ...) has" if stored else "no tensor, task heads left out, has"
    return (
        f"{found} the name of an ALBERT's tensor; expected {next(iter(expected))} and {len(expected) - 1} more, with "
        "or without a prefix"
    )


def _shortened(lines: list[str], summary: str = "") -> list[str]:
    if len(lines) <= _MAX_LISTED:
        return lines
    more = f"... and {len(lines) - _MAX_LISTED} more of this kind"
    return [*lines[:_MAX_LISTED], f"{more}; {summary}" if summary else more]
