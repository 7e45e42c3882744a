"""Splits texts at tokens that were added to a vocabulary, before they are normalized, as transformers 4 does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from sparkalbert.arrays import Int64Array
from sparkalbert.text.pieces.special_tokens import AddedToken

__all__ = ["AddedTokens", "Segment"]

_NEVER: Final = r"(?!)"
"""A pattern that matches nothing."""


class Segment(NamedTuple):
    """A part of a text: an added token, or the text between added tokens if `token` is None.

    Attributes
    ----------
    text
        The part, lower-cased if the text was.
    start
        Where it begins in the text that was split.
    token
        The added token, if the part is one.
    """

    text: str
    start: int
    token: AddedToken | None


class AddedTokens:
    """Splits texts at added tokens.

    Parameters
    ----------
    tokens
        The tokens, in the order of the files.
    additional
        The names among them that keep their case although they are special (``additional_special_tokens``).
    lower_case
        If true, tokens are found in the lower-cased text, as with ``do_lower_case``.
    """

    def __init__(self, tokens: Sequence[AddedToken], additional: Sequence[str], *, lower_case: bool) -> None:
        self._by_content = {token.content: token for token in tokens}
        longest_first = sorted(self._by_content, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        kept = [
            token.content for token in tokens if (token.normalized and not token.special) or token.content in additional
        ]
        self._kept_case = re.compile("|".join(map(re.escape, kept)) or _NEVER) if lower_case else None

    def lowered(self, text: str) -> tuple[str, Int64Array | None]:
        """Return the text in lower case except for added tokens, and the origin of each character.

        Returns
        -------
        text, origins
            The origins are int64 ``[len(text) + 1]``; None if every character keeps its place.
        """
        if self._kept_case is None:
            return text, None
        parts, position = [], 0
        for match in self._kept_case.finditer(text):
            parts += [*map(str.lower, text[position : match.start()]), *match.group()]
            position = match.end()
        parts += map(str.lower, text[position:])
        lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
        if (lengths == 1).all():
            return "".join(parts), None
        return "".join(parts), np.append(np.repeat(np.arange(len(text)), lengths), len(text))

    def split(self, text: str) -> list[Segment]:
        """Split a text that :meth:`lowered` returned (``PreTrainedTokenizer.tokenize`` of transformers 4)."""
        parts = [part for part in self._parts(text) if part.text]
        for index, part in enumerate(parts):
            token = part.token
            if token is None:
                continue
            left = parts[index - 1] if index else None
            right = parts[index + 1] if index + 1 < len(parts) else None
            if token.rstrip and right:
                stripped = right.text.lstrip()
                start = right.start + len(right.text) - len(stripped)
                parts[index + 1] = right._replace(text=stripped, start=start)
            if token.lstrip and left:
                parts[index - 1] = left._replace(text=left.text.rstrip())
            if not token.single_word:
                continue
            # Next to other text it is not a word of its own, so it becomes part of that text.
            if left and left.text and not left.text.endswith(" "):
                before = parts[index - 1]
                parts[index - 1] = Segment(before.text + part.text, before.start, None)
                parts[index] = Segment("", part.start, None)
            elif right and right.text and not right.text.startswith(" "):
                parts[index + 1] = Segment(part.text + right.text, part.start, None)
                parts[index] = Segment("", part.start, None)
        return [part for part in parts if part.text]

    def _parts(self, text: str) -> Iterator[Segment]:
        position = 0
        for match in self._pattern.finditer(text):
            yield Segment(text[position : match.start()], position, None)
            yield Segment(match.group(), match.start(), self._by_content[match.group()])
            position = match.end()
        yield Segment(text[position:], position, None)
