"""A web page to explore word vectors: one file that needs neither network nor server.

Everything that the page shows is in it as JSON, in which ``<`` is escaped, and the page writes it as text, never as
markup. A content security policy forbids the page to load anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.offsets import utf16_length
from sparkalbert.plots.projection import Method, projected
from sparkalbert.plots.words import Words, read_words
from sparkalbert.vectors import BinaryFormat

__all__ = ["MAX_POINTS", "explorer_page", "page_of"]

MAX_POINTS: Final = 20_000
_TEMPLATE: Final = Path(__file__).with_name("page.html")
_DATA: Final = "{{DATA}}"
_RESOLUTION: Final = 20_000
"""The longer side of the plane; coordinates are whole numbers, which are short in JSON."""


def explorer_page(  # noqa: PLR0913 - keywords for people at a prompt
    data: Any,
    *,
    title: str = "Words",
    method: Method = "pca",
    max_points: int = MAX_POINTS,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> str:
    """Return an HTML page that shows words as points, near each other if their vectors are, with their sentences.

    Parameters
    ----------
    data, token_col, vector_col, vector_format
        See :func:`~sparkalbert.plots.words.read_words`.
    title
        Heading of the page.
    method
        See :func:`~sparkalbert.plots.token_projection`.
    max_points
        If there are more words, this many are drawn at random.

    Examples
    --------
    >>> from sparkalbert import WordEmbedder
    >>> page = explorer_page(WordEmbedder.load("albert_mini_en").embed(["A bank.", "The bank of the river."]))
    >>> page.startswith("<!DOCTYPE html>")
    True
    """
    words = read_words(data, token_col=token_col, vector_col=vector_col, vector_format=vector_format)
    return page_of(words.sample(max_points), title, method, total=len(words))


def page_of(words: Words, title: str, method: Method, *, total: int) -> str:
    """Return the page of some words that were drawn from `total` words."""
    points, axes = projected(words.vectors, method)
    grid = _grid(points)
    width, height = grid.max(axis=0).tolist()
    sentences = [words.sentences[number] for number in words.sentence]
    starts = [utf16_length(text[:start]) for text, start in zip(sentences, words.start.tolist(), strict=True)]
    content = {
        "title": title,
        "counted": f"{words.counted(total)}; near each other if their vectors are",
        "axes": axes,
        "width": max(width, 1),
        "height": max(height, 1),
        "x": grid[:, 0].tolist(),
        "y": grid[:, 1].tolist(),
        "tokens": words.tokens,
        "sentence": words.sentence.tolist(),
        "start": starts,
        "sentences": words.sentences,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace(_DATA, text)


def _grid(points: Float32Array) -> Any:
    """Return points as whole numbers from 0 on, int ``[points, 2]``; both axes have the same scale."""
    least = points.min(axis=0)
    extent = float(np.ptp(points, axis=0).max())
    return np.rint((points - least) * (_RESOLUTION / extent if extent else 0)).astype(np.int64)
