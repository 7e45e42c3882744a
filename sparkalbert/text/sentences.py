"""Sentences of a text, the boundaries Spark NLP's rule-based SentenceDetector finds.

The rules are data in :mod:`sparkalbert.text.sentence_rules`. This module applies them, reads the marks
they leave and cuts. A sentence is a :class:`~sparkalbert.annotations.Span` of the text, always: where
Spark NLP loses a character that a rule has protected (a backslash after a closing quote, a custom bound
there), the sentence here keeps it. It knows nothing about Spark columns. Time is linear in the length of
the text.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from sparkalbert.annotations import Span, is_bmp, utf16_length
from sparkalbert.errors import ParamError
from sparkalbert.text.java_regex import compile_java, find_java
from sparkalbert.text.lengths import check_lengths, spans_of_length
from sparkalbert.text.sentence_rules import (
    ABBREVIATIONS,
    BRACKETS,
    BREAK,
    CLOSE,
    DICTIONARY_ABBREVIATIONS,
    ENDINGS,
    GAP,
    LISTS,
    NUMBERS,
    OPEN,
    QUIET,
    Rule,
    protect_single_quotes,
)

__all__ = ["SentenceOptions", "SentenceSplitter"]

# Declared as the default of maxLength, but Spark NLP's SentenceDetector reads it only where a user has set
# it: a longer sentence is kept. Dropping it here would lose text.
_NO_MAX_LENGTH = 99_999

_TRIMMED = "".join(map(chr, range(0x21)))  # what String.trim removes
_MARK = re.compile(f"[{BREAK}{OPEN}{CLOSE}{QUIET}{GAP}]")
_TEXT = re.compile(f"[^{BREAK}]")
_UNMARKED = str.maketrans({BREAK: None, OPEN: None, CLOSE: None, QUIET: ".", GAP: " "})
_CUSTOM_ENDS = re.compile(f"[{BREAK}{OPEN}{CLOSE}{GAP}]")
_ENDS = re.compile(f"[.;{BREAK}{OPEN}{CLOSE}{GAP}]")


@dataclass(frozen=True)
class SentenceOptions:
    """The Params of Spark NLP's SentenceDetector that decide boundaries.

    Parameters
    ----------
    use_abbreviations
        Do not end a sentence after the abbreviations of a small English dictionary.
    detect_lists
        Start a sentence at enumeration signs such as ``(a)`` or ``1.``.
    use_custom_bounds_only
        With `custom_bounds`, no other rule.
    custom_bounds
        Java regular expressions that separate sentences.
    custom_bounds_strategy
        Where the text of a custom bound goes: nowhere (``none``), to the start of the sentence after it
        (``prepend``) or to the end of the sentence before it (``append``).
    split_length
        Cut longer sentences at spaces; counted in UTF-16 units, as are the next two.
    min_length, max_length
        Sentences shorter or longer than this are left out. As in Spark NLP, the default `max_length`
        leaves nothing out.

    Raises
    ------
    ParamError
        A value cannot work; the message names the Param.
    """

    use_abbreviations: bool = True
    detect_lists: bool = True
    use_custom_bounds_only: bool = False
    custom_bounds: tuple[str, ...] = ()
    custom_bounds_strategy: str = "none"
    split_length: int | None = None
    min_length: int = 0
    max_length: int = _NO_MAX_LENGTH

    def __post_init__(self) -> None:
        if self.custom_bounds_strategy not in {"none", "prepend", "append"}:
            msg = (
                "customBoundsStrategy must be none, prepend or append, found"
                f" {self.custom_bounds_strategy!r}. Please choose one of them."
            )
            raise ParamError(msg)
        if self.split_length is not None and self.split_length < 1:
            msg = f"splitLength must be 1 or more, found {self.split_length}. Please raise or unset it."
            raise ParamError(msg)
        check_lengths(self.min_length, self.max_length)
        for bound in self.custom_bounds:
            compile_java(bound, "customBounds")


class SentenceSplitter:
    """Finds the sentences of a text.

    Examples
    --------
    >>> text = "Dr. Wu paid $3.50. Cheap!  She left"
    >>> [text[slice(*span)] for span in SentenceSplitter().split(text)]
    ['Dr. Wu paid $3.50.', 'Cheap!', 'She left']
    """

    def __init__(self, options: SentenceOptions = SentenceOptions()) -> None:
        self.options = options
        self._bounds = tuple(compile_java(bound, "customBounds") for bound in options.custom_bounds)
        self._only_bounds = options.use_custom_bounds_only and bool(self._bounds)
        self._rules = () if self._only_bounds else _rules(options)
        self._ends = _CUSTOM_ENDS if self._only_bounds else _ENDS

    def split(self, text: str) -> list[Span]:
        """Return the sentences in order, never overlapping and never empty.

        Each starts and ends with a character above U+0020, except where `split_length` cut it.
        """
        return self.split_with_lags(text)[0]

    def split_with_lags(self, text: str) -> tuple[list[Span], list[int]]:
        """Return the sentences, and how far Spark NLP's begin and end lie before the right ones.

        Its offsets are one too high in a sentence whose first word alone is longer than `split_length`.
        They are too low where the text that a custom bound took holds the sentence after it as well,
        because Spark NLP searches for the sentence. All other lags are 0. They count UTF-16 units.

        Examples
        --------
        >>> SentenceSplitter(SentenceOptions(split_length=4)).split_with_lags("overlong so")
        ([Span(start=0, stop=8), Span(start=9, stop=11)], [-1, -1])
        """
        marked = self._marked(text)
        if GAP in marked:
            # What a custom bound took is no part of a sentence, nor is it where nothing is cut.
            spans = _trimmed_pieces(marked.translate(_UNMARKED), self._cuts(marked))
            lags = _search_lags(text, spans)
        else:
            spans = _trimmed_pieces(text, self._cuts(marked))
            lags = [0] * len(spans)
        if self.options.split_length is not None:
            spans, lags = _cut_at_spaces(text, spans, lags, self.options.split_length)
        most = sys.maxsize if self.options.max_length == _NO_MAX_LENGTH else self.options.max_length
        return spans_of_length(text, spans, lags, self.options.min_length, most)

    def _marked(self, text: str) -> str:
        """Return `text` with the marks of every rule."""
        marked = text if text.isascii() else _MARK.sub("\ufffd", text)
        for bound in self._bounds:
            marked = self._mark_bound(bound, marked)
        if self._only_bounds:
            return marked
        for rule in self._rules:
            marked = rule.apply(marked)
        marked = protect_single_quotes(marked)
        for rule in BRACKETS:
            marked = rule.apply(marked)
        return marked

    def _mark_bound(self, bound: re.Pattern[str], marked: str) -> str:
        parts = []
        at = 0
        for found in find_java(bound, marked):
            parts += [marked[at : found.start()], self._marked_bound(found[0])]
            at = found.end()
        return "".join([*parts, marked[at:]]) if parts else marked

    def _marked_bound(self, text: str) -> str:
        strategy = self.options.custom_bounds_strategy
        if strategy == "append":
            return text + BREAK
        if strategy == "prepend":
            return BREAK + text
        return _TEXT.sub(GAP, text) or BREAK

    def _cuts(self, marked: str) -> list[tuple[int, int]]:
        """Return what lies between sentences, in offsets of the text without marks; most are empty.

        A mark counts where the next `OPEN` or `CLOSE` after it is not a `CLOSE`.
        """
        cuts: list[tuple[int, int]] = []
        pending: list[tuple[int, int]] = []
        inserted = 0
        for found in self._ends.finditer(marked):
            mark = found[0]
            at = found.start() - inserted
            if mark in {".", ";"}:
                pending.append((at + 1, at + 1))
                continue
            if mark == GAP:
                pending.append((at, at + 1))
                continue
            inserted += 1
            if mark == BREAK:
                pending.append((at, at))
                continue
            if mark == OPEN:
                cuts += pending
            pending.clear()
        return cuts + pending


def _rules(options: SentenceOptions) -> tuple[Rule, ...]:
    """Return the rules in Spark NLP's order; with custom bounds it swaps numbers and abbreviations."""
    abbreviations = ABBREVIATIONS + (DICTIONARY_ABBREVIATIONS if options.use_abbreviations else ())
    middle = abbreviations + NUMBERS if options.custom_bounds else NUMBERS + abbreviations
    return (LISTS if options.detect_lists else ()) + middle + ENDINGS


def _trimmed_pieces(text: str, cuts: list[tuple[int, int]]) -> list[Span]:
    pieces = []
    start = 0
    for stop, following in [*cuts, (len(text), len(text))]:
        piece = text[start:stop].lstrip(_TRIMMED)
        if piece:
            first = stop - len(piece)
            pieces.append(Span(first, first + len(piece.rstrip(_TRIMMED))))
        start = following
    return pieces


def _search_lags(text: str, spans: list[Span]) -> list[int]:
    """Return the distance from where each sentence's text is found first, after the sentence before."""
    lags = []
    at = 0
    for start, stop in spans:
        found = text.find(text[start:stop], at)
        lags.append(utf16_length(text[found:start]))
        at = found + stop - start
    return lags


def _cut_at_spaces(text: str, spans: list[Span], lags: list[int], limit: int) -> tuple[list[Span], list[int]]:
    """Cut sentences into parts of at most `limit` UTF-16 units; a longer word is a part of its own.

    Spark NLP counts a space after every word, so a part may fall one unit short of `limit`. Where the
    first word alone is longer, it puts an empty part and a space before it, and only drops the part.
    """
    width = len if is_bmp(text) else utf16_length
    parts: list[Span] = []
    part_lags: list[int] = []
    for span, lag in zip(spans, lags, strict=True):
        words = text[span.start : span.stop].split(" ")
        before = len(parts)
        start = at = stop = span.start
        length = 0
        for word in words:
            if length + width(word) > limit and stop > start:
                parts.append(Span(start, stop))
            if length + width(word) > limit:
                start, length = at, 0
            stop = at + len(word)
            length += width(word) + 1
            at = stop + 1
        parts.append(Span(start, stop))
        part_lags += [lag - (width(words[0]) > limit)] * (len(parts) - before)
    return parts, part_lags
