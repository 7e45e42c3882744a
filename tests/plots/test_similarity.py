"""Heat maps, neighbours and layers show the exact cosines."""

from dataclasses import replace

import numpy as np
import pytest

from sparkalbert import EmbeddedText
from sparkalbert.errors import InputError, ParamError, ParamTypeError
from sparkalbert.plots import layer_similarity, similarity, similarity_heatmap, word_neighbours
from sparkalbert.plots.words import read_words


def text(tokens, vectors):
    count = len(tokens)
    starts = [2 * number for number in range(count)]
    stops = [start + 1 for start in starts]
    return EmbeddedText(list(tokens), starts, stops, [0] * count, np.array(vectors, dtype=np.float32))


FIRST = text(["a", "bank", "$1"], [[1, 0], [3, 4], [0, -2]])
SECOND = text(["bank", "river"], [[4, 3], [0, 1]])
THIRD = text(["Bank", "."], [[1, 0], [3, 4]])


def test_a_heat_map_shows_the_cosines_of_two_texts():
    axes, bar = similarity_heatmap(FIRST, SECOND).axes
    (image,) = axes.images
    np.testing.assert_allclose(image.get_array(), [[0.8, 0], [0.96, 0.8], [-0.6, -1]], atol=1e-6)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "bank", "$1"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["bank", "river"]
    assert [written.get_text() for written in axes.texts] == [".80", ".00", ".96", ".80", "-.60", "-1.00"]
    assert (axes.get_xlabel(), bar.get_ylabel()) == ("words of the second text", "cosine")


def test_numbers_are_white_on_the_dark_half_of_the_scale():
    axes, _ = similarity_heatmap(text("ab", [[1, 0], [0.6, 0.8]]), text("ab", [[0.6, 0.8], [-1, 0]])).axes
    (image,) = axes.images
    assert [written.get_text() for written in axes.texts] == [".60", "-1.00", "1.00", "-.60"]
    assert [float(image.norm(cosine)) for cosine in (0.6, -0.6)] == pytest.approx([0.8, 0.2])
    assert [written.get_color() for written in axes.texts] == ["black", "white", "black", "white"]
    axes, _ = similarity_heatmap(text("a", [[1, 0]]), text("abc", [[0.28, 0.96], [0.6, 0.8], [-1, 0]])).axes
    assert [written.get_color() for written in axes.texts] == ["black", "black", "white"], "0.28 is 0.64 of the scale"


def test_a_heat_map_of_one_text_is_symmetric_and_cut_where_it_says():
    axes, _ = similarity_heatmap(FIRST, max_words=2).axes
    np.testing.assert_allclose(axes.images[0].get_array(), [[1, 0.6], [0.6, 1]], atol=1e-6)
    assert axes.get_title(loc="left") == "The brighter, the more alike (the first 2 of 3)"


def test_neighbours_are_words_of_other_sentences_nearest_first():
    figure = word_neighbours([FIRST, SECOND, THIRD], "BANK", neighbours=3)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="right") for axes in panels] == ["“a bank $1”", "“bank river”", "“Bank .”"]
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names == ["bank:  bank river", "river:  bank river", "Bank:  Bank ."]
    widths = [bar.get_width() for bar in panels[0].patches]
    np.testing.assert_allclose(widths, [0.96, 0.8, 0.6], atol=1e-6)
    assert figure.get_suptitle().startswith("Nearest words to 'BANK', 3 uses")


def test_every_panel_has_room_for_the_lowest_cosine():
    first, second = text(["bank"], [[1, 0]]), text(["bank", "x"], [[0.8, 0.6], [-1, 0]])
    figure = word_neighbours([first, second, text("y", [[0.6, 0.8]])], "bank")
    lowest = [min(bar.get_width() for bar in axes.patches) for axes in figure.axes]
    assert lowest == pytest.approx([-1, 0.8])
    assert [axes.get_xlim() for axes in figure.axes] == [pytest.approx((-1.1, 1.1))] * 2
    positive = word_neighbours([SECOND, THIRD], "bank")
    assert positive.axes[0].get_xlim() == pytest.approx((0, 1.1))


def test_titles_count_the_rows_that_were_drawn(monkeypatch):
    words = replace(read_words([FIRST, SECOND, THIRD]), rows=(100, 1000))
    monkeypatch.setattr(similarity, "read_words", lambda *_, **__: words)
    figure = word_neighbours(None, "bank")
    assert (
        figure.get_suptitle()
        == "Nearest words to 'bank', 3 uses of 100 of 1,000 rows (orange: the same word elsewhere)"
    )
    axes, _ = similarity_heatmap(None, max_words=2).axes
    assert axes.get_title(loc="left") == "The brighter, the more alike (the first 2 of 7 of 100 of 1,000 rows)"


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([(100, 1000), (50, 500)], " of 100 of 1,000 rows and of 50 of 500 rows of the second text"),
        ([(100, 1000), None], " of 100 of 1,000 rows and of all rows of the second text"),
        ([None, (50, 500)], " of all rows and of 50 of 500 rows of the second text"),
        ([None, None], ""),
    ],
)
def test_the_title_of_two_texts_counts_the_rows_of_both(monkeypatch, rows, shown):
    words = iter([replace(read_words([FIRST]), rows=drawn) for drawn in rows])
    monkeypatch.setattr(similarity, "read_words", lambda *_, **__: next(words))
    axes, _ = similarity_heatmap(None, FIRST, max_words=2).axes
    assert axes.get_title(loc="left") == f"The brighter, the more alike (the first 2 of 3{shown})"


def test_many_uses_are_sampled():
    figure = word_neighbours([FIRST, SECOND, THIRD], "bank", max_uses=2)
    assert len(figure.axes) == 2
    assert "2 of 3 uses" in figure.get_suptitle()


def test_neighbours_need_the_word_and_another_sentence():
    with pytest.raises(InputError, match="at least two sentences, found them in 1"):
        word_neighbours(FIRST, "bank")
    with pytest.raises(InputError, match="at least two sentences, found them in 1"):
        word_neighbours([FIRST, text("!", [[1, 0]])], "bank")
    with pytest.raises(InputError, match="'bench' is not among the 5 words"):
        word_neighbours([FIRST, SECOND], "bench")


def test_layers_show_the_cosine_to_the_first_use():
    layers = {
        1: [FIRST, SECOND, THIRD],
        0: [text(part.tokens, np.ones((len(part), 2))) for part in (FIRST, SECOND, THIRD)],
    }
    figure = layer_similarity(layers, "bank")
    lines = figure.axes[0].lines
    np.testing.assert_allclose([line.get_ydata() for line in lines], [[1, 0.96], [1, 0.6]], atol=1e-6)
    assert [line.get_xdata().tolist() for line in lines] == [[0, 1], [0, 1]]
    assert [line.get_label() for line in lines] == ["bank river", "Bank ."]


def test_layers_of_other_texts_and_single_uses_are_refused():
    with pytest.raises(ParamError, match="different texts"):
        layer_similarity({0: FIRST, 1: SECOND}, "bank")
    with pytest.raises(InputError, match="occurs once"):
        layer_similarity({0: FIRST}, "bank")
    with pytest.raises(ParamTypeError, match="layers is EmbeddedText"):
        layer_similarity(FIRST, "bank")
