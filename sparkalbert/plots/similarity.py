"""Draws cosines of word vectors: of two sentences, of a word's nearest neighbours, and layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sparkalbert.arrays import Int64Array
from sparkalbert.errors import InputError, ParamError, ParamTypeError
from sparkalbert.plots.words import Words, read_words
from sparkalbert.vectors import BinaryFormat, cosine_similarity, unit_vectors

if TYPE_CHECKING:
    from sparkalbert.plots.canvas import Picture

__all__ = ["layer_similarity", "similarity_heatmap", "word_neighbours"]

_MAX_WRITTEN: Final = 16
"""Cosines of at most this many words are written into their cells."""

_DARK: Final = 0.55
"""Cells below this share of the colour scale are dark."""

_LABEL_WIDTH: Final = 0.1
"""Room for the number beside the longest bar, as a cosine."""

_SIZE_INCHES: Final = (5.0, 14.0)


def similarity_heatmap(
    first: Any,
    second: Any = None,
    *,
    max_words: int = 60,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> Picture:
    """Draw the cosine of each pair of words of one text, or of two texts.

    Parameters
    ----------
    first, second, token_col, vector_col, vector_format
        See :func:`~sparkalbert.plots.words.read_words`. Without `second`, `first` is compared with itself.
    max_words
        Of a longer text the first `max_words` words are drawn, and the title reports both numbers.
    """
    from sparkalbert.plots.canvas import Picture

    read = partial(read_words, token_col=token_col, vector_col=vector_col, vector_format=vector_format)
    rows = read(first)
    columns = rows if second is None else read(second)
    all_words = max(len(rows), len(columns))
    rows, columns = (words.take(np.arange(min(len(words), max_words))) for words in (rows, columns))
    cosines = cosine_similarity(rows.vectors, columns.vectors)
    width, height = (float(np.clip(0.32 * len(words) + 2.2, *_SIZE_INCHES)) for words in (columns, rows))
    figure = Picture(width + 0.8, height)
    axes = figure.subplots()
    lowest = min(0.0, float(cosines.min()))
    image = axes.imshow(cosines, cmap="viridis", vmin=lowest, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns.tokens, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(range(len(rows)), rows.tokens, fontsize=8, parse_math=False)
    axes.set_xlabel("words of the text" if second is None else "words of the second text")
    axes.set_ylabel("words of the text" if second is None else "words of the first text")
    read_rows = rows.of_rows
    if columns.of_rows != read_rows:
        read_rows = f"{read_rows or ' of all rows'} and{columns.of_rows or ' of all rows'} of the second text"
    cut = f" (the first {max_words} of {all_words:,}{read_rows})" if all_words > max_words else ""
    axes.set_title(f"The brighter, the more alike{cut}", loc="left", fontsize=11)
    figure.colorbar(image, ax=axes, label="cosine", shrink=0.8)
    if max(len(rows), len(columns)) <= _MAX_WRITTEN:
        for (row, column), cosine in np.ndenumerate(cosines):
            colour = "white" if cosine < lowest + _DARK * (1 - lowest) else "black"
            written = f"{round(float(cosine), 2) + 0:.2f}".replace("0.", ".", 1)
            axes.text(column, row, written, ha="center", va="center", fontsize=6.5, color=colour)
    return figure


def word_neighbours(  # noqa: PLR0913 - keywords for people at a prompt
    data: Any,
    word: str,
    *,
    neighbours: int = 8,
    max_uses: int = 4,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> Picture:
    """Draw, for each use of a word, the words of other sentences that are nearest to it by cosine.

    Punctuation is left out.

    Parameters
    ----------
    data, token_col, vector_col, vector_format
        See :func:`~sparkalbert.plots.words.read_words`.
    word
        The word; its case is ignored.
    neighbours
        Number of neighbours of each use.
    max_uses
        If the word has more uses, this many are drawn at random.

    Raises
    ------
    InputError
        If the word does not occur, or if fewer than two sentences contain words.
    """
    from sparkalbert.plots.canvas import COLOURS, Picture

    words = read_words(data, token_col=token_col, vector_col=vector_col, vector_format=vector_format)
    with_words = {words.sentence[position] for position, token in enumerate(words.tokens) if _is_word(token)}
    if len(with_words) < 2:  # noqa: PLR2004 - each use then has a neighbour
        msg = f"Expected words in at least two sentences, found them in {len(with_words)}. Embed more texts together."
        raise InputError(msg)
    uses = words.positions(word)
    shown = _sampled(uses, max_uses)
    unit = unit_vectors(words.vectors)
    rows = math.ceil(len(shown) / 2)
    columns = min(len(shown), 2)
    figure = Picture(6.5 * columns, (0.27 * neighbours + 0.9) * rows + 0.6)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    nearest = [_nearest(words, unit, int(use), neighbours) for use in shown]
    lowest = min(cosine for found in nearest for _, cosine in found)
    panels[0].set_xlim(lowest - _LABEL_WIDTH if lowest < 0 else 0.0, 1 + _LABEL_WIDTH)
    for axes, use, found in zip(panels, shown, nearest, strict=False):
        cosines = [cosine for _, cosine in found]
        same = [words.tokens[position].casefold() == word.casefold() for position, _ in found]
        colours = [COLOURS[1] if is_same else COLOURS[0] for is_same in same]
        bars = axes.barh(range(len(found)), cosines, color=colours)
        axes.bar_label(bars, [f"{cosine:.2f}" for cosine in cosines], padding=3, fontsize=8)
        labels = [f"{words.tokens[position]}:  {words.context(position, 14)}" for position, _ in found]
        axes.set_yticks(range(len(found)), labels, fontsize=8, parse_math=False)
        axes.invert_yaxis()
        axes.set_title(f"“{words.context(int(use), 20)}”", fontsize=9, loc="right", parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.supxlabel("cosine", fontsize=10)
    counted = f"{len(shown)} of {len(uses)} uses" if len(shown) < len(uses) else f"{len(uses)} uses"
    figure.suptitle(
        f"Nearest words to {word!r}, {counted}{words.of_rows} (orange: the same word elsewhere)",
        fontsize=11,
        parse_math=False,
    )
    return figure


def layer_similarity(
    layers: Mapping[int, Any],
    word: str,
    *,
    max_uses: int = 6,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> Picture:
    """Draw how alike the uses of a word are in each layer, compared with its first use.

    Parameters
    ----------
    layers
        The same texts embedded with one layer at a time, by the number of the layer; each as for
        :func:`~sparkalbert.plots.words.read_words`.
    word
        The word; its case is ignored. It must occur at least twice.
    max_uses
        If the word has more other uses, this many are drawn at random.
    token_col, vector_col, vector_format
        As for ``read_words``.

    Raises
    ------
    ParamTypeError, ParamError
        If `layers` is not a mapping, or if its texts differ.
    InputError
        If the word occurs less than twice.

    Examples
    --------
    >>> from sparkalbert import WordEmbedder
    >>> texts = ["She paid at the bank.", "The bank refused the loan.", "We sat on the bank of the river."]
    >>> def embed(layer):
    ...     with WordEmbedder.load("albert_mini_en", layers=[layer]) as embedder:
    ...         return embedder.embed(texts)
    >>> figure = layer_similarity({layer: embed(layer) for layer in range(3)}, "bank")
    >>> figure.axes[0].get_xlabel()
    'layer'
    """
    from sparkalbert.plots.canvas import COLOURS, Picture

    if not hasattr(layers, "keys"):
        msg = f"layers is {type(layers).__name__}, expected a mapping from each layer's number to embedded texts."
        raise ParamTypeError(msg)
    numbers = sorted(layers)
    options: Any = {"token_col": token_col, "vector_col": vector_col, "vector_format": vector_format}
    read = [read_words(layers[number], **options) for number in numbers]
    if not read or any(words.tokens != read[0].tokens for words in read):
        msg = "layers holds no texts, or different texts. Embed the same texts once with each layer."
        raise ParamError(msg)
    words = read[0]
    first, *others = words.positions(word).tolist()
    if not others:
        msg = f"The word {word!r} occurs once, expected at least two uses to compare."
        raise InputError(msg)
    shown = _sampled(np.array(others), max_uses)
    cosines = np.concatenate([cosine_similarity(layer.vectors[[first]], layer.vectors[shown]) for layer in read])
    figure = Picture(8.5, 4.6 + 0.2 * len(shown))
    axes = figure.subplots()
    styles = ("-", "--")
    for number, use in enumerate(shown):
        colour, style = COLOURS[number % len(COLOURS)], styles[number // len(COLOURS) % len(styles)]
        label = words.context(int(use), 28).replace("$", r"\$")
        axes.plot(numbers, cosines[:, number], style, marker="o", markersize=4, color=colour, label=label)
    axes.set_xticks(numbers)
    axes.set_xlabel("layer")
    axes.set_ylabel("cosine")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower left", fontsize=9, frameon=False)
    axes.set_title(
        f"How alike other uses of {word!r} are to “{words.context(first, 28)}”{words.of_rows}",
        loc="left",
        fontsize=11,
        parse_math=False,
    )
    return figure


def _sampled(positions: Int64Array, size: int) -> Int64Array:
    """Return at most `size` positions, drawn at random, in order."""
    if len(positions) <= size:
        return positions
    return np.sort(np.random.default_rng(0).choice(positions, size, replace=False))


def _nearest(words: Words, unit: Any, position: int, count: int) -> list[tuple[int, float]]:
    """Return the nearest words of other sentences; each context counts once."""
    cosines = unit @ unit[position]
    found: list[tuple[int, float]] = []
    seen: set[tuple[str, str]] = set()
    for candidate in np.argsort(-cosines, kind="stable").tolist():
        use = words.tokens[candidate], words.context(candidate)
        if (
            not _is_word(words.tokens[candidate])
            or words.sentence[candidate] == words.sentence[position]
            or use in seen
        ):
            continue
        seen.add(use)
        found.append((candidate, float(cosines[candidate])))
        if len(found) == count:
            break
    return found


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token))
