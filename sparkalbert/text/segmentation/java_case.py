"""Lower-cases text as ``java.lang.String.toLowerCase`` does in a locale."""

from __future__ import annotations

from typing import Final

import regex

__all__ = ["lower_java"]

_TURKIC: Final = frozenset({"tr", "az"})
_DOTTED_I: Final = regex.compile(r"I([^\p{ccc=0}\p{ccc=230}]*)\u0307")
_BELOW_ACCENT: Final = regex.compile(r"[IJĮ](?=[^\p{ccc=0}\p{ccc=230}]*\p{ccc=230})")
_LITHUANIAN: Final = str.maketrans({"Ì": "i\u0307\u0300", "Í": "i\u0307\u0301", "Ĩ": "i\u0307\u0303"})


def lower_java(text: str, locale: str = "") -> str:
    r"""Return `text` in lower case.

    Parameters
    ----------
    text
        Any text.
    locale
        A language as Java names it. Only Turkish (``tr``), Azerbaijani (``az``) and Lithuanian (``lt``) have rules of
        their own.

    Examples
    --------
    >>> lower_java("ISI"), lower_java("ISI", "tr") == "\u0131s\u0131"
    ('isi', True)
    """
    if locale in _TURKIC:
        text = _DOTTED_I.sub(r"i\1", text).replace("İ", "i").replace("I", "\u0131")
    elif locale == "lt":
        text = _BELOW_ACCENT.sub(lambda found: f"{found[0].lower()}\u0307", text).translate(_LITHUANIAN)
    return text.lower()
