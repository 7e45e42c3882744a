"""ALBERT's text normalization, with a map from every character back to the raw text.

The rule is that of google-research/albert ``tokenization.py`` (``preprocess_text``) and of the slow
``AlbertTokenizer`` of transformers 3 and 4, which adds the quote step: collapse whitespace, turn
double backticks and double apostrophes into ``"``, decompose (NFKD) and drop combining marks, lower-case.
What sentencepiece itself normalizes comes later and is not known here.

Every step takes linear time. A text whose characters keep their places carries no map at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sparkalbert.errors import TextError

__all__ = ["NormalizationOptions", "NormalizedText", "check_unicode", "normalize"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NormalizationOptions:
    """Which steps :func:`normalize` takes; the defaults are those of ``transformers.AlbertTokenizer``.

    The first three are keys of a Hugging Face ``tokenizer_config.json``.

    Parameters
    ----------
    do_lower_case
        Lower-case the text.
    keep_accents
        Leave the text composed; otherwise decompose it (NFKD) and drop combining marks.
    remove_space
        Collapse every run of whitespace to one space and strip both ends.
    replace_quotes
        Turn double backticks and double apostrophes into ``"``. Google's own tokenizer does not.
    """

    do_lower_case: bool = True
    keep_accents: bool = False
    remove_space: bool = True
    replace_quotes: bool = True


class NormalizedText(NamedTuple):
    """A normalized text and where its characters come from.

    Attributes
    ----------
    text
        The normalized text.
    starts, stops
        Character ``i`` of `text` comes from ``raw[starts[i]:stops[i]]``: int64 ``[len(text)]``, both
        non-decreasing. None when character ``i`` comes from character ``i``.
    """

    text: str
    starts: IntArray | None = None
    stops: IntArray | None = None


class _Step(NamedTuple):
    """One step's text; new character ``i`` comes from old ``firsts[i]`` to ``lasts[i]``, both included."""

    text: str
    firsts: IntArray | None = None
    lasts: IntArray | None = None


def normalize(text: str, options: NormalizationOptions) -> NormalizedText:
    """Return the normalized text with its map to `text`.

    Raises
    ------
    TextError
        When `text` holds a lone surrogate; the message gives its position.

    Examples
    --------
    >>> normalize("  Café", NormalizationOptions()).text
    'cafe'
    >>> normalize("  Café", NormalizationOptions()).starts.tolist()
    [2, 3, 4, 5]
    """
    check_unicode(text)
    starts: IntArray | None = None
    stops: IntArray | None = None
    current = text
    for applies, step in (
        (options.remove_space, _collapse_spaces),
        (options.replace_quotes, _replace_quotes),
        (not options.keep_accents, _strip_accents),
        (options.do_lower_case, _lower),
    ):
        if not applies:
            continue
        current, firsts, lasts = step(current)
        if firsts is not None and lasts is not None:
            starts = firsts if starts is None else starts[firsts]
            stops = lasts + 1 if stops is None else stops[lasts]
    return NormalizedText(current, starts, stops)


def check_unicode(text: str) -> None:
    """Pass silently when `text` can be written as UTF-8.

    Raises
    ------
    TextError
        When `text` holds a lone surrogate; the message gives its position, never the text.
    """
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        msg = (
            f"The text holds a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start} "
            f"of {len(text)}, so it is not valid Unicode; decode the source with errors='replace'."
        )
        raise TextError(msg) from None


WHITESPACE: Final = frozenset(code for code in range(0x3001) if chr(code).isspace())
"""The code points ``str.split`` splits at; none lies beyond U+3000."""

_WHITESPACE_CODES: Final = np.array(sorted(WHITESPACE), dtype=np.uint32)


def _collapse_spaces(text: str) -> _Step:
    collapsed = " ".join(text.split())
    # Every dropped character shortens the text, so equal lengths mean that each kept its place.
    if len(collapsed) == len(text):
        return _Step(collapsed)
    is_space = np.isin(_codes(text), _WHITESPACE_CODES)
    follows_space = np.concatenate([[True], is_space[:-1]])
    kept = np.flatnonzero(~(is_space & follows_space))[: len(collapsed)]
    return _Step(collapsed, kept, kept)


_QUOTES: Final = re.compile("``|''")


def _replace_quotes(text: str) -> _Step:
    if "``" not in text and "''" not in text:
        return _Step(text)
    seconds = np.array([match.start() + 1 for match in _QUOTES.finditer(text)], dtype=np.int64)
    kept = np.ones(len(text), dtype=bool)
    kept[seconds] = False
    firsts = np.flatnonzero(kept)
    is_quote = np.zeros(len(text), dtype=np.int64)
    is_quote[seconds - 1] = 1
    return _Step(_QUOTES.sub('"', text), firsts, firsts + is_quote[firsts])


class _Decompositions(dict[int, str]):
    """What stands for each character after NFKD without combining marks, filled as characters are met.

    Decomposing character by character is exact: NFKD reorders combining marks only, and they are
    dropped. It is also linear, while NFKD of a long run of marks is not.
    """

    def __missing__(self, code: int) -> str:
        decomposed = unicodedata.normalize("NFKD", chr(code))
        kept = "".join(character for character in decomposed if not unicodedata.combining(character))
        self[code] = kept
        return kept


_DECOMPOSITIONS: Final = _Decompositions()
_LAST_ASCII: Final = 0x7F


def _strip_accents(text: str) -> _Step:
    if text.isascii():
        return _Step(text)
    beyond_ascii = [code for code in map(ord, set(text)) if code > _LAST_ASCII]
    changed = {code: kept for code in beyond_ascii if (kept := _DECOMPOSITIONS[code]) != chr(code)}
    if not changed:
        return _Step(text)
    stripped = text.translate(changed)
    if all(len(kept) == 1 for kept in changed.values()):
        return _Step(stripped)
    sources = _sources(text, lambda character: len(_DECOMPOSITIONS[ord(character)]))
    return _Step(stripped, sources, sources)


def _lower(text: str) -> _Step:
    lowered = text.lower()
    # Lower-casing never drops a character, so equal lengths mean that each kept its place.
    if len(lowered) == len(text):
        return _Step(lowered)
    sources = _sources(text, lambda character: len(character.lower()))
    return _Step(lowered, sources, sources)


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def _sources(text: str, width_of: Callable[[str], int]) -> IntArray:
    """Return, for each character a step made, the index of the character of `text` it made it from."""
    codes, inverse = np.unique(_codes(text), return_inverse=True)
    widths = np.array([width_of(chr(code)) for code in codes], dtype=np.int64)
    return np.repeat(np.arange(len(text)), widths[inverse])
