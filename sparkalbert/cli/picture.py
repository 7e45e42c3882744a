"""The demo's picture: uses of a word, words and sentences on a plane, near where their vectors are near.

The plane is that of the two main directions of the vectors (PCA), chosen without looking at the groups; the
colours are the groups. It knows how to draw vectors, nothing about Spark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.inference import WordEmbedder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

__all__ = ["draw_picture", "plane"]

Float32Array = npt.NDArray[np.float32]

_CONTENT: Final = Path(__file__).with_name("picture.json")
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
_SIZE_INCHES: Final = (13.0, 8.5)
_DPI: Final = 110
_LONGEST_LABEL: Final = 26


def draw_picture(model: str, target: Path) -> None:
    """Draw what a model's vectors say of the groups in ``picture.json``.

    Parameters
    ----------
    model
        Its name or folder.
    target
        The PNG file to write.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    content: dict[str, dict[str, Any]] = json.loads(_CONTENT.read_text(encoding="utf-8"))
    embedder = WordEmbedder.load(model)
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    written: list[Annotation] = []
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.3))
    for axes, (word, senses) in zip(
        upper.subplots(1, len(content["senses"])), content["senses"].items(), strict=True
    ):
        vectors = {sense: _uses(embedder, word, texts) for sense, texts in senses.items()}
        labels = {sense: [_around(text, word) for text in texts] for sense, texts in senses.items()}
        written += _scatter(axes, f"{word!r}, its vector in twelve sentences", vectors, labels)
    for axes, title, groups in zip(
        lower.subplots(1, 2),
        ("Words alone", "Sentences, the mean of their words"),
        (content["words"], content["topics"]),
        strict=True,
    ):
        means = {name: _means(embedder, texts) for name, texts in groups.items()}
        written += _scatter(
            axes, title, means, {name: list(map(_start, texts)) for name, texts in groups.items()}
        )
    figure.draw_without_rendering()
    _leave_readable(written)
    figure.savefig(target)


def plane(vectors: Float32Array) -> Float32Array:
    """Return vectors, of length 1 first, on the plane of their two main directions.

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
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    centred = unit - unit.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    # The sign of a direction is free: the row that is farthest out lies on its positive side.
    places: Float32Array = centred @ directions[:2].T
    signs = np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    turned: Float32Array = places * np.where(signs == 0, 1, signs) + 0.0
    return turned


def _uses(embedder: WordEmbedder, word: str, texts: Sequence[str]) -> Float32Array:
    found = embedder.embed(texts)
    return np.stack([one.vectors[[token.lower() for token in one.tokens].index(word)] for one in found])


def _means(embedder: WordEmbedder, texts: Sequence[str]) -> Float32Array:
    return np.stack([found.vectors.mean(axis=0) for found in embedder.embed(texts)])


def _around(text: str, word: str) -> str:
    """Return a word with the one before it and the three behind it."""
    words = text.rstrip(".").split()
    place = [one.lower().rstrip(",") for one in words].index(word)
    return " ".join(words[max(0, place - 1) : place + 4])


def _start(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[:_LONGEST_LABEL].rsplit(' ', 1)[0]} …"


def _scatter(
    axes: Axes, title: str, groups: Mapping[str, Float32Array], labels: Mapping[str, Sequence[str]]
) -> list[Annotation]:
    """Draw groups as points and return their labels."""
    places = plane(np.concatenate(list(groups.values())))
    middle = float(np.ptp(places[:, 0]) / 2 + places[:, 0].min())
    axes.set_title(title, fontsize=11, fontweight="bold")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.08, 0.1)
    written: list[Annotation] = []
    begin = 0
    for colour, (name, vectors) in zip(_COLOURS, groups.items(), strict=False):
        mine = places[begin : begin + len(vectors)]
        begin += len(vectors)
        axes.scatter(mine[:, 0], mine[:, 1], color=colour, label=name, s=24)
        for place, label in zip(mine, labels[name], strict=True):
            side, shift = ("left", 5) if place[0] < middle else ("right", -5)
            written.append(
                axes.annotate(
                    label, place, (shift, 0), textcoords="offset points", ha=side, va="center",
                    fontsize=7, color=colour,
                )
            )  # fmt: skip
    axes.legend(fontsize=8, loc="best", framealpha=0.9)
    return written


def _leave_readable(labels: Sequence[Annotation]) -> None:
    """Hide labels that would lie on a point or on another label."""
    points = [label.axes.transData.transform(label.xy) for label in labels if label.axes is not None]
    kept: list[Any] = []
    for label in labels:
        box = label.get_window_extent()
        if any(box.contains(*point) for point in points) or any(box.overlaps(other) for other in kept):
            label.set_visible(False)
        else:
            kept.append(box)
