"""Normalizes texts for ALBERT and maps every character of the result back to the raw text.

The rule is that of google-research/albert ``tokenization.py`` (``preprocess_text``) and of the slow
``AlbertTokenizer`` of transformers 3 and 4, which adds the quote step: collapse whitespace, turn double backticks
and double apostrophes into ``"``, decompose (NFKD) and drop combining marks, lower-case. The normalization inside
sentencepiece comes after it (see :mod:`sparkalbert.text.pieces.vocabulary`).

Every step takes linear time. There is no map if every character keeps its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparkalbert.arrays import Int64Array
from sparkalbert.errors import TextError

__all__ = ["NormalizationOptions", "NormalizedText", "check_unicode", "normalize"]


@dataclass(frozen=True)
class NormalizationOptions:
    """The steps that :func:`normalize` takes; the defaults are those of ``transformers.AlbertTokenizer``.

    The first three are keys of a Hugging Face ``tokenizer_config.json``.

    Parameters
    ----------
    do_lower_case
        If true, lower-case the text.
    keep_accents
        If false, decompose the text (NFKD) and drop combining marks.
    remove_space
        If true, collapse every run of whitespace to one space and strip both ends.
    replace_quotes
        If true, turn double backticks and double apostrophes into ``"``. Google's own tokenizer does not.
    """

    do_lower_case: bool = True
    keep_accents: bool = False
    remove_space: bool = True
    replace_quotes: bool = True


class NormalizedText(NamedTuple):
    """A normalized text and the places in the raw text that its characters come from.

    Attributes
    ----------
    text
        The normalized text.
    starts, stops
        Character ``i`` of `text` comes from ``raw[starts[i]:stops[i]]``: int64 ``[len(text)]``, both
        non-decreasing. None if character ``i`` comes from character ``i``.
    """

    text: str
    starts: Int64Array | None = None
    stops: Int64Array | None = None


class _Step(NamedTuple):
    """The text after a step; its character ``i`` comes from ``firsts[i]`` to ``lasts[i]``, both included."""

    text: str
    firsts: Int64Array | None = None
    lasts: Int64Array | None = None


def normalize(text: str, options: NormalizationOptions) -> NormalizedText:
    """Return the normalized text with its map to `text`.

    Raises
    ------
    TextError
        If `text` contains a lone surrogate; the message gives its position.

    Examples
    --------
    >>> normalize("  Café", NormalizationOptions()).text
    'cafe'
    >>> normalize("  Café", NormalizationOptions()).starts.tolist()
    [2, 3, 4, 5]
    """
    check_unicode(text)
    starts: Int64Array | None = None
    stops: Int64Array | None = None
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
    """Check that `text` can be encoded as UTF-8.

    Raises
    ------
    TextError
        If `text` contains a lone surrogate; the message gives its position, never the text.
    """
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        msg = (
            f"Expected valid Unicode, but the text contains a lone surrogate (U+{ord(text[error.start]):04X}) "
            f"at character {error.start} of {len(text)}. Decode the source with errors='replace'."
        )
        raise TextError(msg) from None


WHITESPACE: Final = frozenset(code for code in range(0x3001) if chr(code).isspace())
"""The code points that ``str.split`` splits at; none is beyond U+3000."""

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
    """The NFKD decomposition of each character without combining marks, computed on first use.

    Decomposing character by character is exact, because NFKD reorders combining marks only, and they are
    dropped. It is also linear, which NFKD of a long run of marks is not.
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


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def _sources(text: str, width_of: Callable[[str], int]) -> Int64Array:
    """Return the index in `text` that each character after a step comes from; `width_of` gives their number."""
    codes, inverse = np.unique(_codes(text), return_inverse=True)
    widths = np.array([width_of(chr(code)) for code in codes], dtype=np.int64)
    return np.repeat(np.arange(len(text)), widths[inverse])
