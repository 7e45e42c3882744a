r"""Java regular expressions in Python's ``re``, for the patterns users already have in Spark NLP Params.

The two dialects agree on most of what people write. :func:`compile_java` translates what differs:

====================== ==========================================================================
Java                   here
====================== ==========================================================================
``.``                  excludes ``\n \r \u0085 \u2028 \u2029``, not only ``\n``
``\d \s \w``           ASCII only (``re.ASCII``); ``\b`` knows all letters, as in Java 17
``$``, ``\Z``, ``\z``  before a final line terminator, the same, the very end
``\p{..} \P{..}``      explicit classes: general categories and the POSIX names
``[a[^b]&&[c]]``       unions and intersections become alternatives and look-aheads
``(?i)`` inside        applies to the rest of its group: ``a(?i)b|c`` is ``a(?i:b)|(?i:c)``
``\Q..\E \h \R \x{..}``  spelled out
====================== ==========================================================================

What cannot be expressed (``\G``, ``\X``, scripts, look-behind of varying width) raises
:class:`~sparkalbert.errors.ParamError`. It knows nothing about sentences or tokens.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NoReturn

from sparkalbert.errors import ParamError

__all__ = ["compile_java", "find_java", "one_of_class"]

_LINE_ENDS = r"\n\r\x85\u2028\u2029"
_DOT = f"[^{_LINE_ENDS}]"
_ANY = r"[\s\S]"
_BEFORE_LAST_LINE_END = rf"(?=(?:\r\n|[{_LINE_ENDS}])?\Z)"

# Escapes that mean the same inside and outside a class, as the body of a Python class.
_CLASS_ESCAPES = {letter: "\\" + letter for letter in "dDsSwWtnrfa"} | {
    "e": r"\x1b",
    "h": r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    "v": r"\n\x0b\f\r\x85\u2028\u2029",
}
# Escapes outside a class only.
_PLACES = {
    "A": r"\A",
    "z": r"\Z",
    "Z": _BEFORE_LAST_LINE_END,
    "b": r"(?u:\b)",
    "B": r"(?u:\B)",
    "R": r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
}
_POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0b\f\r",
}
_CATEGORY = re.compile("L[ultmo]?|M[nce]?|N[dlo]?|Z[slp]?|C[cfson]?|P[cdseifo]?|S[mcko]?")
_BINARY_PROPERTIES = {"Letter": "L", "Digit": "Nd", "Punctuation": "P", "Control": "Cc", "Titlecase": "Lt"}

_FLAG_CHANGE = re.compile(r"\?([a-zA-Z]*)(?:-([a-zA-Z]*))?\)")
_FLAG_GROUP = re.compile(r"\?([a-zA-Z]*)(?:-([a-zA-Z]*))?:")
_REPETITION = re.compile(r"\d+(?:,\d*)?\}")
_OCTAL = re.compile(r"[0-3]?[0-7]{1,2}")


@lru_cache(maxsize=256)
def compile_java(pattern: str, param: str) -> re.Pattern[str]:
    r"""Return the Python pattern that matches what `pattern` matches in Java 17.

    Parameters
    ----------
    pattern
        A Java regular expression.
    param
        The Spark NLP Param that holds it, for the error message.

    Raises
    ------
    ParamError
        The pattern is not valid, or uses something that Python cannot express.

    Examples
    --------
    >>> compile_java(r"(\p{L}+)(n't\b)\z", "infixPatterns").fullmatch("don't").groups()
    ('do', "n't")
    """
    source = _Reader(pattern, param).pattern()
    try:
        return re.compile(source, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        msg = f"{param} {pattern!r} cannot be used as a regular expression: {error}. Please simplify it."
        raise ParamError(msg) from error


def find_java(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield the matches that Java finds: where one is empty, Python looks for a longer one there as well.

    Examples
    --------
    >>> [found[0] for found in find_java(re.compile("(?=b)|b"), "ab")]
    ['']
    >>> re.findall("(?=b)|b", "ab")
    ['', 'b']
    """
    at = 0
    while at <= len(text) and (found := pattern.search(text, at)) is not None:
        yield found
        at = found.end() + (found.start() == found.end())


def one_of_class(body: str, param: str) -> str:
    r"""Return a Python pattern of one character inside the Java class ``[body]``.

    Examples
    --------
    >>> one_of_class(r"^(?:\S+)", "targetPattern")
    '[^\\(\\?:\\S\\+\\)]'
    """
    reader = _Reader(f"{body}]", param)
    source = reader.character_class()
    if reader.rest():
        reader.fail("an unpaired ]")
    return source


class _Reader:
    """A pattern being read from left to right."""

    def __init__(self, text: str, param: str) -> None:
        self._text = text
        self._param = param
        self._at = 0

    def rest(self) -> str:
        return self._text[self._at :]

    def fail(self, what: str) -> NoReturn:
        msg = f"{self._param} {self._text!r} has {what} at {self._at}. Please write it another way."
        raise ParamError(msg)

    def _take(self, count: int = 1) -> str:
        taken = self._text[self._at : self._at + count]
        if len(taken) < count:
            self.fail("an unfinished end")
        self._at += count
        return taken

    def _take_if(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _take_until(self, end: str) -> str:
        stop = self._text.find(end, self._at)
        if stop < 0:
            self.fail(f"no closing {end}")
        taken = self._text[self._at : stop]
        self._at = stop + len(end)
        return taken

    # --- outside a class -------------------------------------------------------------------------

    def pattern(self) -> str:
        """Return the whole pattern; an unpaired parenthesis is left for ``re`` to report."""
        parts = []
        while self._at < len(self._text):
            parts.append(self._branches(frozenset()))
            if self._take_if(")"):
                parts.append(")")
        return "".join(parts)

    def _branches(self, flags: frozenset[str]) -> str:
        """Return everything up to the end of the group; flags set inside hold until there."""
        parts: list[str] = []
        opened = ""
        while self._at < len(self._text) and not self._text.startswith(")", self._at):
            character = self._take()
            if character == "(" and (changed := self._flag_change(flags)) is not None:
                parts.append(opened and ")")
                flags = changed
                opened = "(?i:" if "i" in flags else "(?-i:"
                parts.append(opened)
            elif character == "(":
                parts.append(self._group(flags))
            elif character == "|":
                parts.append(f"{opened and ')'}|{opened}")
            else:
                parts.append(self._outside(character, flags))
        return "".join(parts) + (opened and ")")

    def _flag_change(self, flags: frozenset[str]) -> frozenset[str] | None:
        """Read ``?i)`` and the like after a parenthesis; None if something else stands there."""
        found = _FLAG_CHANGE.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return self._with_flags(flags, found[1], found[2] or "")

    def _with_flags(self, flags: frozenset[str], on: str, off: str) -> frozenset[str]:
        unknown = set(on + off) - set("ims")
        if unknown:
            self.fail(f"the unsupported flag {min(unknown)}")
        return (flags | set(on)) - set(off)

    def _group(self, flags: frozenset[str]) -> str:
        found = _FLAG_GROUP.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
            inner = self._with_flags(flags, found[1], found[2] or "")
            start = "(?:" if inner == flags else ("(?i:" if "i" in inner else "(?-i:")
        else:
            inner = flags
            start = next((sign for sign in ("?=", "?!", "?<=", "?<!", "?>") if self._take_if(sign)), "")
            if not start and self._take_if("?<"):
                start = f"?P<{self._take_until('>')}>"
            start = "(" + start
        body = self._branches(inner)
        return start + body + (self._take() if self.rest() else "")

    def _outside(self, character: str, flags: frozenset[str]) -> str:
        if character == "\\":
            return self._escape_outside()
        if character == "[":
            return self.character_class()
        if character == ".":
            return _ANY if "s" in flags else _DOT
        if character == "$":
            return rf"(?=[{_LINE_ENDS}]|\Z)" if "m" in flags else _BEFORE_LAST_LINE_END
        if character == "{" and not _REPETITION.match(self._text, self._at):
            self.fail("an illegal repetition")  # Python takes it as text
        if character == "^" and "m" in flags:
            return rf"(?:\A|(?<=[{_LINE_ENDS}]))(?!\Z)"
        return character

    def _escape_outside(self) -> str:
        letter = self._take()
        if letter == "Q":
            return re.escape(self._quoted())
        if letter in _PLACES and not (letter == "b" and self.rest().startswith("{")):
            return _PLACES[letter]
        if letter == "k" and self._take_if("<"):
            return f"(?P={self._take_until('>')})"
        if letter in "123456789":
            return "\\" + letter
        if letter in "HV":
            return f"[^{_CLASS_ESCAPES[letter.lower()]}]"
        return f"[{self._escape(letter)}]"

    def _quoted(self) -> str:
        if "\\E" in self.rest():
            return self._take_until("\\E")
        return self._take(len(self.rest()))

    # --- inside a class --------------------------------------------------------------------------

    def character_class(self) -> str:
        """Return one character of the class whose ``[`` has just been read."""
        negated = self._take_if("^")
        operands = [self._union(first=True)]
        while self._take_if("&&"):
            operands.append(self._union(first=False))
        self._take()
        body, union = operands[-1]
        if len(operands) == 1 and body is not None:
            return f"[{'^' * negated}{body}]"
        inside = "".join(f"(?={operand})" for _, operand in operands[:-1]) + union
        return f"(?:(?!{inside}){_ANY})" if negated else f"(?:{inside})"

    def _union(self, *, first: bool) -> tuple[str | None, str]:
        """Return ``(class body, pattern)``; the body is None where nested classes forbid a plain class."""
        body: list[str] = []
        nested: list[str] = []
        while not self._text.startswith("&&", self._at):
            if self._text.startswith("]", self._at) and not (first and not body and not nested):
                break
            character = self._take()
            if character == "[":
                nested.append(self.character_class())
            else:
                body.append(self._item(character))
        if not body and not nested:
            self.fail("an empty class")
        joined = "".join(body)
        pattern = "|".join([f"[{joined}]"] * bool(body) + nested)
        return (None if nested else joined), f"(?:{pattern})"

    def _item(self, character: str) -> str:
        if character == "\\" and self._take_if("Q"):
            return _escape_all(self._quoted())
        low = self._class_character(character)
        rest = self.rest()
        if not low or not rest.startswith("-") or rest[1:2] in {"", "]", "["}:
            return low or self._class_set()
        self._take()
        high = self._class_character(self._take())
        if not high:
            self.fail("a range that ends in a class")
        return f"{low}-{high}"

    def _class_character(self, character: str) -> str:
        """Return one character, escaped; empty (and nothing read) where an escape stands for a set."""
        if character != "\\":
            return _escape_all(character)
        if self.rest()[:1] in set("dDsSwWhHvVpP"):
            return ""
        return self._escape(self._take())

    def _class_set(self) -> str:
        letter = self._take()
        if letter in "HV":
            self.fail(f"\\{letter} inside a class")
        return self._escape(letter)

    # --- in both ---------------------------------------------------------------------------------

    def _escape(self, letter: str) -> str:
        """Return what the escape of `letter` stands for, as the body of a class."""
        if letter in _CLASS_ESCAPES:
            return _CLASS_ESCAPES[letter]
        if letter in "pP":
            name = self._take_until("}") if self._take_if("{") else self._take()
            return self._property(name, negated=letter == "P")
        if letter in "xu0":
            return self._numbered(letter)
        if letter == "c":
            return _escape_all(chr(ord(self._take()) ^ 64))
        if letter.isascii() and letter.isalnum():
            self.fail(f"the unsupported escape \\{letter}")
        return _escape_all(letter)

    def _numbered(self, letter: str) -> str:
        """Return the character of ``x41``, ``x{1f642}``, ``u0041`` or ``0101``."""
        if letter == "0":
            digits = _OCTAL.match(self._text, self._at)
            return self._code_point(self._take(len(digits[0]) if digits else 0), 8)
        if letter == "x" and self._take_if("{"):
            return self._code_point(self._take_until("}"), 16)
        return self._code_point(self._take(2 if letter == "x" else 4), 16)

    def _code_point(self, digits: str, base: int) -> str:
        try:
            return _escape_all(chr(int(digits, base)))
        except (ValueError, OverflowError):
            self.fail("a bad character number")

    def _property(self, name: str, *, negated: bool) -> str:
        if name in _POSIX:
            posix = re.compile(f"[{_POSIX[name]}]")
            return _class_body([code for code in range(128) if posix.match(chr(code))], negated=negated)
        for prefix in ("general_category=", "gc=", "Is"):
            name = name.removeprefix(prefix)
        category = _BINARY_PROPERTIES.get(name, name)
        if not _CATEGORY.fullmatch(category):
            self.fail(f"the unsupported property {name}")
        return _category_body(category, negated=negated)


def _escape_all(text: str) -> str:
    return "".join(re.escape(character) if character.isascii() else character for character in text)


@lru_cache(maxsize=64)
def _category_body(category: str, *, negated: bool) -> str:
    codes = [code for code, its in enumerate(_categories()) if its.startswith(category)]
    return _class_body(codes, negated=negated)


@lru_cache(maxsize=1)
def _categories() -> list[str]:
    return [unicodedata.category(chr(code)) for code in range(sys.maxunicode + 1)]


def _class_body(codes: Sequence[int], *, negated: bool) -> str:
    """Write ascending code points, or all others, as the body of a class."""
    starts = [code for before, code in pairwise([-2, *codes]) if code != before + 1]
    stops = [code + 1 for code, after in pairwise([*codes, sys.maxunicode + 2]) if after != code + 1]
    if negated:
        starts, stops = [0, *stops], [*starts, sys.maxunicode + 1]
    return "".join(
        f"\\U{start:08x}-\\U{stop - 1:08x}" for start, stop in zip(starts, stops, strict=True) if start < stop
    )
