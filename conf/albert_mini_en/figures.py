"""The figures of word vectors: agreement with the teacher, with human judgement, and senses of words.

They apply to any function that returns word vectors, so a bundle, the teacher and a baseline are measured in the same
way. Requires no torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkalbert.arrays import Float32Array, Float64Array
from sparkalbert.vectors import cosine_similarity, unit_vectors
from sparkalbert.word_embedder import WordEmbedder

__all__ = [
    "SENSES",
    "Embed",
    "EmbeddedWords",
    "Figures",
    "embed_with",
    "evaluate",
    "recall_at_10",
    "sense_accuracy",
    "spearman",
]

SENSES = {
    name: Path(__file__).with_name(f"{file}.json")
    for name, file in (("project", "senses"), ("development", "senses_development"), ("test", "senses_test"))
}
"""Lists of ambiguous words, two senses each, four or five sentences per sense; written for this purpose.

The development list is for choices between models. Nothing is chosen by the other two.
"""

_PAIRS = 100_000
_NEIGHBOURS = 10


class EmbeddedWords(NamedTuple):
    """The words of one text, and their vectors, float32 ``[words, dimension]``."""

    words: list[str]
    vectors: Float32Array


Embed = Callable[[Sequence[str]], Sequence[EmbeddedWords]]
"""Returns the words of each text with their vectors."""


class Figures(NamedTuple):
    """The figures of one model.

    Attributes
    ----------
    pairs_spearman
        Rank correlation of cosines with the teacher's, over random pairs of texts.
    recall_at_10
        Share of texts whose nearest neighbour by the teacher is among the ten nearest.
    wordsim_spearman, simlex_spearman
        Rank correlation of cosines of words with human judgement.
    senses, senses_development, senses_test
        Share of occurrences of ambiguous words that are nearer to their own sense than to the other, for each list
        of :data:`SENSES`.
    """

    pairs_spearman: float
    recall_at_10: float
    wordsim_spearman: float
    simlex_spearman: float
    senses: float
    senses_development: float
    senses_test: float


def evaluate(
    embed: Embed,
    texts: Sequence[str],
    teacher_vectors: Float32Array,
    word_pairs: Sequence[Sequence[tuple[str, str, float]]],
) -> Figures:
    """Return the figures of a model.

    Parameters
    ----------
    embed
        The model.
    texts
        Texts that were not used for training.
    teacher_vectors
        float32 ``[texts, dimension]``, the teacher's vectors of these texts.
    word_pairs
        WordSim-353 and SimLex-999: pairs of words with human scores.
    """
    vectors = _text_vectors(embed, texts)
    wordsim, simlex = (_word_spearman(embed, pairs) for pairs in word_pairs)
    return Figures(
        _pairs_spearman(vectors, teacher_vectors),
        recall_at_10(vectors, teacher_vectors),
        wordsim,
        simlex,
        *(sense_accuracy(embed, path) for path in SENSES.values()),
    )


def embed_with(model: str | Path, layers: Sequence[int] = (-1,), threads: int | None = None) -> Embed:
    """Return a function that embeds texts with a bundle, a checkpoint or an embedded model.

    Parameters
    ----------
    model
        Its folder or name.
    layers
        As in :meth:`WordEmbedder.load`; ``(0,)`` returns pieces without context.
    threads
        Threads of one forward pass.
    """
    embedder = WordEmbedder.load(model, layers=layers, threads=threads)

    def embed(texts: Sequence[str]) -> list[EmbeddedWords]:
        return [EmbeddedWords(text.tokens, text.vectors) for text in embedder.embed(texts)]

    return embed


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the rank correlation of two lists; equal values share their mean rank."""
    return float(np.corrcoef(_ranks(np.asarray(first)), _ranks(np.asarray(second)))[0, 1])


def _ranks(values: npt.NDArray[np.floating]) -> Float64Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last_ranks = np.cumsum(counts)
    ranks: Float64Array = (last_ranks - (counts - 1) / 2)[inverse]
    return ranks


def _text_vectors(embed: Embed, texts: Sequence[str]) -> Float32Array:
    return unit_vectors(np.stack([embedded.vectors.mean(axis=0) for embedded in embed(texts)]))


def _pairs_spearman(predicted: Float32Array, target: Float32Array) -> float:
    random = np.random.default_rng(0)
    first, second = random.integers(0, len(predicted), (2, _PAIRS))
    first, second = first[first != second], second[first != second]
    return spearman(
        np.einsum("ij,ij->i", predicted[first], predicted[second]),
        np.einsum("ij,ij->i", target[first], target[second]),
    )


def recall_at_10(predicted: Float32Array, target: Float32Array) -> float:
    """Return the share of texts whose nearest neighbour by `target` is among the ten nearest by `predicted`.

    Parameters
    ----------
    predicted, target
        float32 ``[texts, dimension]``.
    """
    nearest = _other_cosines(target).argmax(axis=1)
    close = np.argpartition(-_other_cosines(predicted), _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    return float((close == nearest[:, None]).any(axis=1).mean())


def _other_cosines(vectors: Float32Array) -> Float32Array:
    cosines = cosine_similarity(vectors, vectors)
    np.fill_diagonal(cosines, -np.inf)
    return cosines


def _word_spearman(embed: Embed, pairs: Sequence[tuple[str, str, float]]) -> float:
    words = sorted({word for first, second, _ in pairs for word in (first, second)})
    vectors = dict(zip(words, _text_vectors(embed, words), strict=True))
    cosines = [float(vectors[first] @ vectors[second]) for first, second, _ in pairs]
    return spearman(cosines, [score for *_, score in pairs])


def sense_accuracy(embed: Embed, path: Path) -> float:
    """Return the share of occurrences whose mean cosine to their own sense is larger than to the other sense.

    Parameters
    ----------
    embed
        The model.
    path
        One of the lists of :data:`SENSES`.
    """
    senses = json.loads(path.read_text(encoding="utf-8"))
    correct: list[bool] = []
    for word, groups in senses.items():
        vectors = [_occurrences(embed, word, group) for group in groups]
        for own, other in (vectors, reversed(vectors)):
            to_own = cosine_similarity(own, own)
            to_own_mean = (to_own.sum(axis=1) - np.diag(to_own)) / (len(own) - 1)
            correct += list(to_own_mean > cosine_similarity(own, other).mean(axis=1))
    return float(np.mean(correct))


def _occurrences(embed: Embed, word: str, texts: Sequence[str]) -> Float32Array:
    return np.stack([embedded.vectors[_position(embedded.words, word)] for embedded in embed(texts)])


def _position(words: Sequence[str], word: str) -> int:
    return [candidate.lower() for candidate in words].index(word)
