"""Draws vectors as points in a plane, which are near each other if the vectors are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.errors import MissingDependencyError, ParamError
from sparkalbert.options import check_choice
from sparkalbert.plots.words import read_words
from sparkalbert.vectors import BinaryFormat, unit_vectors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sparkalbert.plots.canvas import Picture

__all__ = ["METHODS", "Method", "draw_groups", "plane", "projected", "token_projection"]

Method = Literal["pca", "umap"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

_OTHER_WORDS: Final = "other words"
_REACH_PIXELS: Final = 26.0
_NEARLY: Final = 0.999  # rounding must not decide which point is outermost


def token_projection(  # noqa: PLR0913 - keywords for people at a prompt
    data: Any,
    *,
    words: Sequence[str] = (),
    method: Method = "pca",
    max_points: int = 2000,
    max_labels: int = 80,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> Picture:
    """Draw word vectors as points in a plane.

    Parameters
    ----------
    data, token_col, vector_col, vector_format
        See :func:`~sparkalbert.plots.words.read_words`.
    words
        Words to draw in colours of their own, at most six, with their context as labels.
    method
        ``pca``: the two directions in which the vectors, scaled to length 1, vary most. ``umap``: requires umap-learn.
    max_points
        If there are more words, this many are drawn at random. All uses of `words` are kept.
    max_labels
        Largest number of labels. A label without a free place is left out.

    Raises
    ------
    ParamError
        If `method` is unknown or there are too many `words`.
    InputError
        If one of `words` does not occur.
    MissingDependencyError
        If matplotlib, or umap-learn for ``umap``, is not installed.
    """
    from sparkalbert.plots.canvas import COLOURS, GREY, Picture, place_labels

    if len(words) > len(COLOURS):
        msg = f"words has {len(words)} words, expected at most {len(COLOURS)}, one for each colour."
        raise ParamError(msg)
    everything = read_words(data, token_col=token_col, vector_col=vector_col, vector_format=vector_format)
    uses = [everything.positions(word) for word in words]
    kept = np.concatenate([np.array([], dtype=np.int64), *uses])
    others = np.setdiff1d(np.arange(len(everything)), kept)
    room = max(max_points - len(kept), 0)
    if len(others) > room:
        others = np.sort(np.random.default_rng(0).choice(others, room, replace=False))
    shown = everything.take(np.concatenate([kept, others]))
    points, axis_names = projected(shown.vectors, method)
    figure = Picture(10, 7.5)
    axes = figure.subplots()
    rest = points[len(kept) :]
    axes.scatter(
        rest[:, 0], rest[:, 1], s=12, color=GREY if words else COLOURS[0], alpha=0.6, linewidths=0, label=_OTHER_WORDS
    )
    colours: list[str] = []
    first = 0
    for word, colour, positions in zip(words, COLOURS, uses, strict=False):
        group = points[first : first + len(positions)]
        axes.scatter(group[:, 0], group[:, 1], s=26, color=colour, label=word)
        colours += [colour] * len(positions)
        first += len(positions)
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.margins(0.06)
    axes.set_title(f"{shown.counted(len(everything))}: near each other if their vectors are", loc="left", fontsize=11)
    if words:
        axes.legend(loc="best", fontsize=9)
    labels = [shown.context(number) for number in range(len(kept))]
    different = _different_words(shown.tokens, len(kept), max_labels - len(kept))
    labels += [shown.tokens[number] for number in different]
    colours += ["#333333"] * len(different)
    labelled = np.concatenate([points[: len(kept)], points[different]])
    place_labels(axes, labelled[:max_labels], labels[:max_labels], colours[:max_labels], reach=_REACH_PIXELS)
    return figure


def _different_words(tokens: Sequence[str], first: int, count: int) -> list[int]:
    """Return the positions of at most `count` different words from `first` on, drawn at random."""
    positions = {token.casefold(): number for number, token in enumerate(tokens) if number >= first and token.isalnum()}
    drawn = np.random.default_rng(0).permutation(list(positions.values())).tolist()
    return [int(number) for number in drawn[: max(count, 0)]]


def projected(vectors: Float32Array, method: Method) -> tuple[Float32Array, tuple[str, str]]:
    """Return points in a plane, float32 ``[vectors, 2]``, and names of its axes.

    Raises
    ------
    ParamError
        If `method` is unknown.
    MissingDependencyError
        If umap-learn is not installed.
    """
    check_choice("method", method, METHODS)
    if method == "pca":
        points = plane(vectors)
        variance = float(np.var(unit_vectors(vectors), axis=0).sum())
        shares = points.var(axis=0) / variance if variance else np.zeros(2)
        first, second = (f"{share:.0%} of the variance" for share in shares)
        return points, (f"first principal component, {first}", f"second principal component, {second}")
    try:
        import umap
    except ImportError as error:
        msg = "The method umap requires umap-learn: pip install umap-learn. Or choose the method pca."
        raise MissingDependencyError(msg) from error
    reducer = umap.UMAP(metric="cosine", random_state=0, n_jobs=1)  # with a seed UMAP uses one thread only
    return np.asarray(reducer.fit_transform(vectors), dtype=np.float32), ("UMAP, first axis", "UMAP, second axis")


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
    rows, dimension = centred.shape
    if rows > dimension:  # the covariance is far smaller than the vectors
        _, found = np.linalg.eigh(centred.T @ centred)
        directions = found[:, ::-1].T
    else:
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((rows, 2), dtype=np.float32)  # one vector, or vectors of one number, span no plane
    points[:, : len(directions[:2])] = centred @ directions[:2].T
    # The sign of a direction is arbitrary: the first of the outermost points is put on the positive side.
    outermost = np.abs(points) >= np.abs(points).max(axis=0) * _NEARLY
    signs = np.sign(points[outermost.argmax(axis=0), [0, 1]])
    signed: Float32Array = points * np.where(signs == 0, 1, signs).astype(np.float32) + np.float32(0)
    return signed


def draw_groups(
    axes: Axes, title: str, groups: Mapping[str, Float32Array], labels: Mapping[str, Sequence[str]]
) -> tuple[Float32Array, list[str], list[str]]:
    """Draw groups of vectors as points in colours, and return what :func:`place_labels` takes.

    The groups have no influence on where a point is.

    Parameters
    ----------
    axes
        Where to draw; its scales are not shown.
    title
        What to see, in one line.
    groups
        float32 ``[rows, dimension]`` by name.
    labels
        One per row, by the same names.
    """
    from sparkalbert.plots.canvas import COLOURS

    points = plane(np.concatenate(list(groups.values())))
    axes.set_title(title, fontsize=10.5, fontweight="bold", loc="left")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.1, 0.08)
    texts: list[str] = []
    colours: list[str] = []
    for colour, (name, vectors) in zip(COLOURS, groups.items(), strict=False):
        first = len(texts)
        group = points[first : first + len(vectors)]
        axes.scatter(group[:, 0], group[:, 1], color=colour, label=name, s=26)
        texts += labels[name]
        colours += [colour] * len(vectors)
    axes.legend(
        fontsize=9, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=len(groups), frameon=False,
        columnspacing=1.2, handletextpad=0.1,
    )  # fmt: skip
    return points, texts, colours
