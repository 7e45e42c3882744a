"""The demo's picture: its colours, its plane, and what happens without matplotlib."""

import sys

import numpy as np
import pytest

from sparkalbert.cli.demo import _draw
from sparkalbert.cli.picture import draw_picture, plane


def test_the_picture_is_a_png_with_every_colour(tmp_path):
    from matplotlib import image

    draw_picture("albert_mini_en", tmp_path / "picture.png")
    drawn = image.imread(tmp_path / "picture.png")[..., :3]
    assert drawn.shape == (935, 1430, 3)
    for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0), (0, 0x9E, 0x73), (0xCC, 0x79, 0xA7), (0xB8, 0x86, 0x0B)):
        assert (np.abs(drawn - np.array(colour) / 255).max(axis=2) < 0.01).sum() > 500


def test_vectors_in_a_plane_keep_their_distances():
    angles = np.linspace(0, 2, 9, dtype=np.float32)
    flat = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    random = np.random.default_rng(0)
    turned, _ = np.linalg.qr(random.normal(size=(7, 7)))
    vectors = (flat @ turned[:2] * random.uniform(1, 5, (9, 1))).astype(np.float32)
    places = plane(vectors)
    distances = np.linalg.norm(places[:, None] - places[None, :], axis=2)
    expected = np.linalg.norm(flat[:, None] - flat[None, :], axis=2)
    np.testing.assert_allclose(distances, expected, atol=1e-5)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(plane(vectors * 3), places, atol=1e-5)


def test_without_matplotlib_the_demo_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = _draw("albert_mini_en", tmp_path / "picture.png")
    assert line == "Picture: none, because it requires matplotlib: pip install 'sparkalbert[plot]'"
    assert not list(tmp_path.iterdir())


def test_another_missing_module_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError):
        _draw("albert_mini_en", tmp_path / "picture.png")
