"""Finds the vocabulary and the tokenizer options of a model folder."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Final

from sparkalbert.bundle.folder import TOKENIZER_CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.errors import CheckpointError, ConfigError, ModelNotFoundError, problem_list
from sparkalbert.text.pieces.normalization import NormalizationOptions

__all__ = ["VOCABULARY_FILE", "read_options", "tokenizer_files", "vocabulary_path"]

_WORDPIECE_FILE: Final = "vocab.txt"


def vocabulary_path(path: Path) -> Path:
    """Return the SentencePiece file of a model folder, or `path` itself if it is a file.

    In a bundle and a Hugging Face checkpoint it is at the top, in a Spark NLP import folder in ``assets``.

    Raises
    ------
    ModelNotFoundError
        If there is no vocabulary.
    CheckpointError
        If there is a WordPiece vocabulary (``vocab.txt``) instead.
    """
    if path.is_file() and path.name != _WORDPIECE_FILE:
        return path
    for candidate in (path / VOCABULARY_FILE, path / "assets" / VOCABULARY_FILE):
        if candidate.is_file():
            return candidate
    wordpiece = path if path.is_file() else path / _WORDPIECE_FILE
    if wordpiece.is_file():
        msg = (
            f"Expected a checkpoint with a SentencePiece vocabulary ({VOCABULARY_FILE}), "
            f"but {wordpiece} is a WordPiece vocabulary, which sparkalbert does not support."
        )
        raise CheckpointError(msg)
    found = "the folder contains neither" if path.is_dir() else "there is no such file or folder"
    msg = (
        f"Expected {VOCABULARY_FILE} or assets/{VOCABULARY_FILE} at {path}, but {found}. "
        f"Copy the checkpoint's {VOCABULARY_FILE} there (tokenizer.json is not enough)."
    )
    raise ModelNotFoundError(msg)


def tokenizer_files(folder: Path) -> list[Path]:
    """Return every existing file of a model folder that :meth:`.PieceTokenizer.load` reads."""
    names = (VOCABULARY_FILE, TOKENIZER_CONFIG_FILE)
    candidates = [place / name for place in (folder, folder / "assets") for name in names]
    return [path for path in candidates if path.is_file()]


def read_options(*folders: Path) -> NormalizationOptions:
    """Return the options in the first folder that has a ``tokenizer_config.json``.

    Unknown keys are ignored. Missing keys take the defaults of ``transformers.AlbertTokenizer``; without
    such a file all options do, because the checkpoints on the Hub set none of them.

    Raises
    ------
    ConfigError
        If the file is not a JSON object or an option is not a boolean; every problem is listed.
    """
    config = next((file for folder in folders if (file := folder / TOKENIZER_CONFIG_FILE).is_file()), None)
    if config is None:
        return NormalizationOptions()
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{config} is not valid JSON: {error}"
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        msg = f"{config} must contain a JSON object, got a {type(values).__name__}."
        raise ConfigError(msg)
    # Hugging Face has no key for the quote step.
    names = [field.name for field in fields(NormalizationOptions) if field.name != "replace_quotes"]
    known = {name: values[name] for name in names if name in values}
    problems = [
        f"{name} must be true or false, got {value!r}" for name, value in known.items() if not isinstance(value, bool)
    ]
    if problems:
        raise ConfigError(problem_list(str(config), problems))
    return NormalizationOptions(**known)
