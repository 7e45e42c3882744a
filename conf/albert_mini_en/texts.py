"""The texts of the sources, and which of them the student and its vocabulary learn from."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from sparkalbert.distill.corpora import seeded, training_texts
from sparkalbert.distill.vocabulary import count_words
from sparkalbert.errors import InputError
from sparkalbert.text import PieceTokenizer

from .everyday import everyday_weights, read_levels, read_names, read_tagged_counts
from .readers import (
    dictionary_passages,
    html_passages,
    json_passages,
    webster_passages,
    wordnet_entries,
    wordnet_texts,
)
from .sources import SOURCES, WORD_LISTS, Source

__all__ = ["read_sources", "student_texts", "vocabulary_weights"]

_SEED: Final = 0
_CHOICE_SEED: Final = 7
_ALONE_SEED: Final = 9
_MIN_USES: Final = 3
_MAX_WORDS_ALONE: Final = 20_000
_MAX_PHRASES: Final = 20_000
_PHRASE_WORDS: Final = 2
_WORD: Final = re.compile(r"[a-z]+")
_LETTER: Final = re.compile(r"[A-Za-z]")
_MIN_LETTERS: Final = 0.7
_MAX_LENGTH: Final = 350
_RARE_ENTRIES: Final = 100_000
# Sources that are read as a whole are modern or well edited prose; samples of the others add other subjects.
_STUDENT_SAMPLES: Final = {
    "sotu": 38_000,
    "factbook": 25_000,
    "webster": 60_000,
    "python": 25_000,
    "postgresql": 12_000,
    "moby-dick": 10_000,
    "jargon": 10_000,
    "devil": 3_000,
}
_WORDNET: Final = SOURCES[0]


def read_sources(folder: Path) -> dict[str, list[str]]:
    """Return the different texts of each source.

    Parameters
    ----------
    folder
        The folder of the downloads, see :func:`.sources.fetch_sources`.

    Raises
    ------
    InputError
        If a source is missing.
    """
    texts: dict[str, list[str]] = {}
    for source in SOURCES:
        path = source.folder(folder)
        found = list(dict.fromkeys(_texts(source, path))) if path.exists() else []
        if not found:
            msg = (
                f"{folder} holds no text of {source.package} {source.version}. Fetch the sources first: "
                f"python conf/albert_mini_en fetch --sources {folder}"
            )
            raise InputError(msg)
        texts[source.name] = found
    return texts


def _texts(source: Source, path: Path) -> Iterator[str]:
    if source.name == "wordnet":
        return wordnet_texts(path, _SEED)
    return filter(_is_english, training_texts(_passages(source, path), _SEED, source.window_share))


def _is_english(text: str) -> bool:
    """Return whether a text is mostly letters from A to Z; the Factbook and the manuals quote other scripts."""
    return len(_LETTER.findall(text)) > _MIN_LETTERS * len(text)


def _passages(source: Source, path: Path) -> Iterator[str]:
    if source.name == "webster":
        return webster_passages(path)
    if source.name in {"jargon", "devil"}:
        return dictionary_passages(path)
    if source.origin == "debian":
        return chain.from_iterable(map(html_passages, sorted(path.rglob("*.html"))))
    return chain.from_iterable(map(json_passages, sorted(path.rglob("*.json"))))


def vocabulary_weights(sources: dict[str, list[str]], folder: Path) -> dict[str, float]:
    """Return the weight of each word in the vocabulary, see :mod:`.everyday`.

    Parameters
    ----------
    sources
        The result of :func:`read_sources`.
    folder
        The same folder.
    """
    wordnet = _WORDNET.folder(folder)
    counts = {name: count_words(texts) for name, texts in sources.items()}
    counts["tagged"] = read_tagged_counts(wordnet)
    lemmas = {word for words, _, _ in wordnet_entries(wordnet) for word in words if word.isalpha()}
    return everyday_weights(counts, read_levels(WORD_LISTS.folder(folder)), lemmas)


def student_texts(sources: dict[str, list[str]], folder: Path, tokenizer: PieceTokenizer) -> list[str]:
    """Return the texts that the student learns from, in random order.

    These are all examples of WordNet, every entry with a word that is one piece of the vocabulary, a sample of rarer
    entries, and samples of the other sources. Users often embed single words, so there are also words that are one
    piece, words of several pieces that the sources use, phrases of two words, and names.

    Parameters
    ----------
    sources
        The result of :func:`read_sources`.
    folder
        The same folder.
    tokenizer
        The student's vocabulary.
    """
    wordnet = _WORDNET.folder(folder)
    names = map(tokenizer.piece, range(tokenizer.vocabulary_size))
    common = {name[1:] for name in names if name.startswith("▁")}
    choose = seeded(_CHOICE_SEED)
    chosen, rare = _wordnet_choice(wordnet, common, choose)
    for name, size in _STUDENT_SAMPLES.items():
        fitting = [text for text in sources[name] if len(text) < _MAX_LENGTH]
        chosen += choose.sample(fitting, min(size, len(fitting)))
    chosen += choose.sample(rare, min(_RARE_ENTRIES, len(rare)))
    chosen += _alone(sources, wordnet, common)
    chosen += read_names(WORD_LISTS.folder(folder))
    choose.shuffle(chosen)
    return list(dict.fromkeys(chosen))


def _alone(sources: dict[str, list[str]], wordnet: Path, common: set[str]) -> list[str]:
    """Return words that are one piece, words of several pieces that sources use, and phrases of common words."""
    counts = Counter(chain.from_iterable(_WORD.findall(text.lower()) for text in chain(*sources.values())))
    lemmas = list(dict.fromkeys(word for words, _, _ in wordnet_entries(wordnet) for word in words))
    seeded(_ALONE_SEED).shuffle(lemmas)
    several_pieces = [
        word for word in lemmas if word.isalpha() and word.lower() not in common and counts[word.lower()] >= _MIN_USES
    ]
    phrases = [
        word
        for word in lemmas
        if len(parts := word.lower().split()) == _PHRASE_WORDS and all(part in common for part in parts)
    ]
    one_piece = sorted(word for word in common if word.isalpha() and counts[word] >= _MIN_USES)
    return [*one_piece, *several_pieces[:_MAX_WORDS_ALONE], *phrases[:_MAX_PHRASES]]


def _wordnet_choice(folder: Path, common: set[str], choose: random.Random) -> tuple[list[str], list[str]]:
    examples: list[str] = []
    frequent: list[str] = []
    rare: list[str] = []
    for words, texts, entry in wordnet_entries(folder):
        examples += texts
        known = [word for word in words if word.lower() in common]
        (frequent if known else rare).append(entry(choose, known or words))
    return examples + frequent, rare
