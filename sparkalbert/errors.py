"""The errors of sparkalbert: one tree, and each error is also the built-in error that a caller would expect.

::

    SparkAlbertError
    ├── ConfigError (ValueError)             config.json or tokenizer_config.json does not describe an ALBERT
    ├── CheckpointError (ValueError)         a checkpoint folder cannot be converted
    ├── BundleError (ValueError)             a bundle folder is damaged, incomplete or too new
    ├── VerificationError (ValueError)       a bundle computes other numbers than its weights require
    ├── ModelNotFoundError (LookupError)     there is no model of that name or path
    ├── DownloadError (OSError)              a model cannot be downloaded
    ├── InputError (OSError)                 texts cannot be read
    ├── OutputError (OSError)                a result cannot be written
    ├── TextError (ValueError)               a text is not valid Unicode
    ├── ParamError (ValueError)              a Param or option has an invalid value
    ├── ParamTypeError (TypeError)           a Param or option has a value of the wrong type
    ├── ColumnError (ValueError)             a DataFrame column is missing or of the wrong type
    ├── InferenceError (RuntimeError)        the engine failed while computing
    └── MissingDependencyError (ImportError) an optional package is not installed

A message states what was expected, what was found and what to do about it. It never contains the user's text; it gives
a position instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = [
    "BundleError",
    "CheckpointError",
    "ColumnError",
    "ConfigError",
    "DownloadError",
    "InferenceError",
    "InputError",
    "MissingDependencyError",
    "ModelNotFoundError",
    "OutputError",
    "ParamError",
    "ParamTypeError",
    "SparkAlbertError",
    "TextError",
    "VerificationError",
]


class SparkAlbertError(Exception):
    """Root of every error that sparkalbert raises on purpose."""


class ConfigError(SparkAlbertError, ValueError):
    """A configuration file does not describe an ALBERT; the message lists every problem."""


class CheckpointError(SparkAlbertError, ValueError):
    """A checkpoint folder cannot be converted; the message lists every problem."""


class BundleError(SparkAlbertError, ValueError):
    """A bundle folder is damaged, incomplete or written by a newer sparkalbert."""


class VerificationError(SparkAlbertError, ValueError):
    """A bundle computes other numbers than an independent forward pass over its weights."""


class ModelNotFoundError(SparkAlbertError, LookupError):
    """There is no model of that name or path; the message lists the known names."""


class DownloadError(SparkAlbertError, OSError):
    """A model cannot be downloaded: no network, offline mode, a refusal of the Hub, or a damaged file."""


class InputError(SparkAlbertError, OSError):
    """Texts cannot be read: the path does not exist, or its format or a column is not the one that was named."""


class OutputError(SparkAlbertError, OSError):
    """A result cannot be written; nothing was overwritten."""


class TextError(SparkAlbertError, ValueError):
    """A text is not valid Unicode, for instance because it contains a lone surrogate."""


class ParamError(SparkAlbertError, ValueError):
    """A Param or option has an invalid value; the message names it and the valid values."""


class ParamTypeError(SparkAlbertError, TypeError):
    """A Param or option has a value of the wrong type."""


class ColumnError(SparkAlbertError, ValueError):
    """A DataFrame column is missing or of the wrong type; the message lists the columns found."""


class InferenceError(SparkAlbertError, RuntimeError):
    """The engine failed while computing; the message names the model, never the text."""


class MissingDependencyError(SparkAlbertError, ImportError):
    """An optional package is not installed; the message gives the command that installs it."""


_BULLET = "\n  - "


def problem_list(subject: str, problems: Sequence[str]) -> str:
    """Join every problem found into one message.

    Examples
    --------
    >>> print(problem_list("config.json", ["hidden_size is 0", "hidden_act is missing"]))
    config.json has 2 problems:
      - hidden_size is 0
      - hidden_act is missing
    """
    noun = "problem" if len(problems) == 1 else "problems"
    return _BULLET.join([f"{subject} has {len(problems)} {noun}:", *problems])


def listed_problems(error: SparkAlbertError) -> list[str]:
    """Return the problems that :func:`problem_list` joined, each with its subject; any other message is one problem.

    Examples
    --------
    >>> listed_problems(ConfigError(problem_list("config.json", ["hidden_size is 0"])))
    ['config.json: hidden_size is 0']
    """
    message = str(error)
    heading, *problems = message.split(_BULLET)
    found = re.fullmatch(r"(.*) has \d+ problems?:", heading, re.DOTALL)
    return [message] if found is None else [f"{found[1]}: {problem}" for problem in problems]
