r"""Compiles Java regular expressions with the `regex` package, so that patterns written for Spark NLP work unchanged.

`regex` has nearly all of Java's syntax: nested character classes and their intersections, look-behind of any width,
possessive quantifiers, Unicode properties, scripts and blocks. :func:`compile_java` rewrites what the two packages
read differently, after ``java.util.regex.Pattern`` of Java 17:

============================ ============================================================================
expression                   meaning in Java
============================ ============================================================================
``.``                        excludes ``\n \r \u0085 \u2028 \u2029``, not only ``\n``
``$``, ``\Z``, ``(?m)^``     the same line terminators; ``\r\n`` is one of them
``\d \s \w``, ``\p{Alpha}``  ASCII characters only
``\b``                       words are letters, decimal digits and ``_``; a combining mark belongs to its base
``(?i)``                     ignores the case of ASCII letters only; ``(?iu)`` that of all letters
``\h \v``                    sets of horizontal and vertical white space
``\p{javaLowerCase}`` ...    methods of ``java.lang.Character``
``\Q..\E \e \cX \0101``      unknown to `regex`
``\uD83D\uDE42``             one character, written as a surrogate pair
``(?#..) (?R) \m \L<..>``    errors, although `regex` accepts them
============================ ============================================================================

``\G``, ``\b{g}``, ``\N{..}``, escapes of lone surrogates and the flags ``d``, ``x`` and ``U`` are not supported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NoReturn

import regex

from sparkalbert.errors import ParamError
from sparkalbert.offsets import Span
from sparkalbert.text.segmentation.java_properties import property_set

__all__ = ["compile_java", "find_java", "one_of_class", "remove_java", "split_java", "split_java_spans"]

_Flags = frozenset[str]

_LINE_END: Final = r"[\n\r\x85\u2028\u2029]"
_NOT_IN_CRLF: Final = r"(?<!\r(?=\n))"
_WORD_BEFORE: Final = r"(?<=_|[\p{L}\p{Nd}]\p{Mn}*)"
_NO_WORD_BEFORE: Final = r"(?<!_|[\p{L}\p{Nd}]\p{Mn}*)"
_WORD_AFTER: Final = r"(?:(?=[\p{L}\p{Nd}_])|(?<=[\p{L}\p{Nd}]\p{Mn}*)(?=\p{Mn}))"
_NO_WORD_AFTER: Final = f"(?!{_WORD_AFTER})"
_PLACES: Final = {
    "A": r"\A",
    "b": f"(?:{_WORD_BEFORE}{_NO_WORD_AFTER}|{_NO_WORD_BEFORE}{_WORD_AFTER})",
    "B": f"(?:{_WORD_BEFORE}{_WORD_AFTER}|{_NO_WORD_BEFORE}{_NO_WORD_AFTER})",
    "R": r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
    "X": r"\X",
    "z": r"\Z",
    "Z": rf"(?=(?:\r\n|{_NOT_IN_CRLF}{_LINE_END})?\Z)",
}
_BEFORE_LINE_END: Final = rf"(?={_NOT_IN_CRLF}{_LINE_END}|\Z)"
_AFTER_LINE_END: Final = rf"(?=(?:\A|(?<={_LINE_END}){_NOT_IN_CRLF})[\s\S])"

# Escapes of sets, as the body of a class; the upper-case letter stands for the complement.
_SETS: Final = {
    "d": "0-9",
    "s": r" \t\n\x0b\f\r",
    "w": "a-zA-Z0-9_",
    "h": r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    "v": r"\n\x0b\f\r\x85\u2028\u2029",
}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_LAST_ASCII: Final = 0x7F
_LAST_CASED: Final = 0x1E943  # ADLAM SMALL LETTER SHA
_FLAGS: Final = re.compile(r"\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_REPETITION: Final = re.compile(r"\d+(?:,\d*)?\}")
_OCTAL: Final = re.compile(r"[0-3]?[0-7]{1,2}")
_HEXADECIMAL: Final = re.compile("[0-9a-fA-F]+")
_LOW_SURROGATE: Final = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_HIGH_SURROGATES: Final = range(0xD800, 0xDC00)
_SURROGATES: Final = range(0xD800, 0xE000)


@lru_cache(maxsize=256)
def compile_java(pattern: str, param: str) -> regex.Pattern[str]:
    r"""Return a compiled pattern that matches what `pattern` matches in Java 17.

    Parameters
    ----------
    pattern
        A Java regular expression.
    param
        The name of the Spark NLP Param, for the error message.

    Raises
    ------
    ParamError
        If the pattern is invalid in Java or uses something that is not supported.

    Examples
    --------
    >>> compile_java(r"(?<=\s|^)(\p{L}+)(n't\b)\z", "infixPatterns").fullmatch("don't").groups()
    ('do', "n't")
    """
    source = _Translator(pattern, param).pattern()
    try:
        return regex.compile(source, regex.V1)
    except (regex.error, OverflowError, RecursionError) as error:
        msg = f"{param} {pattern!r} is not a valid regular expression: {error}. Correct or simplify it."
        raise ParamError(msg) from error


def find_java(pattern: regex.Pattern[str], text: str) -> Iterator[regex.Match[str]]:
    """Yield the matches that Java finds. After an empty match, Python looks for a longer one at the same place.

    Examples
    --------
    >>> [found[0] for found in find_java(compile_java("(?=b)|b", "splitPattern"), "ab")]
    ['']
    >>> re.findall("(?=b)|b", "ab")
    ['', 'b']
    """
    at = 0
    while at <= len(text) and (found := pattern.search(text, at)) is not None:
        yield found
        at = found.end() + (found.start() == found.end())


def split_java(pattern: regex.Pattern[str], text: str) -> list[str]:
    """Return the parts between the matches, as Java's ``Pattern.split`` does.

    Empty parts at the end are left out, and so is the empty part before an empty match at the start.

    Examples
    --------
    >>> split_java(compile_java(",", "pattern"), ",a,,b,,")
    ['', 'a', '', 'b']
    >>> split_java(compile_java(",", "pattern"), "")
    ['']
    """
    return [text[start:stop] for start, stop in split_java_spans(pattern, text)]


def split_java_spans(pattern: regex.Pattern[str], text: str) -> list[Span]:
    """Return the spans of the parts that :func:`split_java` returns.

    Examples
    --------
    >>> split_java_spans(compile_java(",", "pattern"), "a,,b,")
    [Span(start=0, stop=1), Span(start=2, stop=2), Span(start=3, stop=4)]
    """
    spans = []
    start = 0
    for found in find_java(pattern, text):
        if found.end():
            spans.append(Span(start, found.start()))
            start = found.end()
    if not spans:
        return [Span(0, len(text))]
    spans.append(Span(start, len(text)))
    while spans and spans[-1].start == spans[-1].stop:
        spans.pop()
    return spans


def remove_java(pattern: regex.Pattern[str], text: str) -> str:
    """Return the text without the matches that Java finds.

    Examples
    --------
    >>> remove_java(compile_java("[^a-z]", "pattern"), "e-mail")
    'email'
    """
    kept = []
    start = 0
    for found in find_java(pattern, text):
        kept.append(text[start : found.start()])
        start = found.end()
    return "".join([*kept, text[start:]])


def one_of_class(body: str, param: str) -> str:
    r"""Return a pattern for `regex` of one character inside the Java class ``[body]``.

    Examples
    --------
    >>> one_of_class(r"^(?:\S+)", "targetPattern")
    '[^\\(\\?:[^ \\t\\n\\x0b\\f\\r]\\+\\)]'
    """
    return _Translator(f"{body}]", param).whole_class()


class _Translator:
    """Reads a Java pattern from left to right and writes a pattern for `regex`."""

    def __init__(self, text: str, param: str) -> None:
        self._text = text
        self._param = param
        self._at = 0
        self._num_groups = 0

    def pattern(self) -> str:
        """Translate a whole pattern."""
        source = self._alternatives(frozenset())
        if self._rest:
            self._fail("an unpaired )")
        return source

    def whole_class(self) -> str:
        """Translate a character class whose ``[`` is not in the text."""
        source = self._class(frozenset())
        if self._rest:
            self._fail("an unpaired ]")
        return source

    @property
    def _rest(self) -> str:
        return self._text[self._at :]

    def _fail(self, what: str) -> NoReturn:
        msg = (
            f"{self._param} {self._text!r} is not supported: found {what} before character {self._at}. "
            "Write the regular expression in another way."
        )
        raise ParamError(msg)

    def _take(self, count: int = 1) -> str:
        taken = self._text[self._at : self._at + count]
        if len(taken) < count:
            self._fail("an incomplete expression")
        self._at += count
        return taken

    def _take_if(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _take_match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _take_until(self, end: str) -> str:
        stop = self._text.find(end, self._at)
        if stop < 0:
            self._fail(f"no closing {end}")
        taken = self._text[self._at : stop]
        self._at = stop + len(end)
        return taken

    def _take_quoted(self) -> str:
        r"""Read what follows ``\Q``."""
        return self._take_until("\\E") if "\\E" in self._rest else self._take(len(self._rest))

    # --- outside a class -------------------------------------------------------------------------

    def _alternatives(self, flags: _Flags) -> str:
        """Translate everything up to the end of the group; flags that are set inside apply until there."""
        parts = []
        while self._rest and not self._rest.startswith(")"):
            character = self._take()
            if character != "(":
                parts.append(self._atom(character, flags))
            elif (found := self._take_match(_FLAGS)) is None:
                parts.append(self._group(flags))
            elif found[3] == ":":
                parts.append(f"(?:{self._group_body(self._changed(flags, found))}")
            else:
                flags = self._changed(flags, found)
                if self._rest[:1] in {"*", "+", "?", "{"}:
                    self._fail("nothing to repeat")  # `regex` would see what is in front of the flags
        return "".join(parts)

    def _changed(self, flags: _Flags, found: re.Match[str]) -> _Flags:
        on, off = set(found[1]), set(found[2] or "")
        if unknown := (on | off) - set("imsu"):
            self._fail(f"the unsupported flag {min(unknown)}")
        return (flags | on) - off

    def _group(self, flags: _Flags) -> str:
        for sign in ("?=", "?!", "?<=", "?<!", "?>"):
            if self._take_if(sign):
                return f"({sign}{self._group_body(flags)}"
        self._num_groups += 1
        if self._take_if("?<"):
            return f"(?P<{self._take_until('>')}>{self._group_body(flags)}"
        if self._take_if("?"):
            self._fail("an unknown kind of group")
        return f"({self._group_body(flags)}"

    def _group_body(self, flags: _Flags) -> str:
        body = self._alternatives(flags)
        if not self._take_if(")"):
            self._fail("no closing )")
        return f"{body})"

    def _atom(self, character: str, flags: _Flags) -> str:
        if character == "\\":
            source = self._escape(flags)
        elif character == "[":
            source = self._class(flags)
        elif character == "{":
            source = self._repetition()
        elif character in "*+?|":
            source = character
        elif character == ".":
            source = r"[\s\S]" if "s" in flags else f"[^{_LINE_END}]"
        elif character == "^":
            source = _AFTER_LINE_END if "m" in flags else r"\A"
        elif character == "$":
            source = _BEFORE_LINE_END if "m" in flags else _PLACES["Z"]
        else:
            source = _literal(character, flags)
        return source

    def _repetition(self) -> str:
        found = self._take_match(_REPETITION)
        if found is None:
            self._fail("an incomplete repetition")
        return f"{{{found[0]}"

    def _escape(self, flags: _Flags) -> str:
        letter = self._take()
        if letter == "Q":
            return "".join(_literal(character, flags) for character in self._take_quoted())
        if letter == "b" and self._rest.startswith("{g}"):
            self._fail("the unsupported escape \\b{g}")
        if letter in _PLACES:
            return _PLACES[letter]
        if letter == "k" and self._take_if("<"):
            return _reference(f"(?P={self._take_until('>')})", flags)
        if letter in "123456789":
            number = letter
            while self._rest[:1].isdecimal() and int(number + self._rest[0]) <= self._num_groups:
                number += self._take()
            return _reference(f"\\{number}", flags)
        found = self._character_or_set(letter, flags)
        return _literal(found, flags) if len(found) == 1 else found

    # --- inside a class --------------------------------------------------------------------------

    def _class(self, flags: _Flags) -> str:
        """Translate a class whose ``[`` has just been read."""
        parts = ["[^" if self._take_if("^") else "["]
        num_items = 0
        while not (self._rest.startswith("]") and (num_items or len(parts) > 1)):
            if self._take_if("&&"):
                if not num_items:
                    self._fail("an empty class")
                parts.append("&&")
                num_items = 0
                continue
            character = self._take()
            parts.append(self._class(flags) if character == "[" else self._item(character, flags))
            num_items += 1
        if not num_items:
            self._fail("an empty class")
        return f"{''.join(parts)}{self._take()}"

    def _item(self, character: str, flags: _Flags) -> str:
        """Translate a character, a range or a set inside a class."""
        if character == "\\" and self._take_if("Q"):
            return "".join(_range(quoted, quoted, flags) for quoted in self._take_quoted())
        low = self._one(character, flags)
        if len(low) > 1:
            return low
        if not self._rest.startswith("-") or self._rest[1:2] in {"", "]", "["}:
            return _range(low, low, flags)
        self._take()
        high = self._one(self._take(), flags)
        if len(high) > 1 or high < low:
            self._fail("an invalid range")
        return _range(low, high, flags)

    def _one(self, character: str, flags: _Flags) -> str:
        return self._character_or_set(self._take(), flags) if character == "\\" else character

    # --- in both ---------------------------------------------------------------------------------

    def _character_or_set(self, letter: str, flags: _Flags) -> str:
        """Translate an escape; return a single character unchanged and a set of characters as a class."""
        if letter.lower() in _SETS:
            return f"[{'^' * letter.isupper()}{_SETS[letter.lower()]}]"
        if letter in "pP":
            name = self._take_until("}") if self._take_if("{") else self._take()
            body = property_set(name, ignore_case="i" in flags)
            if body is None:
                self._fail(f"the unsupported property {name}")
            return f"[{'^' * (letter == 'P')}{body}]"
        if letter in "0xu":
            return self._numbered(letter)
        if letter == "c":
            return chr(ord(self._take()) ^ 64)
        if letter.isascii() and letter.isalnum() and letter not in _CONTROLS:
            self._fail(f"the unsupported escape \\{letter}")
        return _CONTROLS.get(letter, letter)

    def _numbered(self, letter: str) -> str:
        r"""Return the character of ``\0101``, ``\x41``, ``\x{1f642}``, ``\u0041`` or ``\uD83D\uDE42``."""
        if letter == "0":
            found = self._take_match(_OCTAL)
            code = int(found[0], 8) if found else -1
        else:
            braces = letter == "x" and self._take_if("{")
            digits = self._take_until("}") if braces else self._take(2 if letter == "x" else 4)
            code = int(digits, 16) if _HEXADECIMAL.fullmatch(digits) else -1
        if letter == "u" and code in _HIGH_SURROGATES and (low := self._take_match(_LOW_SURROGATE)):
            pair = chr(code) + chr(int(low[1], 16))
            return pair.encode("utf-16", "surrogatepass").decode("utf-16")
        if not 0 <= code <= sys.maxunicode:
            self._fail("an invalid character number")
        if code in _SURROGATES:
            self._fail(f"the lone surrogate U+{code:04X}")
        return chr(code)


def _literal(character: str, flags: _Flags) -> str:
    source = _range(character, character, flags)
    return source if source == _escaped(character) else f"[{source}]"


def _range(low: str, high: str, flags: _Flags) -> str:
    """Return a range of characters as the inside of a class, with what ``(?i)`` adds to it."""
    source = _escaped(low) if low == high else f"{_escaped(low)}-{_escaped(high)}"
    if "i" not in flags:
        return source
    if "u" not in flags:
        letters = (chr(code) for code in range(ord(low), min(ord(high), _LAST_ASCII) + 1))
        return source + "".join(letter.swapcase() for letter in letters if letter.isalpha())
    if low == high:
        upper = _upper(low)
        low = high = _lower(upper)
        if upper == low:
            return source
    others = (each for each, upper, lower in _cased() if low <= upper <= high or low <= lower <= high)
    return source + "".join(map(_escaped, others))


@lru_cache(maxsize=1)
def _cased() -> list[tuple[str, str, str]]:
    """Return each character that has cases, with its upper case and the lower case of that, which Java compares."""
    uppers = [(chr(code), _upper(chr(code))) for code in range(_LAST_CASED + 1)]
    return [(each, upper, _lower(upper)) for each, upper in uppers if upper != _lower(upper)]


def _upper(character: str) -> str:
    """Return Java's ``Character.toUpperCase``, which maps to one character."""
    candidates = (character.upper(), character.title(), character)
    return next(candidate for candidate in candidates if len(candidate) == 1)


def _lower(character: str) -> str:
    return character.lower()[0]


def _reference(source: str, flags: _Flags) -> str:
    """Return a reference to a group; under ``(?i)`` it ignores the case of all letters (``-f``: one to one)."""
    return f"(?i-f:{source})" if "i" in flags else f"(?:{source})"


def _escaped(character: str) -> str:
    return re.escape(character) if character.isascii() else character
