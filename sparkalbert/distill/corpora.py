"""Cuts passages in any language into texts to learn from: sentences, and windows of several sentences."""

from __future__ import annotations

import logging
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from sparkalbert.errors import InputError
from sparkalbert.text import SentenceSplitter

__all__ = ["corpus_texts", "line_passages", "one_line", "seeded", "training_texts"]

_LOGGER: Final = logging.getLogger(__name__)
_MIN_WIDTH: Final = 15
_MAX_WIDTH: Final = 600
_MIN_LETTERS: Final = 0.7
_TOO_SHORT: Final = f"shorter than {_MIN_WIDTH} characters"
_TOO_LONG: Final = f"longer than {_MAX_WIDTH} characters"
_NOT_PROSE: Final = f"less than {_MIN_LETTERS:.0%} letters"
_SPACE: Final = re.compile(r"\s+")
_OTHER_ENDS: Final = re.compile(r"(?<=[。！？｡।॥؟۔။៕።])(?![」』”’）])\s*")  # noqa: RUF001 - they are meant
"""Where sentences end in scripts that :class:`~sparkalbert.text.SentenceSplitter` does not cover."""


def seeded(seed: int) -> random.Random:
    """Return a random number generator for samples."""
    return random.Random(seed)  # noqa: S311 - no secret depends on it


def corpus_texts(corpus: Sequence[Path], seed: int) -> list[str]:
    """Return the different texts of UTF-8 text files, one passage per line, in random order.

    Parameters
    ----------
    corpus
        The files.
    seed
        Seed of the order and of the windows.

    Raises
    ------
    InputError
        If a file does not exist or is not UTF-8.
    """
    texts: dict[str, None] = {}
    for path in corpus:
        if not path.is_file():
            msg = f"{path} is not a file, expected a UTF-8 text file of the corpus."
            raise InputError(msg)
        dropped: Counter[str] = Counter()
        before = len(texts)
        texts.update(dict.fromkeys(training_texts(line_passages(path), seed, dropped=dropped)))
        added = len(texts) - before
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "none"
        level = logging.WARNING if dropped.total() > added else logging.INFO
        _LOGGER.log(level, "%s: %d texts; dropped: %s", path, added, reasons)
    listed = list(texts)
    return [listed[index] for index in np.random.default_rng(seed).permutation(len(listed))]


def line_passages(path: Path) -> Iterator[str]:
    """Yield the non-empty lines of a UTF-8 text file.

    Raises
    ------
    InputError
        If the file is not UTF-8.
    """
    with path.open(encoding="utf-8-sig") as lines:
        try:
            for line in lines:
                if stripped := line.strip():
                    yield stripped
        except UnicodeDecodeError as error:
            msg = f"{path} is not UTF-8 text ({error.reason}). Convert it, for instance with iconv."
            raise InputError(msg) from error


def training_texts(
    passages: Iterable[str], seed: int, window_share: float = 0.15, dropped: Counter[str] | None = None
) -> Iterator[str]:
    """Yield the sentences of passages and, for a share of them, windows of two to four sentences.

    Texts that are shorter than 15 or longer than 600 characters, or less than 70 % letters, are dropped. Letters of
    every script count; characters as wide as two, such as Chinese characters, count as two.

    Parameters
    ----------
    passages
        Paragraphs, or other connected text.
    seed
        Decides where windows are.
    window_share
        Share of texts that are windows.
    dropped
        Counts the dropped texts by reason, if given.
    """
    dropped = Counter() if dropped is None else dropped
    choose = seeded(seed)
    splitter = SentenceSplitter()
    for passage in passages:
        parts = [part for start, stop in splitter.split(passage) for part in _OTHER_ENDS.split(passage[start:stop])]
        sentences = [one_line(part) for part in parts if part]
        position = 0
        while position < len(sentences):
            size = choose.randint(2, 4) if choose.random() < window_share else 1
            text = " ".join(sentences[position : position + size])
            position += size
            reason = _why_dropped(text)
            if reason is None:
                yield text
            else:
                dropped[reason] += 1


def one_line(text: str) -> str:
    r"""Return a text with every run of white space replaced by one space.

    Examples
    --------
    >>> one_line("  two\n lines ")
    'two lines'
    """
    return _SPACE.sub(" ", text).strip()


def _why_dropped(text: str) -> str | None:
    width = len(text) if text.isascii() else sum(map(_width, text))
    if width < _MIN_WIDTH:
        return _TOO_SHORT
    if width > _MAX_WIDTH:
        return _TOO_LONG
    return None if sum(map(_is_letter, text)) > _MIN_LETTERS * len(text) else _NOT_PROSE


def _width(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in {"F", "W"} else 1


def _is_letter(character: str) -> bool:
    """Return whether a character is a letter or belongs to one, such as a vowel sign of Hindi."""
    return character.isalpha() or unicodedata.category(character).startswith("M")
