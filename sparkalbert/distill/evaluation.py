"""How much a student knows: against the teacher's judgement, human judgement, and senses of words.

An embedder is any function that gives word vectors for texts, so a bundle, the teacher and a baseline are
measured by one rule. It needs no torch and knows nothing about training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkalbert.inference import WordEmbedder
from sparkalbert.text import SentenceSplitter

__all__ = [
    "Embed",
    "EmbeddedWords",
    "Figures",
    "embed_with",
    "evaluate",
    "read_news",
    "read_word_pairs",
    "recall_at_10",
    "sense_accuracy",
    "spearman",
]

FloatArray = npt.NDArray[np.float32]

_PAIRS = 100_000
_NEIGHBOURS = 10


class EmbeddedWords(NamedTuple):
    """The words of one text, float32 ``[words, dimension]`` beside them."""

    words: list[str]
    vectors: FloatArray


Embed = Callable[[Sequence[str]], Sequence[EmbeddedWords]]
"""Gives the words of each text with their vectors."""


class Figures(NamedTuple):
    """What was measured.

    Attributes
    ----------
    pairs_spearman
        Rank correlation of cosines with the teacher's, over random pairs of texts.
    recall_at_10
        How often the teacher's nearest neighbour is among the ten nearest.
    wordsim_spearman, simlex_spearman
        Rank correlation of word cosines with human judgement.
    sense_accuracy
        Share of occurrences of ambiguous words nearer to their own sense than to the other.
    """

    pairs_spearman: float
    recall_at_10: float
    wordsim_spearman: float
    simlex_spearman: float
    sense_accuracy: float


def evaluate(
    embed: Embed,
    texts: Sequence[str],
    teacher_vectors: FloatArray,
    word_pairs: Sequence[Sequence[tuple[str, str, float]]],
) -> Figures:
    """Return the figures of an embedder.

    Parameters
    ----------
    embed
        What is measured.
    texts
        Unseen texts.
    teacher_vectors
        float32 ``[texts, dimension]``, the teacher's vectors of them.
    word_pairs
        WordSim-353 and SimLex-999, see :func:`read_word_pairs`.
    """
    means = _text_vectors(embed, texts)
    wordsim, simlex = (_word_spearman(embed, pairs) for pairs in word_pairs)
    return Figures(
        _pairs_spearman(means, teacher_vectors),
        recall_at_10(means, teacher_vectors),
        wordsim,
        simlex,
        sense_accuracy(embed),
    )


def embed_with(model: str | Path, layers: Sequence[int] = (-1,), threads: int | None = None) -> Embed:
    """Return a function that embeds texts with a bundle, a checkpoint or an embedded model.

    Parameters
    ----------
    model
        Its folder or name.
    layers
        As in :meth:`WordEmbedder.load`; ``(0,)`` gives pieces without context.
    threads
        Threads of one call.
    """
    embedder = WordEmbedder.load(model, layers=layers, threads=threads)

    def embed(texts: Sequence[str]) -> list[EmbeddedWords]:
        return [EmbeddedWords(text.tokens, text.vectors) for text in embedder.embed(texts)]

    return embed


def read_news(folder: Path) -> list[str]:
    """Return the sentences of the Lee news collections in gensim's test data."""
    splitter = SentenceSplitter()
    found: dict[str, None] = {}
    for name in ("lee_background.cor", "lee.cor"):
        for line in (folder / name).read_text(encoding="latin-1").splitlines():
            for span in splitter.split(line):
                text = line[span.start : span.stop].strip()
                if len(text.split()) > 3:  # noqa: PLR2004 - headings and scores say nothing
                    found[text] = None
    return list(found)


def read_word_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Return the word pairs of a list and how alike people find them."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row[0], row[1], float(row[2])) for row in rows if len(row) == 3 and not row[0].startswith("#")]  # noqa: PLR2004 - word, word, score


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the rank correlation of two lists; ties share their mean rank.

    Examples
    --------
    >>> round(spearman([1, 2, 3, 4], [10, 20, 40, 30]), 2)
    0.8
    """
    return float(np.corrcoef(_ranks(np.asarray(first)), _ranks(np.asarray(second)))[0, 1])


def _ranks(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: npt.NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return ranks


def _unit(vectors: FloatArray) -> FloatArray:
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return unit


def _text_vectors(embed: Embed, texts: Sequence[str]) -> FloatArray:
    return _unit(np.stack([embedded.vectors.mean(axis=0) for embedded in embed(texts)]))


def _pairs_spearman(found: FloatArray, told: FloatArray) -> float:
    random = np.random.default_rng(0)
    first, second = random.integers(0, len(found), (2, _PAIRS))
    first, second = first[first != second], second[first != second]
    return spearman(
        np.einsum("ij,ij->i", found[first], found[second]), np.einsum("ij,ij->i", told[first], told[second])
    )


def recall_at_10(found: FloatArray, told: FloatArray) -> float:
    """Return how often the nearest neighbour by `told` is among the ten nearest by `found`.

    Parameters
    ----------
    found, told
        float32 ``[texts, dimension]``, rows of length 1.
    """
    nearest = _cosines(told).argmax(axis=1)
    close = np.argpartition(-_cosines(found), _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    return float((close == nearest[:, None]).any(axis=1).mean())


def _cosines(vectors: FloatArray) -> FloatArray:
    cosines: FloatArray = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return cosines


def _word_spearman(embed: Embed, pairs: Sequence[tuple[str, str, float]]) -> float:
    words = sorted({word for first, second, _ in pairs for word in (first, second)})
    vectors = dict(zip(words, _text_vectors(embed, words), strict=True))
    cosines = [float(vectors[first] @ vectors[second]) for first, second, _ in pairs]
    return spearman(cosines, [score for *_, score in pairs])


def sense_accuracy(embed: Embed) -> float:
    """Return the share of occurrences nearer, by mean cosine, to their own sense than to the other.

    The sentences lie in ``senses.json``: twelve words, two senses each, five sentences a sense.
    """
    senses = json.loads(files("sparkalbert.distill").joinpath("senses.json").read_text(encoding="utf-8"))
    right: list[bool] = []
    for word, groups in senses.items():
        vectors = [_unit(_occurrences(embed, word, group)) for group in groups]
        for own, other in (vectors, reversed(vectors)):
            inside = own @ own.T
            to_own = (inside.sum(axis=1) - np.diag(inside)) / (len(own) - 1)
            right += list(to_own > (own @ other.T).mean(axis=1))
    return float(np.mean(right))


def _occurrences(embed: Embed, word: str, texts: Sequence[str]) -> FloatArray:
    return np.stack([embedded.vectors[_place(embedded.words, word)] for embedded in embed(texts)])


def _place(words: Sequence[str], word: str) -> int:
    return [candidate.lower() for candidate in words].index(word)
