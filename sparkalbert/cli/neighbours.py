"""Shows what the vectors of the sample capture: the senses of a word, and which words are near each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rich.table import Table

from sparkalbert.arrays import Float32Array
from sparkalbert.cli.screen import OUTPUT
from sparkalbert.vectors import unit_vectors

__all__ = ["show_neighbours"]

_TWO_SENSES: Final = ("bank", "bat", "spring")
_PROBES: Final = ("surgeon", "violins", "judge", "soup", "galaxy")
_CONTEXT_WORDS: Final = 3
_NEIGHBOURS: Final = 3
_MAX_LINES: Final = 2
"""A word that is in more lines than this is an article or the like, which is near every word."""


@dataclass(frozen=True)
class _Words:
    """All words of the sample.

    Attributes
    ----------
    row
        The row that each word is in.
    token
        Each word in lower case.
    unit
        float32 ``[words, dimension]``: the vectors, scaled to length 1.
    """

    row: list[int]
    token: list[str]
    unit: Float32Array

    @classmethod
    def of(cls, rows: Sequence[dict[str, Any]]) -> _Words:
        pairs = [(row, token) for row, content in enumerate(rows) for token in content["tokens"]]
        vectors = np.array([vector for content in rows for vector in content["vectors"]], dtype=np.float32)
        return cls([row for row, _ in pairs], [token.lower() for _, token in pairs], unit_vectors(vectors))

    def positions(self, word: str) -> list[int]:
        return [position for position, token in enumerate(self.token) if token == word]

    def context(self, position: int) -> str:
        """Return a word with the words around it in the same row."""
        start, stop = max(0, position - _CONTEXT_WORDS), position + _CONTEXT_WORDS + 1
        row = self.row[position]
        pairs = zip(self.row[start:stop], self.token[start:stop], strict=True)
        return " ".join(token for other_row, token in pairs if other_row == row)

    def nearest(self, position: int, candidates: Sequence[int]) -> list[tuple[int, float]]:
        """Return the candidates' positions and cosines, nearest first."""
        cosines = self.unit[list(candidates)] @ self.unit[position]
        order = np.argsort(-cosines, kind="stable")
        return [(candidates[index], float(cosines[index])) for index in order]


def show_neighbours(rows: Sequence[dict[str, Any]]) -> None:
    """Print, for some words of the sample, the words that are nearest by cosine.

    Parameters
    ----------
    rows
        The embedded sample: rows with ``tokens`` and ``vectors``.
    """
    words = _Words.of(rows)
    senses = Table("the word in", "is nearest to the word in", "cosine", pad_edge=False)
    senses.title, senses.title_justify = "Words with two senses", "left"
    for row in _senses(words):
        senses.add_row(*row)
    OUTPUT.print(senses)
    OUTPUT.print("\nNearest words of other lines", style="italic")
    for probe in _PROBES:
        OUTPUT.print(f"  {probe}: {_neighbours(words, probe)}")


def _senses(words: _Words) -> Iterator[tuple[str, str, str]]:
    for word in _TWO_SENSES:
        positions = words.positions(word)
        shown: set[frozenset[int]] = set()
        for position in positions:
            other, cosine = words.nearest(position, [one for one in positions if one != position])[0]
            pair = frozenset((position, other))
            if pair not in shown:  # two uses that are nearest to each other are shown once
                yield words.context(position), words.context(other), f"{cosine:.2f}"
            shown.add(pair)


def _neighbours(words: _Words, probe: str) -> str:
    (position, *_) = words.positions(probe)
    lines = Counter(token for _, token in {*zip(words.row, words.token, strict=True)})
    candidates = [
        candidate
        for candidate, token in enumerate(words.token)
        if words.row[candidate] != words.row[position] and token.isalpha() and lines[token] <= _MAX_LINES
    ]
    best: dict[str, float] = {}
    for candidate, cosine in words.nearest(position, candidates):
        best.setdefault(words.token[candidate], cosine)
    return ", ".join(f"{token} {cosine:.2f}" for token, cosine in list(best.items())[:_NEIGHBOURS])
