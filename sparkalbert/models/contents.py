"""Lists what a checkpoint folder contains and how a conversion would use it, without reading weights.

The rules, such as which file is read and which value an option has, are those of the conversion itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.files import checkpoint_files, config_path, weight_files
from sparkalbert.convert.checkpoint.folder import read_config, read_tokenizer
from sparkalbert.errors import ConfigError, MissingDependencyError, SparkAlbertError, listed_problems
from sparkalbert.text import PieceTokenizer
from sparkalbert.text.pieces.files import TOKENIZER_SETTINGS, find_tokenizer, tokenizer_files
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["Contents", "checkpoint_contents"]


@dataclass(frozen=True)
class Contents:
    """The contents of a checkpoint folder.

    Attributes
    ----------
    config
        Its configuration; None if that is missing or wrong.
    uses
        Each file that a conversion reads, by its path in the folder, and what it is used for: ``configuration``,
        ``weights``, ``vocabulary`` or ``tokenizer``.
    options
        Each option of the tokenizer, its value and where that comes from: the caller (``given``), a file, or Hugging
        Face's ``default``. Empty if something is wrong with the tokenizer or the configuration.
    problems
        Why the folder cannot be converted; empty if nothing is known to be wrong before the weights are read.
    warnings
        What is probably wrong, but does not prevent a conversion.
    """

    config: AlbertConfig | None
    uses: Mapping[str, str]
    options: Mapping[str, tuple[bool, str]]
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def at(self, source: str, outline: Path) -> Contents:
        """Return these contents with `source` in place of the path `outline` in the messages."""

        def renamed(messages: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(message.replace(str(outline), source) for message in messages)

        return replace(self, problems=renamed(self.problems), warnings=renamed(self.warnings))


def checkpoint_contents(folder: Path, given: PieceOptions) -> Contents:
    """Return what a checkpoint folder contains; every problem is listed, none is raised.

    Parameters
    ----------
    folder
        A folder whose configuration and tokenizer files are complete. The files of its weights may be empty.
    given
        Options of the tokenizer that the caller states.
    """
    problems: list[str] = []
    config = None
    try:
        config = read_config(folder)
    except ConfigError as error:
        problems += listed_problems(error)
    tokenizer = None
    try:
        tokenizer = read_tokenizer(folder, config, given, problems)
    except MissingDependencyError as error:
        problems.append(str(error))
    warnings: list[str] = []
    options = {} if problems or tokenizer is None else _options(tokenizer, problems, warnings)
    weight_files(folder, problems)
    return Contents(config, _uses(folder), options, tuple(problems), tuple(warnings))


def _options(tokenizer: PieceTokenizer, problems: list[str], warnings: list[str]) -> dict[str, tuple[bool, str]]:
    """Return the options of a tokenizer.

    If they contradict its vocabulary, a problem is appended, or a warning if transformers uses them, too.
    """
    try:
        tokenizer.check_vocabulary()
    except ConfigError as error:
        problems += listed_problems(error)
    warnings += [tokenizer.doubt] if tokenizer.doubt else []
    record = tokenizer.record
    return {name: (record.options[name], origin) for name, origin in record.origins.items()}


def _uses(folder: Path) -> dict[str, str]:
    tokenizer = set(tokenizer_files(folder))
    vocabulary: Path | None = None
    unread: set[Path] = set()
    try:
        found = find_tokenizer(folder)
        vocabulary = found.path
        unread = {path for path in tokenizer if path.name not in TOKENIZER_SETTINGS} - {vocabulary, found.other_words}
    except SparkAlbertError:
        pass  # what is wrong is among the problems
    uses = {}
    for path in checkpoint_files(folder):
        if path == vocabulary:
            use = "vocabulary"
        elif path in tokenizer:
            if path in unread:
                continue  # another vocabulary
            use = "tokenizer"
        else:
            use = "configuration" if path == config_path(folder) else "weights"
        uses[path.relative_to(folder).as_posix()] = use
    return uses
