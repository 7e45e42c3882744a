"""Draws how long sentences are, and how many windows they need."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sparkalbert.errors import InputError, ParamTypeError
from sparkalbert.inference.windows import window_starts
from sparkalbert.plots.words import read_words
from sparkalbert.text.pieces.encoding import EncodedSentence
from sparkalbert.vectors import BinaryFormat
from sparkalbert.word_embedder import WordEmbedder

if TYPE_CHECKING:
    from sparkalbert.plots.canvas import Picture

__all__ = ["length_histogram"]

_FRAME_PIECES: Final = 2
"""``[CLS]`` and ``[SEP]``, which every window contains."""

_BINS: Final = 48
_MAX_NAMED: Final = 4
"""Sentences with this many windows or more have one colour."""


def length_histogram(
    data: Any,
    embedder: WordEmbedder,
    *,
    max_texts: int = 20_000,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> Picture:
    """Draw a histogram of the sentences' lengths in pieces, coloured by the number of windows that they need.

    Parameters
    ----------
    data
        Texts (a list or Series of str), or embedded texts as for :func:`~sparkalbert.plots.words.read_words`.
    embedder
        Its model cuts words into pieces, and its ``max_sentence_length`` is the size of a window.
    max_texts
        If there are more texts, this many are drawn at random.
    token_col, vector_col, vector_format
        As for ``read_words``.

    Raises
    ------
    InputError
        If there is no sentence.
    ParamTypeError
        If `embedder` is not a WordEmbedder.
    """
    from sparkalbert.plots.canvas import COLOURS, Picture

    if not hasattr(embedder, "bundle"):
        msg = (
            f"embedder is a {type(embedder).__name__}, expected a WordEmbedder, which WordEmbedder.load() returns for "
            "the same model."
        )
        raise ParamTypeError(msg)
    if isinstance(data, Iterator):  # can be read only once, but may be read twice below
        data = list(data)
    texts = _plain_texts(data)
    if texts is None:
        words = read_words(data, token_col=token_col, vector_col=vector_col, vector_format=vector_format)
        encoded = _encoded_tokens(words, embedder)
        drawn = f"{words.of_rows}, drawn at random" if words.are_drawn else words.of_rows
    else:
        drawn = f" of {max_texts:,} of {len(texts):,} texts, drawn at random" if len(texts) > max_texts else ""
        if drawn:
            chosen = np.sort(np.random.default_rng(0).choice(len(texts), max_texts, replace=False))
            texts = [texts[number] for number in chosen]
        encoded = _encoded_texts(texts, embedder)
    pieces = np.array([count for sentence in encoded if (count := len(sentence.ids))])
    if not len(pieces):
        msg = "There is no sentence with a piece, expected at least one."
        raise InputError(msg)
    window = embedder.options.vectors.max_sentence_length
    windows = np.array([len(window_starts(count, window - _FRAME_PIECES)) for count in pieces.tolist()])
    lengths = pieces + _FRAME_PIECES
    figure = Picture(9, 4.8)
    axes = figure.subplots()
    width = window / min(math.ceil(window * _BINS / int(lengths.max())), window)  # a bin ends where a window does
    edges = np.arange(0.5, lengths.max() + width + 0.5, width)
    named = np.minimum(windows, _MAX_NAMED)
    numbers = np.unique(named).tolist()
    counts = [int((named == number).sum()) for number in numbers]
    labels = [f"{_windows(number)}: {count:,}" for number, count in zip(numbers, counts, strict=True)]
    axes.hist(
        [lengths[named == number] for number in numbers],
        bins=edges.tolist(),
        stacked=True,
        color=[COLOURS[number - 1] for number in numbers],
        label=labels,
    )
    axes.axvline(window, color="#333333", linestyle="--", linewidth=1, label=f"a window: {window} pieces")
    axes.set_xlabel("pieces of a sentence, [CLS] and [SEP] included")
    axes.set_ylabel("sentences")
    axes.set_xlim(0, max(float(lengths.max()), window) * 1.03)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, loc="best")
    share = float((windows == 1).mean())
    axes.set_title(f"{share:.1%} of {len(pieces):,} sentences{drawn} fit into one window", loc="left", fontsize=11)
    return figure


def _windows(number: int) -> str:
    if number == _MAX_NAMED:
        return f"{number} windows or more"
    return "1 window" if number == 1 else f"{number} windows"


def _plain_texts(data: Any) -> list[str] | None:
    """Return texts as a list, None if `data` is something else."""
    if isinstance(data, Iterable) and not isinstance(data, str) and not hasattr(data, "columns"):
        texts = list(data)
        return texts if texts and all(isinstance(text, str) for text in texts) else None
    return None


def _encoded_texts(texts: Sequence[str], embedder: WordEmbedder) -> list[EncodedSentence]:
    """Return the sentences of texts as the embedder encodes them."""
    return [sentence for text in embedder._split(texts) for sentence in text.encoded]  # noqa: SLF001


def _encoded_tokens(words: Any, embedder: WordEmbedder) -> list[EncodedSentence]:
    """Return the sentences of words as the embedder encodes lists of tokens."""
    firsts = np.searchsorted(words.sentence, np.arange(len(words.sentences) + 1)).tolist()
    lists = [words.tokens[first:last] for first, last in pairwise(firsts)]
    return embedder._embedder.encode_token_lists(lists)  # noqa: SLF001
