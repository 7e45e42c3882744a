"""The demo's picture: uses of a word, words and sentences as points, near each other if their vectors are.

The plane is spanned by the two main directions of the vectors (PCA). The groups, shown as colours, have no influence
on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.vectors import unit_vectors
from sparkalbert.word_embedder import WordEmbedder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

__all__ = ["draw_picture", "plane"]

_CONTENT: Final = Path(__file__).with_name("picture.json")
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
_SIZE_INCHES: Final = (13.0, 8.5)
_DPI: Final = 110
_MAX_LABEL_LENGTH: Final = 26


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
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    content: dict[str, dict[str, Any]] = json.loads(_CONTENT.read_text(encoding="utf-8"))
    embedder = WordEmbedder.load(model)
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    drawn: list[Annotation] = []
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.3))
    for axes, (word, senses) in zip(upper.subplots(1, len(content["senses"])), content["senses"].items(), strict=True):
        vectors = {sense: _uses(embedder, word, texts) for sense, texts in senses.items()}
        labels = {sense: [_around(text, word) for text in texts] for sense, texts in senses.items()}
        drawn += _scatter(axes, f"{word!r}, its vector in twelve sentences", vectors, labels)
    for axes, title, groups in zip(
        lower.subplots(1, 2),
        ("Words alone", "Sentences, the mean of their words"),
        (content["words"], content["topics"]),
        strict=True,
    ):
        vectors = {name: embedder.text_vectors(texts) for name, texts in groups.items()}
        labels = {name: list(map(_beginning, texts)) for name, texts in groups.items()}
        drawn += _scatter(axes, title, vectors, labels)
    figure.draw_without_rendering()
    _hide_overlapping(drawn)
    figure.savefig(target, format="png")


def plane(vectors: Float32Array) -> Float32Array:
    """Return vectors, scaled to length 1, on the plane of their two main directions.

    Parameters
    ----------
    vectors
        float32 ``[rows, dimension]``.

    Returns
    -------
    ndarray
        float32 ``[rows, 2]``.

    Examples
    --------
    >>> print(plane(np.array([[2, 0, 0], [0, 3, 0], [0, 0.3, 0]], dtype=np.float32)).round(2) + 0)
    [[ 0.94  0.  ]
     [-0.47  0.  ]
     [-0.47  0.  ]]
    """
    unit = unit_vectors(vectors)
    centred = unit - unit.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    points: Float32Array = centred @ directions[:2].T
    # SVD leaves the sign of a direction open: the outermost point is put on the positive side.
    signs = np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    signed: Float32Array = points * np.where(signs == 0, 1, signs) + 0.0
    return signed


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
    return text if len(text) <= _MAX_LABEL_LENGTH else f"{text[:_MAX_LABEL_LENGTH].rsplit(' ', 1)[0]} …"


def _scatter(
    axes: Axes, title: str, groups: Mapping[str, Float32Array], labels: Mapping[str, Sequence[str]]
) -> list[Annotation]:
    """Draw groups as points and return their labels."""
    points = plane(np.concatenate(list(groups.values())))
    middle = float(np.ptp(points[:, 0]) / 2 + points[:, 0].min())
    axes.set_title(title, fontsize=11, fontweight="bold")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.08, 0.1)
    drawn: list[Annotation] = []
    first = 0
    for colour, (name, vectors) in zip(_COLOURS, groups.items(), strict=False):
        group = points[first : first + len(vectors)]
        first += len(vectors)
        axes.scatter(group[:, 0], group[:, 1], color=colour, label=name, s=24)
        for point, label in zip(group, labels[name], strict=True):
            side, shift = ("left", 5) if point[0] < middle else ("right", -5)
            drawn.append(
                axes.annotate(
                    label, point, (shift, 0), textcoords="offset points", ha=side, va="center",
                    fontsize=7, color=colour,
                )
            )  # fmt: skip
    axes.legend(fontsize=8, loc="best", framealpha=0.9)
    return drawn


def _hide_overlapping(labels: Sequence[Annotation]) -> None:
    """Hide labels that cover a point or another label."""
    points = [label.axes.transData.transform(label.xy) for label in labels if label.axes is not None]
    kept: list[Any] = []
    for label in labels:
        box = label.get_window_extent()
        if any(box.contains(*point) for point in points) or any(box.overlaps(other) for other in kept):
            label.set_visible(False)
        else:
            kept.append(box)
