"""The demo's picture: its colours, and what happens without matplotlib."""

import sys

import numpy as np
import pytest

from sparkalbert.cli.demo import _draw
from sparkalbert.cli.picture import draw_picture


def test_the_picture_is_a_png_with_every_colour(tmp_path):
    from matplotlib import image

    draw_picture("albert_mini_en", tmp_path / "picture.png")
    drawn = image.imread(tmp_path / "picture.png")[..., :3]
    assert drawn.shape == (1210, 1650, 3)
    for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0), (0, 0x9E, 0x73), (0xCC, 0x79, 0xA7), (0xB8, 0x86, 0x0B)):
        assert (np.abs(drawn - np.array(colour) / 255).max(axis=2) < 0.01).sum() > 500


def test_without_matplotlib_the_demo_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "sparkalbert.plots.canvas", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = _draw("albert_mini_en", tmp_path / "picture.png")
    assert line == "Picture: none. Pictures require matplotlib: pip install 'sparkalbert[plot]'"
    assert not list(tmp_path.iterdir())


def test_another_missing_module_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "sparkalbert.plots.canvas", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError):
        _draw("albert_mini_en", tmp_path / "picture.png")
