"""What the vectors of the demo's sample say: uses of one word told apart, and words near each other.

It knows rows of tokens and vectors, nothing about where they came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.table import Table

from sparkalbert.cli.screen import OUTPUT

__all__ = ["show_neighbours"]

Float32Array = npt.NDArray[np.float32]

_TWO_SENSES: Final = ("bank", "bat", "spring")
_PROBES: Final = ("surgeon", "violins", "judge", "soup", "galaxy")
_CONTEXT_WORDS: Final = 3
_NEIGHBOURS: Final = 3
# A word of more lines than this is an article or the like, which lies near everything.
_MOST_LINES: Final = 2


@dataclass(frozen=True)
class _Words:
    """Every word of the sample: the row it is in, lower-cased, and its vector scaled to length 1.

    ``unit`` is float32 ``[words, dimension]``.
    """

    row: list[int]
    token: list[str]
    unit: Float32Array

    @classmethod
    def of(cls, rows: Sequence[dict[str, Any]]) -> _Words:
        pairs = [(row, token) for row, content in enumerate(rows) for token in content["tokens"]]
        vectors = np.array([vector for content in rows for vector in content["vectors"]], dtype=np.float32)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
        return cls([row for row, _ in pairs], [token.lower() for _, token in pairs], unit)

    def places(self, word: str) -> list[int]:
        return [place for place, token in enumerate(self.token) if token == word]

    def context(self, place: int) -> str:
        """Return a word with its neighbours of the same row."""
        near = range(max(0, place - _CONTEXT_WORDS), min(len(self.row), place + _CONTEXT_WORDS + 1))
        return " ".join(self.token[one] for one in near if self.row[one] == self.row[place])

    def nearest(self, place: int, among: Sequence[int]) -> list[tuple[int, float]]:
        """Return places and cosines, nearest first."""
        cosines = self.unit[list(among)] @ self.unit[place]
        order = np.argsort(-cosines, kind="stable")
        return [(among[index], float(cosines[index])) for index in order]


def show_neighbours(rows: Sequence[dict[str, Any]]) -> None:
    """Print, for some words of the sample, which others are nearest by cosine.

    Parameters
    ----------
    rows
        Rows with ``tokens`` and ``vectors``.
    """
    words = _Words.of(rows)
    senses = Table("the word in", "is nearest to the one in", "cosine", pad_edge=False)
    senses.title, senses.title_justify = "Words with two senses", "left"
    for row in _senses(words):
        senses.add_row(*row)
    OUTPUT.print(senses)
    OUTPUT.print("\nNearest words of other lines", style="italic")
    for probe in _PROBES:
        OUTPUT.print(f"  {probe}: {_neighbours(words, probe)}", highlight=False)


def _senses(words: _Words) -> Iterator[tuple[str, str, str]]:
    for word in _TWO_SENSES:
        places = words.places(word)
        for place in places:
            other, cosine = words.nearest(place, [one for one in places if one != place])[0]
            yield words.context(place), words.context(other), f"{cosine:.2f}"


def _neighbours(words: _Words, probe: str) -> str:
    (place, *_) = words.places(probe)
    lines = Counter(token for _, token in {*zip(words.row, words.token, strict=True)})
    others = [
        one
        for one, token in enumerate(words.token)
        if words.row[one] != words.row[place] and token.isalpha() and lines[token] <= _MOST_LINES
    ]
    best: dict[str, float] = {}
    for other, cosine in words.nearest(place, others):
        best.setdefault(words.token[other], cosine)
    shown = list(best.items())[:_NEIGHBOURS]
    return ", ".join(f"{token} {cosine:.2f}" for token, cosine in shown)
