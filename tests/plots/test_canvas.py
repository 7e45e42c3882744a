"""Labels neither overlap nor leave their axes; a notebook shows the figure."""

import sys

import numpy as np
import pytest

from sparkalbert.errors import MissingDependencyError
from sparkalbert.plots.canvas import Picture, place_labels


def boxes(labels):
    return np.array([label.get_window_extent().extents for label in labels])


def crowd(count):
    return np.random.default_rng(1).normal(size=(count, 2)).astype(np.float32)


def drawn(points, labels):
    figure = Picture(7, 5)
    axes = figure.subplots()
    axes.scatter(points[:, 0], points[:, 1], label="points")
    axes.legend()
    placed = place_labels(axes, points, labels, ["black"] * len(points))
    figure.draw_without_rendering()
    return axes, placed


def test_labels_cover_neither_each_other_nor_points_nor_the_legend_and_stay_inside():
    points = crowd(60)
    axes, placed = drawn(points, [f"a label {number}" for number in range(60)])
    assert len(placed) > 35
    found = boxes(placed)
    frame = axes.bbox.extents
    assert (found[:, :2] >= frame[:2]).all()
    assert (found[:, 2:] <= frame[2:]).all()
    others = np.concatenate([found, [axes.get_legend().get_window_extent().extents]])
    for number, box in enumerate(found):
        rest = np.delete(others, number, axis=0)
        overlap = (box[:2] < rest[:, 2:]).all(axis=1) & (rest[:, :2] < box[2:]).all(axis=1)
        assert not overlap.any()
        pixels = axes.transData.transform(points)
        assert not ((box[:2] < pixels) & (pixels < box[2:])).all(axis=1).any()


def test_labels_with_room_are_beside_their_points():
    points = np.array([[0, 0], [1, 1], [2, 0]], dtype=np.float32)
    axes, placed = drawn(points, ["one", "two", "three"])
    assert sorted(label.get_text() for label in placed) == ["one", "three", "two"]
    for label in placed:
        anchor = axes.transData.transform(label.xy)
        box = label.get_window_extent().extents
        assert np.linalg.norm(np.clip(anchor, box[:2], box[2:]) - anchor) < 15


def test_a_label_without_any_place_is_left_out():
    points = np.zeros((40, 2), dtype=np.float32)
    _, placed = drawn(points, ["the same place"] * 40)
    assert 0 < len(placed) < 40


def test_a_label_is_text_and_not_a_formula():
    _, (placed,) = drawn(np.zeros((1, 2), dtype=np.float32), ["$5 and $x^"])
    assert placed.get_text() == "$5 and $x^"


def test_a_notebook_gets_a_png():
    assert Picture(2, 2)._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib_an_error_says_how_to_get_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "sparkalbert.plots.canvas", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sparkalbert\[plot\]'"):
        import sparkalbert.plots.canvas  # noqa: F401
