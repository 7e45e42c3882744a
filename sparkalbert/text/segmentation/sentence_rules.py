r"""The rules of Spark NLP's SentenceDetector as data: which full stops end a sentence.

Spark NLP marks a copy of the text, rule after rule, and cuts it at the marks. The rules here are those of its
``PragmaticContentFormatter`` (5.5.3) in their order; a rule sees the marks of the rules before it, so the order is
part of the behaviour. The marks are lone surrogates, which no valid text contains:

========= ====================================================================================================
`BREAK`   inserted where a sentence ends
`OPEN`    inserted at the start of a protected text: up to `CLOSE`, no mark and no full stop ends a sentence
`CLOSE`   inserted at the end of a protected text
`QUIET`   replaces a full stop that does not end a sentence (an abbreviation, a decimal, an ellipsis)
`GAP`     replaces a character of a custom bound, which belongs to no sentence
========= ====================================================================================================

Every ``.`` and ``;`` that no rule has marked ends a sentence. Two rules of the original are omitted because they
cannot change a boundary: the ellipsis of four dots (the rule for three dots comes first) and question and exclamation
marks within quotes (they are marked after the rule that breaks at them).
:mod:`sparkalbert.text.segmentation.sentences` applies the rules and reads the marks.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "ABBREVIATIONS",
    "BRACKETS",
    "BREAK",
    "CLOSE",
    "DICTIONARY_ABBREVIATIONS",
    "ENDINGS",
    "GAP",
    "LISTS",
    "NUMBERS",
    "OPEN",
    "QUIET",
    "Rule",
    "protect_single_quotes",
]

BREAK, OPEN, CLOSE, QUIET, GAP = "\udc00", "\udc01", "\udc02", "\udc03", "\udc04"

_PROTECT = rf"{OPEN}\g<0>{CLOSE}"
_ANY_IN_LINE = r"[^\n\r\x85\u2028\u2029]"  # the dot of Java


class Rule(NamedTuple):
    """Replaces the matches of `pattern` by `replacement`.

    `hint` is a cheaper pattern that matches in every text in which `pattern` does; it only saves time.
    """

    name: str
    pattern: re.Pattern[str]
    replacement: str
    hint: re.Pattern[str] | None = None

    def apply(self, marked: str) -> str:
        """Return `marked` with this rule's marks added."""
        if self.hint is not None and self.hint.search(marked) is None:
            return marked
        return self.pattern.sub(self.replacement, marked)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _full_stop(name: str, *conditions: str) -> Rule:
    """Return a rule that quiets a full stop if any of the conditions holds; conditions are look-arounds."""
    return Rule(name, _compiled(rf"\.(?:{'|'.join(conditions)})"), QUIET)


def _after_word(words: tuple[str, ...], start: str) -> str:
    """Return a look-behind for a full stop after one of `words`, which must follow `start`.

    A look-behind has a fixed width in Python's ``re``, so there is one for each length of word. The full stop
    inside ``e.g`` and the like matches any character, as in Spark NLP.
    """
    by_length: dict[int, list[str]] = {}
    for word in words:
        by_length.setdefault(len(word), []).append(word.replace(".", _ANY_IN_LINE))
    options = (rf"(?<={start}(?i:{'|'.join(same)})\.)" for same in by_length.values())
    return f"(?:{'|'.join(options)})"


_TITLES = ("dr", "mr", "ms", "prof", "mt", "st")
_NUMBER_WORDS = ("no", "p", "px")
_WORDS = (
    *("adj", "aug", "bros", "btw", "co", "col", "corp", "cpl", "dec", "del", "dept", "dist", "dr", "e.g"),
    *("etc", "exp", "feb", "fy", "hr", "i.e", "id", "inc", "jan", "jr", "jul", "jun", "lt", "ltd", "mar"),
    *("may", "min", "mr", "mrs", "ms", "no", "nov", "oct", "ok", "p", "plz", "prof", "px", "rep", "sec"),
    *("sep", "sept", "sr", "st", "u.s", "ver", "vs"),
)
_SENTENCE_CONTINUES = r"\s(?:[a-z]|I\s|I'm|I'll|\d)"


def _abbreviation(words: tuple[str, ...], ahead: str, ahead_at_start: str | None = None) -> str:
    """Return the condition that `ahead` follows and one of `words`, after a space or at the start, precedes."""
    after_space, after_start = _after_word(words, r"\s"), _after_word(words, r"\A")
    return f"(?={ahead}){after_space}|(?={ahead_at_start or ahead}){after_start}"


# formatLists: a break before an enumeration sign, which stays in one piece.
LISTS = (
    Rule(
        "letters in parentheses: (a) and, at the start, a)",
        _compiled(r"\([a-z]+\)|\A[a-z]+\)"),
        BREAK + _PROTECT,
        _compiled(r"\)"),
    ),
    Rule(
        "numbers: 1. or -1. before a space, 1.) and -1.) (Spark NLP has s for a space in one of them)",
        _compiled(
            rf"\s\d{{1,2}}\.[\s)]|\A\d{{1,2}}\.[\s)]|\s-\d{{1,2}}\.\s|\A-\d{{1,2}}\.\s"
            rf"|s-\d{{1,2}}\.\)|\A-\d{{1,2}}{_ANY_IN_LINE}\)"
        ),
        BREAK + _PROTECT,
        _compiled(rf"\d{_ANY_IN_LINE}[\s)]"),
    ),
)

# formatNumbers
NUMBERS = (
    _full_stop(
        "numbers",
        r"(?=\d)",  # .5 and 3.14
        r"(?<=\d\.)(?=\S)",  # 5.x, 5.)
        r"(?<=\A\d\.)(?=\s\S)",  # 1. at the start
        r"(?<=\A\d\d\.)(?=\s\S)",  # 12. at the start
    ),
)

_LETTER_AFTER_STOP = _compiled(r"\.[a-zA-Z]")

# formatAbbreviations, the part without a dictionary
ABBREVIATIONS = (
    Rule(
        "letters with full stops: U.S.A. (the last one only if no capitalised word follows)",
        # The letter must start a word; in Java 17 a combining mark belongs to the word before it.
        _compiled(r"(?<![\u0300-\u036f])(?<!(?u:\w))[a-zA-Z](?:\.[a-zA-Z])+(?:\.(?!\s[A-Z]))*"),
        _PROTECT,
        _LETTER_AFTER_STOP,
    ),
    Rule("p.m.", _compiled(r"[pP]\.[mM]\.*"), _PROTECT, _LETTER_AFTER_STOP),
    Rule("a.m.", _compiled(r"[aA]\.[mM]\.*"), _PROTECT, _LETTER_AFTER_STOP),
    _full_stop(
        "abbreviations by shape",
        r"(?='s(?:\s|\$|\Z))",  # a possessive: U.S.'s
        r"(?<=Co\.)(?=\sKG)",
        r"(?<=\A[A-Z]\.)(?=\s)",  # an initial
        r"(?<=\s[A-Z]\.)(?=\s)",
    ),
)

# formatAbbreviations, the dictionary that useAbbreviations switches on
DICTIONARY_ABBREVIATIONS = (
    _full_stop(
        "abbreviations by dictionary",
        _abbreviation(_TITLES, r"\s|:\d"),
        _abbreviation(_NUMBER_WORDS, r"\s\d|\s+\("),
        _abbreviation(_WORDS, rf"[.:\-?,]|{_SENTENCE_CONTINUES}", rf"[.:?,]|{_SENTENCE_CONTINUES}"),
    ),
)

# formatPunctuations, formatMultiplePeriods, formatGeoLocations, formatEllipsisRules
ENDINGS = (
    Rule(
        "after ! and ? before a space, a $ or the end (not if they stand alone)",
        _compiled(r"[!?](?<=\S[!?])(?=[\s$]|\Z)"),
        rf"\g<0>{BREAK}",
    ),
    _full_stop("within a word, and in N°. 1026", r"(?<=\w\.)(?=\w)", r"(?<=[a-zA-z]°\.)(?=\s*\d)"),
    Rule("an ellipsis before a capitalised word", _compiled(r"\.\.\.(?=\s+[A-Z])"), QUIET * 3 + BREAK),
)

# formatBetweenPunctuations, after protect_single_quotes
BRACKETS = (
    Rule("double quotes", _compiled(r'"[\w\s?!.,]+"'), _PROTECT),
    Rule("square brackets", _compiled(r"\[[\w\s?!.,]+\]"), _PROTECT),
    Rule("parentheses", _compiled(r"\([\w\s?!.,]+\)"), _PROTECT),
)

_OPENING_QUOTE = _compiled(r"'(?:(?<=\s')|(?<=\A'))")
_QUOTABLE = _compiled(r"[\w\s?!.,|']*")
_WORD_CHARACTER = _compiled(r"\w")


def protect_single_quotes(marked: str) -> str:
    r"""Return `marked` with text in single quotes protected.

    This is Spark NLP's ``(?<=\s|^)'[\w\s?!\.,|'\w]+'(?:\W)`` in linear time: within a run of characters that may
    be quoted, the first opening quote is paired with the last closing quote, and there is no other pair.
    """
    done: list[str] = []
    at = 0
    opening = _OPENING_QUOTE.search(marked)
    while opening is not None:
        stretch = _QUOTABLE.match(marked, opening.start())
        stop = stretch.end() if stretch is not None else opening.end()
        closing = _closing_quote(marked, opening.start() + 2, stop)
        if closing is not None:
            done += [marked[at : opening.start()], OPEN, marked[opening.start() : closing + 2], CLOSE]
            at = closing + 2
        opening = _OPENING_QUOTE.search(marked, max(at, stop))
    return "".join([*done, marked[at:]]) if done else marked


def _closing_quote(marked: str, start: int, stop: int) -> int | None:
    """Return the place of the last quote in ``marked[start:stop]`` that is followed by a non-word character."""
    while (stop := marked.rfind("'", start, stop)) >= 0:
        if stop + 1 < len(marked) and _WORD_CHARACTER.match(marked, stop + 1) is None:
            return stop
    return None
