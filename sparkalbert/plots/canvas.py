"""Figures without pyplot's global state, and labels that neither overlap nor leave their axes."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sparkalbert.arrays import BoolArray, Float32Array, Float64Array
from sparkalbert.errors import MissingDependencyError

try:
    import matplotlib  # noqa: ICN001 - first, so that an absence has this name
    import matplotlib.figure
    import matplotlib.patheffects
except ModuleNotFoundError as error:
    if error.name != "matplotlib":
        raise
    msg = "Pictures require matplotlib: pip install 'sparkalbert[plot]'"
    raise MissingDependencyError(msg) from None  # the command line would report the cause again

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

__all__ = ["COLOURS", "GREY", "Picture", "place_labels"]

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
"""Okabe and Ito's colours, which readers with any colour vision can tell apart."""

GREY: Final = "#8a939c"
_DPI: Final = 110
_MARKER_PIXELS: Final = 5.0
_GAP_PIXELS: Final = 4.0
_DISTANCES: Final = (8.0, 16.0, 26.0, 38.0, 52.0, 70.0, 90.0)
"""Pixels between a point and its label, nearest first. From the second on, a line connects them."""

_ANGLES: Final = (0, 180, 30, -30, 150, -150, 90, -90, 60, -60, 120, -120, 15, -15, 165, -165, 75, -75, 105, -105)
_DIRECTIONS: Final = np.stack([np.cos(np.radians(_ANGLES)), np.sin(np.radians(_ANGLES))], axis=1)
_OFFSETS: Final = (np.array(_DISTANCES)[:, None, None] * _DIRECTIONS).reshape(-1, 2)
_SIDES: Final = np.tile(np.sign(_DIRECTIONS) * (np.abs(_DIRECTIONS) > (0.1, 0.6)), (len(_DISTANCES), 1))
"""The direction in which a label is shifted by half of its size, so that its edge, not its centre, is at the distance.
A label beside a point is shifted by half of its width only."""

_LINE_STEPS: Final = 8
_FONT_SIZE: Final = 8.0
_HALO_MARGIN: Final = 1.04  # text with a halo is a little wider than matplotlib reports
_HALO: Final = matplotlib.patheffects.withStroke(linewidth=2.0, foreground="white")


class Picture(matplotlib.figure.Figure):
    """A figure that a notebook shows, whether or not pyplot was imported.

    Parameters
    ----------
    width, height
        In inches.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=_DPI, layout="constrained")

    def _repr_png_(self) -> bytes:
        """Return the picture for IPython."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def place_labels(
    axes: Axes,
    points: Float32Array,
    labels: Sequence[str],
    colours: Sequence[str],
    *,
    reach: float = math.inf,
    laid_out: bool = False,
) -> list[Annotation]:
    """Write a label beside each point, at the nearest place that is free and inside the axes.

    Call it last: what is drawn or moved afterwards may overlap.

    Parameters
    ----------
    axes
        Where the points are drawn already.
    points
        float ``[points, 2]``.
    labels, colours
        One of each per point.
    reach
        Largest distance between a point and its label, in pixels.
    laid_out
        If true, the figure has been laid out already, which takes a while.

    Returns
    -------
    list of Annotation
        The labels. A label without a free place is left out.
    """
    figure: Any = axes.figure
    if not laid_out:
        figure.get_figure(root=True).draw_without_rendering()
    pixels = axes.transData.transform(points)
    taken = np.concatenate([pixels - _MARKER_PIXELS, pixels + _MARKER_PIXELS], axis=1)
    legend = axes.get_legend()
    if legend is not None:
        taken = np.concatenate([taken, [legend.get_window_extent().extents]])
    frame = np.array(axes.bbox.extents) + np.array([1, 1, -1, -1]) * _GAP_PIXELS
    scale = 72 / figure.dpi
    placed = []
    # Points near the edge have the fewest places to choose from.
    outermost_first = np.argsort(-np.linalg.norm(pixels - (frame[:2] + frame[2:]) / 2, axis=1), kind="stable")
    for number in outermost_first.tolist():
        text = axes.annotate(
            labels[number], points[number], (0, 0), textcoords="offset points", ha="center", va="center",
            fontsize=_FONT_SIZE, color=colours[number], parse_math=False, path_effects=[_HALO],
        )  # fmt: skip
        text.set_in_layout(False)
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2 * _HALO_MARGIN + 1
        places = _free_places(pixels[number], half, np.delete(taken, number, axis=0), taken, frame)
        place = next((place for distance, *place in places if distance <= reach), None)
        if place is None:
            text.remove()
            continue
        box, line = place
        centre = (box[:2] + box[2:]) / 2
        text.set_position(tuple((centre - pixels[number]) * scale))
        if len(line):
            (end,) = axes.transData.inverted().transform(line[-1:])
            axes.plot(*zip(points[number], end, strict=True), color=colours[number], linewidth=0.6, scalex=False,
                      scaley=False)  # fmt: skip
        taken = np.concatenate([taken, [box], np.concatenate([line - 1, line + 1], axis=1)])
        placed.append(text)
    return placed


def _free_places(
    point: Float64Array, half: Float64Array, others: Float64Array, taken: Float64Array, frame: Float64Array
) -> Iterator[tuple[float, Float64Array, Float64Array]]:
    """Yield free places for a label, nearest first: distance, box, and points of the line that leads to it.

    Parameters
    ----------
    point
        What the label belongs to.
    half
        Half the size of the label.
    others, taken
        Boxes that the line, and the label, must not meet.
    frame
        Box in which the label must be.
    """
    centres = point + _OFFSETS + _SIDES * half
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    inside = (boxes[:, :2] >= frame[:2]).all(axis=1) & (boxes[:, 2:] <= frame[2:]).all(axis=1)
    for number in np.flatnonzero(inside & ~_overlap(boxes, taken).any(axis=1)).tolist():
        box, distance = boxes[number], _DISTANCES[number // len(_ANGLES)]
        line = np.zeros((0, 2))
        if distance > _DISTANCES[0]:
            line = point + (np.clip(point, box[:2], box[2:]) - point) * np.linspace(0, 1, _LINE_STEPS)[1:, None]
        if not _overlap(np.concatenate([line, line], axis=1), others).any():
            yield distance, box, line


def _overlap(boxes: Float64Array, others: Float64Array) -> BoolArray:
    """Return whether boxes overlap others, bool ``[boxes, others]``."""
    starts, stops = boxes[:, None, :2], boxes[:, None, 2:]
    overlap: BoolArray = np.all((starts < others[:, 2:]) & (others[:, :2] < stops), axis=2)
    return overlap
