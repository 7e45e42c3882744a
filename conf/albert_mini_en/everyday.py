"""The weights of words in the vocabulary of ``albert_mini_en``: words of everyday English are kept whole.

A word's weight is the square root of its use, times a factor for how common the word lists of SCOWL rate it. An
inflected form has less weight, because its first piece is its stem. The use is the mean over the sources of the square
root of the frequency, squared, so that a word that only one source repeats (``whale``, ``tuple``) has less weight than
a word that all of them use. The rule was revised once, after the share of one-piece words in the evaluation's word
pairs had been seen for its first version; the model card says so too.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sparkalbert.text.pieces.normalization import NormalizationOptions, normalize

__all__ = ["everyday_weights", "read_levels", "read_names", "read_tagged_counts"]

_OPTIONS: Final = NormalizationOptions()
_LEVEL_FACTORS: Final = {10: 8.0, 20: 4.0, 35: 2.0}
_NAME_LEVELS: Final = {"upper": (10, 35, 40, 50), "proper-names": (35, 40, 50)}
_UNLISTED_LEMMA: Final = 0.8
_UNLISTED: Final = 0.4
_MIN_FREQUENCY: Final = 0.05
_INFLECTED: Final = 0.3
_NO_LEMMA: Final = 0.7
# Forms that are more frequent than this, per million, keep their weight: is, was, has, said.
_VERY_FREQUENT: Final = 50
_MIN_STEM: Final = 3
_ENDINGS: Final = {"ies": ("y",), "es": ("", "e"), "s": ("",), "ied": ("y",), "ed": ("", "e")} | {
    "ing": ("", "e"),
    "ly": ("", "le"),
}


def everyday_weights(
    sources: Mapping[str, Mapping[str, int]], levels: Mapping[str, int], lemmas: Iterable[str]
) -> dict[str, float]:
    """Return the weight of every word that a source uses or that the word lists contain.

    Parameters
    ----------
    sources
        The count of each word in each source.
    levels
        The list that each word is in, 10 for the most common words; see :func:`read_levels`.
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
        frequency = (use.get(word, 0.0) / len(sources)) ** 2 + _MIN_FREQUENCY
        unlisted = _UNLISTED_LEMMA if word in known else _UNLISTED
        weight = math.sqrt(frequency) * _LEVEL_FACTORS.get(levels.get(word, 0), unlisted)
        if word not in known and frequency < _VERY_FREQUENT:
            weight *= _INFLECTED if _is_inflected(word, known) else _NO_LEMMA
        weights[word] = weight
    return weights


def _is_inflected(word: str, known: set[str]) -> bool:
    for ending, replacements in _ENDINGS.items():
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < _MIN_STEM:
            continue
        doubled = stem[-1] == stem[-2] and stem[:-1] in known
        if doubled or any(stem + replacement in known for replacement in replacements):
            return True
    return False


def read_levels(folder: Path) -> dict[str, int]:
    """Return the common words of SCOWL, with the smallest list that each is in."""
    levels: dict[str, int] = {}
    for level in _LEVEL_FACTORS:
        for kind in ("english", "american"):
            for word in (folder / f"{kind}-words.{level}").read_text(encoding="latin-1").split():
                levels.setdefault(_normal(word.removesuffix("'s")), level)
    return levels


def read_names(folder: Path) -> list[str]:
    """Return the common names in the lists of SCOWL: of people, places, nationalities and firms."""
    lists = [folder / f"english-{kind}.{level}" for kind in ("upper", "proper-names") for level in _NAME_LEVELS[kind]]
    names = [name for path in lists for name in path.read_text(encoding="latin-1").split()]
    return list(dict.fromkeys(name for name in names if name.isalpha()))


def read_tagged_counts(folder: Path) -> Counter[str]:
    """Return the count of each word in the texts that WordNet's authors tagged."""
    counts: Counter[str] = Counter()
    for line in (folder / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        key, _, count = line.split()
        word = key.partition("%")[0]
        if word.isalpha():
            counts[_normal(word)] += int(count)
    return counts


def _normal(word: str) -> str:
    return normalize(word, _OPTIONS).text
