"""Offsets into texts: half-open code point spans inside the package, inclusive UTF-16 offsets in columns.

Inside sparkalbert a part of a text is a span ``start``/``stop`` of Python ``str`` indices: ``text[start:stop]``.
Annotation columns have ``begin``/``end`` as in Spark NLP, which counts in the JVM's UTF-16 units and includes the
end. Only this module converts between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sparkalbert.arrays import Int64Array

__all__ = [
    "Span",
    "code_point_index",
    "is_bmp",
    "span_array",
    "utf16_index",
    "utf16_length",
    "utf16_units",
]

_LAST_BMP = "\uffff"


class Span(NamedTuple):
    """A part of a text: ``text[start:stop]``, counted in code points.

    Examples
    --------
    >>> text = "I love NLP"
    >>> text[slice(*Span(2, 6))]
    'love'
    """

    start: int
    stop: int


def span_array(spans: Sequence[Span]) -> Int64Array:
    """Return spans as int64 ``[n, 2]``.

    Examples
    --------
    >>> span_array([Span(0, 4), Span(5, 9)]).tolist(), span_array([]).shape
    ([[0, 4], [5, 9]], (0, 2))
    """
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


def is_bmp(text: str) -> bool:
    """Return whether the code points and UTF-16 units of `text` are the same (true for nearly all texts)."""
    return text.isascii() or max(text) <= _LAST_BMP


def utf16_length(text: str) -> int:
    """Return the number of UTF-16 units of `text`, the ``length`` of a string on the JVM.

    Examples
    --------
    >>> utf16_length("a🙂")
    3
    """
    return len(text) if is_bmp(text) else len(text) + sum(character > _LAST_BMP for character in text)


def utf16_units(text: str) -> str:
    r"""Return a string with one character per UTF-16 unit of `text`, to search as the JVM searches.

    Examples
    --------
    >>> utf16_units("a🙂")
    'a\ud83d\ude42'
    """
    if is_bmp(text):
        return text
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")
    return units.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def utf16_index(text: str) -> Int64Array:
    """Return, for each code point index of `text` (and its length), the UTF-16 index.

    Returns
    -------
    ndarray
        int64 ``[len(text) + 1]``.

    Examples
    --------
    >>> utf16_index("a🙂b").tolist()
    [0, 1, 3, 4]
    """
    wide = np.fromiter((character > _LAST_BMP for character in text), dtype=np.int64, count=len(text))
    return np.concatenate([[0], np.cumsum(wide + 1)])


def code_point_index(text: str) -> Int64Array:
    """Return, for each UTF-16 index of `text` (and its UTF-16 length), the code point index.

    The second half of a surrogate pair maps to the character it belongs to.

    Returns
    -------
    ndarray
        int64 ``[utf16_length(text) + 1]``.

    Examples
    --------
    >>> code_point_index("a🙂b").tolist()
    [0, 1, 1, 2, 3]
    """
    widths = np.diff(utf16_index(text))
    return np.concatenate([np.repeat(np.arange(len(text)), widths), [len(text)]])
