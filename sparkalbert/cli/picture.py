"""The demo's picture: uses of a word, words and sentences as points, near each other if their vectors are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.cli.files import whole_file
from sparkalbert.word_embedder import WordEmbedder

__all__ = ["draw_picture"]

_CONTENT: Final = Path(__file__).with_name("picture.json")
_SIZE_INCHES: Final = (15.0, 11.0)
_WIDEST_LABEL: Final = 25


def draw_picture(model: str, target: Path) -> None:
    """Draw the vectors of a model for the groups in ``picture.json``.

    Parameters
    ----------
    model
        A name or folder.
    target
        The PNG file to write.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    from sparkalbert.plots.canvas import Picture, place_labels
    from sparkalbert.plots.projection import draw_groups

    content: dict[str, dict[str, Any]] = json.loads(_CONTENT.read_text(encoding="utf-8"))
    embedder = WordEmbedder.load(model)
    figure = Picture(*_SIZE_INCHES)
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.2), hspace=0.02)
    drawn = []
    for axes, (word, senses) in zip(upper.subplots(1, len(content["senses"])), content["senses"].items(), strict=True):
        vectors = {sense: _uses(embedder, word, texts) for sense, texts in senses.items()}
        labels = {sense: [_around(text, word) for text in texts] for sense, texts in senses.items()}
        title = f"“{word}” in twelve sentences: {' apart from '.join(senses)}"
        drawn.append((axes, *draw_groups(axes, title, vectors, labels)))
    for axes, title, groups in zip(
        lower.subplots(1, 2),
        ("Words alone, coloured by topic", "Sentences, as the mean of their words, coloured by topic"),
        (content["words"], content["topics"]),
        strict=True,
    ):
        vectors = {name: embedder.text_vectors(texts) for name, texts in groups.items()}
        labels = {name: list(map(_beginning, texts)) for name, texts in groups.items()}
        drawn.append((axes, *draw_groups(axes, title, vectors, labels)))
    figure.draw_without_rendering()
    for axes, points, texts, colours in drawn:
        place_labels(axes, points, texts, colours, laid_out=True)
    with whole_file(target) as path:
        figure.savefig(path, format="png")


def _uses(embedder: WordEmbedder, word: str, texts: Sequence[str]) -> Float32Array:
    """Return the vector of a word in each of some texts."""
    embedded = embedder.embed(texts)
    return np.stack([text.vectors[[token.lower() for token in text.tokens].index(word)] for text in embedded])


def _around(text: str, word: str) -> str:
    """Return a word with one word before it and three words after it."""
    words = text.rstrip(".").split()
    position = [token.lower().rstrip(",") for token in words].index(word)
    return " ".join(words[max(0, position - 1) : position + 4])


def _beginning(text: str) -> str:
    return text if len(text) <= _WIDEST_LABEL else f"{text[:_WIDEST_LABEL].rsplit(' ', 1)[0]} …"
