"""Finds given phrases among the words of a sentence, as Spark NLP's TextMatcher does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sparkalbert.offsets import Span
from sparkalbert.text.segmentation.java_case import lower_java

__all__ = ["PhraseFinder", "merge_spans"]

_END: Final = None  # the key that marks the end of a phrase; never equal to a word


class PhraseFinder:
    """Finds every occurrence of every phrase.

    Parameters
    ----------
    phrases
        The words of each phrase.
    case_sensitive
        If false, words are compared in lower case.

    Examples
    --------
    >>> finder = PhraseFinder([["New", "York"], ["York"]], case_sensitive=True)
    >>> finder.find(["In", "New", "York"])
    [Span(start=1, stop=3), Span(start=2, stop=3)]
    """

    def __init__(self, phrases: Iterable[Sequence[str]], *, case_sensitive: bool) -> None:
        self._case_sensitive = case_sensitive
        self._trie: dict[str | None, Any] = {}
        for phrase in phrases:
            node = self._trie
            for word in phrase:
                node = node.setdefault(self._compared(word), {})
            if phrase:
                node[_END] = {}

    def find(self, words: Sequence[str]) -> list[Span]:
        """Return the spans of phrases, counted in words, in the order of their ends; longer phrases first."""
        compared = [self._compared(word) for word in words]
        found = []
        for start in range(len(compared)):
            node = self._trie
            for at in range(start, len(compared)):
                if compared[at] not in node:
                    break
                node = node[compared[at]]
                if _END in node:
                    found.append(Span(start, at + 1))
        return sorted(found, key=lambda span: (span.stop, span.start))

    def _compared(self, word: str) -> str:
        return word if self._case_sensitive else lower_java(word)


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Merge spans that overlap; adjacent spans stay apart.

    Examples
    --------
    >>> merge_spans([Span(2, 4), Span(0, 2), Span(3, 5)])
    [Span(start=0, stop=2), Span(start=2, stop=5)]
    """
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].stop:
            merged[-1] = Span(merged[-1].start, max(merged[-1].stop, span.stop))
        else:
            merged.append(span)
    return merged
