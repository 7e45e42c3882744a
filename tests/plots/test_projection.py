"""Points in a plane are near each other if their vectors are."""

import numpy as np
import pytest

from sparkalbert import EmbeddedText
from sparkalbert.errors import InputError, MissingDependencyError, ParamError
from sparkalbert.plots import token_projection
from sparkalbert.plots.projection import plane, projected


@pytest.mark.parametrize("dimension", [7, 40], ids=["more vectors than numbers", "fewer"])
def test_vectors_in_a_plane_keep_their_distances(dimension):
    angles = np.linspace(0, 2, 9, dtype=np.float32)
    flat = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    random = np.random.default_rng(0)
    turned, _ = np.linalg.qr(random.normal(size=(dimension, dimension)))
    vectors = (flat @ turned[:2] * random.uniform(1, 5, (9, 1))).astype(np.float32)
    places = plane(vectors)
    distances = np.linalg.norm(places[:, None] - places[None, :], axis=2)
    expected = np.linalg.norm(flat[:, None] - flat[None, :], axis=2)
    np.testing.assert_allclose(distances, expected, atol=1e-5)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(plane(vectors * 3), places, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 5), (3, 1), (1, 1)])
def test_vectors_that_span_no_plane_are_points_on_a_line(shape):
    places = plane(np.ones(shape, dtype=np.float32))
    assert places.tolist() == [[0, 0]] * shape[0]


def words(count=500):
    tokens = ["bank" if number % 100 == 0 else f"word{number}" for number in range(count)]
    stops = list(range(1, count + 1))
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return EmbeddedText(tokens, list(range(count)), stops, [number // 10 for number in range(count)], vectors)


def test_the_axes_say_what_they_are_and_how_much_they_show():
    axes = token_projection(words()).axes[0]
    names = (axes.get_xlabel(), axes.get_ylabel())
    assert names[0].startswith("first principal component, ")
    assert names[1].endswith("of the variance")
    assert axes.get_title(loc="left") == "500 words: near each other if their vectors are"
    (points,) = axes.collections
    np.testing.assert_allclose(points.get_offsets(), plane(words().vectors))


def test_a_sample_keeps_every_use_of_the_words_asked_for():
    axes = token_projection(words(), words=["Bank"], max_points=50, max_labels=9).axes[0]
    rest, bank = axes.collections
    assert (len(rest.get_offsets()), len(bank.get_offsets())) == (45, 5)
    assert axes.get_title(loc="left").startswith("50 of 500 words, drawn at random")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["other words", "Bank"]
    assert 0 < len(axes.texts) <= 9
    assert sum("bank" in text.get_text() for text in axes.texts) > 3


def test_wrong_words_and_methods_are_refused():
    with pytest.raises(InputError, match="'river' is not among the 500 words"):
        token_projection(words(), words=["river"])
    with pytest.raises(ParamError, match="7 words, expected at most 6"):
        token_projection(words(), words=["bank"] * 7)
    with pytest.raises(ParamError, match="method is 'tsne', expected one of pca, umap"):
        token_projection(words(), method="tsne")


def test_umap_keeps_groups_together_if_it_is_installed():
    random = np.random.default_rng(0)
    vectors = np.concatenate([random.normal(size=(40, 16)) * 0.05 + centre for centre in np.eye(16)[:2]])
    try:
        points, names = projected(vectors.astype(np.float32), "umap")
    except MissingDependencyError as error:
        assert str(error).startswith("The method umap requires umap-learn: pip install umap-learn.")  # noqa: PT017
        return
    assert names == ("UMAP, first axis", "UMAP, second axis")
    first, second = points[:40], points[40:]
    assert np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)) > 2 * max(
        first.std(axis=0).max(), second.std(axis=0).max()
    )
