"""Checks against a vocabulary whether the options of its tokenizer can be right.

A vocabulary was trained on normalized text. If many of its pieces could never come out of the normalization, the
options are those of another model: lower-casing and dropping accents can never produce 785 of the 2,600 pieces of a
cased vocabulary, but can produce all 30,000 of Google's uncased vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Final, Protocol

from sparkalbert.errors import ConfigError
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.sentence_pieces import TOKEN_UNCHANGED

__all__ = ["check_options"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_MAX_SHARE: Final = 0.01
"""Vocabularies hold a few pieces that come from elsewhere, such as symbols that were added by hand."""

_MAX_EXAMPLES: Final = 5
_CHANGES: Final = {"do_lower_case": True, "keep_accents": False}
"""The value with which an option changes the letters of a text."""


class _Vocabulary(Protocol):
    options: NormalizationOptions

    def texts(self) -> dict[str, str]:
        """Return the text that each ordinary piece spells, by piece."""

    def normalized(self, text: str, options: NormalizationOptions) -> str:
        """Return a text without spaces as the model's normalization leaves it, with other options."""


def check_options(vocabulary: _Vocabulary, unstated: Sequence[str], source: str, *, only_warn: bool) -> str:
    """Check options that neither the caller nor a file states.

    Parameters
    ----------
    vocabulary
        The vocabulary with its options.
    unstated
        The options to check.
    source
        The name of the vocabulary in messages.
    only_warn
        If true, a contradiction is logged as a warning.

    Returns
    -------
    str
        The warning; empty if there is none.

    Raises
    ------
    ConfigError
        If more than one piece in a hundred can never be produced; the message names the options to pass.
    """
    chosen = asdict(vocabulary.options)
    suspects = [name for name, value in _CHANGES.items() if name in unstated and chosen[name] == value]
    texts = vocabulary.texts()
    wrong = {}
    for name in suspects:
        found = _unproducible(vocabulary, texts, replace(TOKEN_UNCHANGED, **{name: _CHANGES[name]}))
        if len(found) > _MAX_SHARE * len(texts):
            wrong[name] = found
    if not wrong:
        return ""
    examples = next(iter(wrong.values()))
    defaults = ", ".join(f"{name}={_CHANGES[name]}" for name in wrong)
    others = ", ".join(f"{name}={not _CHANGES[name]}" for name in wrong)
    shown = ", ".join(map(repr, examples[:_MAX_EXAMPLES]))
    msg = (
        f"No file states {' and '.join(wrong)} of {source}. With Hugging Face's default, {defaults}, {len(examples)} "
        f"of its {len(texts)} pieces can never be produced ({shown}), so it is probably wrong. Pass {others} if the "
        f"model was trained on such text, or {defaults} to embed as transformers does."
    )
    if not only_warn:
        raise ConfigError(msg)
    _LOGGER.warning("%s", msg)
    return msg


def _unproducible(vocabulary: _Vocabulary, texts: dict[str, str], options: NormalizationOptions) -> list[str]:
    return [piece for piece, text in texts.items() if vocabulary.normalized(text, options) != text]
