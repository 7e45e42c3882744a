"""Where a model folder keeps its vocabulary and its tokenizer options.

It knows file names and ``tokenizer_config.json``, not what a vocabulary holds.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Final

from sparkalbert.bundle.folder import TOKENIZER_CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.errors import CheckpointError, ConfigError, ModelNotFoundError, problem_list
from sparkalbert.text.normalization import NormalizationOptions

__all__ = ["VOCABULARY_FILE", "read_options", "vocabulary_path"]

_WORDPIECE_FILE: Final = "vocab.txt"


def vocabulary_path(path: Path) -> Path:
    """Return the SentencePiece file of a model folder, or `path` itself when it is a file.

    A bundle and a Hugging Face checkpoint keep it at the top, a Spark NLP import folder in ``assets``.

    Raises
    ------
    ModelNotFoundError
        When there is none.
    CheckpointError
        When there is a WordPiece vocabulary (``vocab.txt``) instead.
    """
    if path.is_file() and path.name != _WORDPIECE_FILE:
        return path
    for candidate in (path / VOCABULARY_FILE, path / "assets" / VOCABULARY_FILE):
        if candidate.is_file():
            return candidate
    wordpiece = path if path.is_file() else path / _WORDPIECE_FILE
    if wordpiece.is_file():
        msg = (
            f"{wordpiece} is a WordPiece vocabulary, which sparkalbert does not support; "
            f"expected a checkpoint with a SentencePiece vocabulary ({VOCABULARY_FILE})."
        )
        raise CheckpointError(msg)
    found = "the folder has neither" if path.is_dir() else "there is no such file or folder"
    msg = (
        f"No tokenizer at {path}: expected {VOCABULARY_FILE} or assets/{VOCABULARY_FILE}, but {found}; "
        f"copy the checkpoint's {VOCABULARY_FILE} there (tokenizer.json is not enough)."
    )
    raise ModelNotFoundError(msg)


def read_options(*folders: Path) -> NormalizationOptions:
    """Return the options in the first folder that has a ``tokenizer_config.json``.

    Unknown keys are ignored, missing ones take the defaults of ``transformers.AlbertTokenizer``, and
    so does everything when there is no such file: the Hub's own files name none of them.

    Raises
    ------
    ConfigError
        When the file is no JSON object or an option is not a boolean; every problem is listed.
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
        msg = f"{config} holds a JSON {type(values).__name__}, expected an object."
        raise ConfigError(msg)
    # Hugging Face has no key for the quote step.
    names = [field.name for field in fields(NormalizationOptions) if field.name != "replace_quotes"]
    known = {name: values[name] for name in names if name in values}
    problems = [
        f"{name} is {value!r}, expected true or false"
        for name, value in known.items()
        if not isinstance(value, bool)
    ]
    if problems:
        raise ConfigError(problem_list(str(config), problems))
    return NormalizationOptions(**known)
