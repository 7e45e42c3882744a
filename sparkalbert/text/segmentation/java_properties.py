r"""Translates the character properties of Java's ``\p{...}`` into sets of the `regex` package."""

from __future__ import annotations

import re
from typing import Final

import regex

__all__ = ["property_set"]

# POSIX classes contain ASCII characters only; the names with java are methods of java.lang.Character.
_EXACT_NAMES: Final = {
    "ASCII": r"\x00-\x7f",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "Digit": "0-9",
    "Graph": r"!-\~",
    "Lower": "a-z",
    "Print": r" -\~",
    "Punct": r"!-/:-@\[-`{-\~",
    "Space": r" \t\n\x0b\f\r",
    "Upper": "A-Z",
    "XDigit": "0-9a-fA-F",
    "javaDefined": r"\P{Cn}",
    "javaISOControl": r"\p{Cc}",
    "javaLetterOrDigit": r"\p{L}\p{Nd}",
    "javaMirrored": r"\p{Bidi_Mirrored}",
    "javaSpaceChar": r"\p{Z}",
    "javaWhitespace": r"\t-\r\x1c-\x1f[\p{Z}--[\xa0\u2007\u202f]]",
}
# Binary properties; Java reads them in any case and with or without underscores: \p{IsWhite_Space}, \p{javaLowerCase}.
_BINARY: Final = {
    "ALPHABETIC": r"\p{Alphabetic}",
    "ASSIGNED": r"\P{Cn}",
    "CONTROL": r"\p{Cc}",
    "DIGIT": r"\p{Nd}",
    "HEXDIGIT": r"\p{Nd}\p{Hex_Digit}",
    "IDEOGRAPHIC": r"\p{Ideographic}",
    "JOINCONTROL": r"\p{Join_Control}",
    "LETTER": r"\p{L}",
    "LOWERCASE": r"\p{Lowercase}",
    "NONCHARACTERCODEPOINT": r"\p{Noncharacter_Code_Point}",
    "PUNCTUATION": r"\p{P}",
    "TITLECASE": r"\p{Lt}",
    "UPPERCASE": r"\p{Uppercase}",
    "WHITESPACE": r"\p{White_Space}",
    "WORD": r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}",
}
_BINARY_NAME: Final = re.compile("(?:Is|java)(.+)")
_CATEGORY: Final = re.compile(
    "(?:Is|gc=|general_category=)?(L[ultmo]?|M[nce]?|N[dlo]?|Z[slp]?|C[cfson]?|P[cdseifo]?|S[mcko]?)"
)
_CATEGORY_GROUP: Final = re.compile("(?:Is|gc=|general_category=)?(LC|LD|L1|all)")
_CATEGORY_GROUPS: Final = {"LC": r"\p{Lu}\p{Ll}\p{Lt}", "LD": r"\p{L}\p{Nd}", "L1": r"\x00-\xff", "all": r"\s\S"}
_SCRIPT_OR_BLOCK: Final = re.compile("(?:(?P<script>Is|sc=|script=)|In|blk=|block=)(?P<name>.+)")
# What (?i) makes of a property of one case: all cased characters.
_WITHOUT_CASE: Final = {
    "a-z": "a-zA-Z",
    "A-Z": "a-zA-Z",
    **dict.fromkeys([r"\p{Lu}", r"\p{Ll}", r"\p{Lt}"], r"\p{Lu}\p{Ll}\p{Lt}"),
    **dict.fromkeys([r"\p{Lowercase}", r"\p{Uppercase}"], r"\p{Lowercase}\p{Uppercase}\p{Lt}"),
}


def property_set(name: str, *, ignore_case: bool = False) -> str | None:
    r"""Return the characters of ``\p{name}`` as the inside of a `regex` set, or None if the name is not supported.

    Parameters
    ----------
    name
        A POSIX class, general category, binary property, script, block or method of ``java.lang.Character``.
    ignore_case
        If true, a property of one case contains the characters of the other cases too, as after ``(?i)``.

    Examples
    --------
    >>> property_set("Lu"), property_set("IsGreek"), property_set("javaLowerCase")
    ('\\p{Lu}', '\\p{Script=Greek}', '\\p{Lowercase}')
    >>> property_set("Alpha"), property_set("IsAlphabetic"), property_set("Alphabetic")
    ('a-zA-Z', '\\p{Alphabetic}', None)
    """
    found = _EXACT_NAMES.get(name) or _binary(name) or _category(name) or _script_or_block(name)
    return _WITHOUT_CASE.get(found, found) if ignore_case and found else found


def _binary(name: str) -> str | None:
    found = _BINARY_NAME.fullmatch(name)
    return found and _BINARY.get(found[1].upper().replace("_", ""))


def _category(name: str) -> str | None:
    if found := _CATEGORY_GROUP.fullmatch(name):
        return _CATEGORY_GROUPS[found[1]]
    found = _CATEGORY.fullmatch(name)
    return found and rf"\p{{{found[1]}}}"


def _script_or_block(name: str) -> str | None:
    found = _SCRIPT_OR_BLOCK.fullmatch(name)
    if found is None:
        return None
    source = rf"\p{{{'Script' if found['script'] else 'Block'}={found['name']}}}"
    try:
        regex.compile(source, regex.V1)
    except regex.error:
        return None
    return source
