"""Splits a text into the sentences that Spark NLP's rule-based SentenceDetector finds.

The rules are data in :mod:`sparkalbert.text.segmentation.sentence_rules`. This module applies them and cuts the text
at the marks that they leave. A sentence is always a :class:`~sparkalbert.offsets.Span` of the text: where Spark NLP
loses a character that a rule has protected (a backslash or a custom bound after a closing quote), the sentence here
keeps it. The time is linear in the length of the text.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

import regex

from sparkalbert.errors import ParamError
from sparkalbert.offsets import Span, is_bmp, utf16_length
from sparkalbert.text.segmentation.java_regex import compile_java, find_java
from sparkalbert.text.segmentation.lengths import check_lengths, spans_of_length
from sparkalbert.text.segmentation.sentence_rules import (
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

_TRIMMED = "".join(map(chr, range(0x21)))  # what Java's String.trim removes
_MARK = re.compile(f"[{BREAK}{OPEN}{CLOSE}{QUIET}{GAP}]")
_TEXT = re.compile(f"[^{BREAK}]")
_UNMARKED = str.maketrans({BREAK: None, OPEN: None, CLOSE: None, QUIET: ".", GAP: " "})
_CUSTOM_ENDS = re.compile(f"[{BREAK}{OPEN}{CLOSE}{GAP}]")
_ENDS = re.compile(f"[.;{BREAK}{OPEN}{CLOSE}{GAP}]")


def _limit(max_length: int | None) -> int:
    return sys.maxsize if max_length is None else max_length


@dataclass(frozen=True)
class SentenceOptions:
    """The Params of Spark NLP's SentenceDetector that decide boundaries.

    Parameters
    ----------
    use_abbreviations
        If true, a sentence does not end after the abbreviations of a small English dictionary.
    detect_lists
        If true, a sentence starts at enumeration signs such as ``(a)`` or ``1.``.
    use_custom_bounds_only
        If true and there are `custom_bounds`, no other rule applies.
    custom_bounds
        Java regular expressions that separate sentences.
    custom_bounds_strategy
        What happens to the text of a custom bound: it is dropped (``none``), starts the next sentence
        (``prepend``) or ends the previous one (``append``).
    split_length
        Longer sentences are cut at spaces. Lengths are counted in UTF-16 units.
    min_length, max_length
        Shorter and longer sentences are dropped; None for no upper limit. Spark NLP's SentenceDetector declares the
        default 99,999 for maxLength, but applies maxLength only if it has been set.

    Raises
    ------
    ParamError
        If a value is invalid; the message names the Param.
    """

    use_abbreviations: bool = True
    detect_lists: bool = True
    use_custom_bounds_only: bool = False
    custom_bounds: tuple[str, ...] = ()
    custom_bounds_strategy: str = "none"
    split_length: int | None = None
    min_length: int = 0
    max_length: int | None = None

    def __post_init__(self) -> None:
        if self.custom_bounds_strategy not in {"none", "prepend", "append"}:
            msg = f"customBoundsStrategy must be none, prepend or append, got {self.custom_bounds_strategy!r}."
            raise ParamError(msg)
        if self.split_length is not None and self.split_length < 1:
            msg = f"splitLength must be at least 1, got {self.split_length}."
            raise ParamError(msg)
        check_lengths(self.min_length, _limit(self.max_length))
        for bound in self.custom_bounds:
            compile_java(bound, "customBounds")


class SentenceSplitter:
    """Finds the sentences of a text.

    Parameters
    ----------
    options
        The Params; by default those of Spark NLP.

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
        """Return the sentences in order. They do not overlap, and none is empty.

        A sentence starts and ends with a character above U+0020, except where `split_length` has cut it.
        """
        return self.split_with_lags(text)[0]

    def split_with_lags(self, text: str) -> tuple[list[Span], list[int]]:
        """Return the sentences, and how many UTF-16 units Spark NLP's begin and end are before the right ones.

        Spark NLP's offsets are one too high in a sentence whose first word is longer than `split_length`. They
        are too low if the text of a custom bound contains the sentence after it, because Spark NLP searches for
        the sentence. All other lags are 0.

        Examples
        --------
        >>> SentenceSplitter(SentenceOptions(split_length=4)).split_with_lags("overlong so")
        ([Span(start=0, stop=8), Span(start=9, stop=11)], [-1, -1])
        """
        marked = self._marked(text)
        if GAP in marked:
            # The text of a custom bound belongs to no sentence, even if the bound is protected and does not cut.
            spans = _trimmed_pieces(marked.translate(_UNMARKED), self._cuts(marked))
            lags = _search_lags(text, spans)
        else:
            spans = _trimmed_pieces(text, self._cuts(marked))
            lags = [0] * len(spans)
        if self.options.split_length is not None:
            spans, lags = _cut_at_spaces(text, spans, lags, self.options.split_length)
        return spans_of_length(text, spans, lags, self.options.min_length, _limit(self.options.max_length))

    def _marked(self, text: str) -> str:
        """Return `text` with the marks of all rules."""
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

    def _mark_bound(self, bound: regex.Pattern[str], marked: str) -> str:
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
        """Return the spans between sentences, in offsets of the text without marks; most are empty.

        A mark applies unless it is protected: unless the next `OPEN` or `CLOSE` after it is a `CLOSE`.
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
    """Return the rules in the order of Spark NLP, which swaps numbers and abbreviations if there are custom bounds."""
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
    """Return the distance of each sentence from the first place, after the previous one, where its text is found."""
    lags = []
    at = 0
    for start, stop in spans:
        found = text.find(text[start:stop], at)
        lags.append(utf16_length(text[found:start]))
        at = found + stop - start
    return lags


def _cut_at_spaces(text: str, spans: list[Span], lags: list[int], limit: int) -> tuple[list[Span], list[int]]:
    """Cut sentences into parts of at most `limit` UTF-16 units; a longer word becomes a part of its own.

    Spark NLP counts a space after every word, so a part may be one unit shorter than `limit`. Before a first
    word that is too long, it inserts an empty part and a space, and drops only the part.
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
