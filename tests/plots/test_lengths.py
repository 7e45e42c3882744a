"""The histogram counts what the model sees: pieces and windows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import sparkalbert
from sparkalbert import WordEmbedder
from sparkalbert.errors import InputError, ParamTypeError
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.plots import length_histogram, lengths
from sparkalbert.plots.words import read_words
from tests import tiny_bundle

TEXTS = ["a river.", "the river. a river " + "the " * 200, "a " * 150, ""]


@pytest.fixture
def embedder():
    with WordEmbedder(tiny_bundle.bundle()) as found:
        yield found


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_sentences_are_counted_by_their_windows(embedder):
    windows = [len(encode_texts(embedder.bundle, [text]).sequences) for text in TEXTS]
    assert windows == [1, 4, 2, 0]  # the second text has a sentence of one window and a sentence of three
    figure = length_histogram(pd.Series(TEXTS), embedder)
    axes = figure.axes[0]
    assert legend(figure) == ["1 window: 2", "2 windows: 1", "3 windows: 1", "a window: 128 pieces"]
    assert axes.get_title(loc="left") == "50.0% of 4 sentences fit into one window"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("pieces of a sentence, [CLS] and [SEP] included", "sentences")


def test_embedded_texts_are_counted_by_their_tokens(embedder):
    assert legend(length_histogram(embedder.embed(TEXTS[:1]), embedder)) == ["1 window: 1", "a window: 128 pieces"]


@pytest.mark.parametrize("texts", [TEXTS[:1], "embedded"])
def test_a_generator_is_read_once(embedder, texts):
    texts = embedder.embed(TEXTS[:1]) if texts == "embedded" else texts
    figure = length_histogram((text for text in texts), embedder)
    assert legend(figure) == ["1 window: 1", "a window: 128 pieces"]


def test_many_texts_are_sampled(embedder):
    figure = length_histogram(["a river."] * 50, embedder, max_texts=20)
    title = figure.axes[0].get_title(loc="left")
    assert title == "100.0% of 20 sentences of 20 of 50 texts, drawn at random fit into one window"


@pytest.mark.parametrize(
    ("are_first", "shown"),
    [(True, "of the first 100 of 1,000 rows fit"), (False, "of 100 of 1,000 rows, drawn at random fit")],
)
def test_the_title_counts_the_rows_that_were_read(embedder, monkeypatch, are_first, shown):
    words = replace(read_words(embedder.embed(TEXTS[:1])), rows=(100, 1000), are_first_rows=are_first)
    monkeypatch.setattr(lengths, "read_words", lambda *_, **__: words)
    title = length_histogram(None, embedder).axes[0].get_title(loc="left")
    assert title == f"100.0% of 1 sentences {shown} into one window"


def test_no_sentence_is_an_error(embedder):
    with pytest.raises(InputError, match="no sentence"):
        length_histogram([""], embedder)


def test_a_predictor_is_refused():
    predictor = sparkalbert.load(tiny_bundle.bundle().path)
    with pytest.raises(
        ParamTypeError, match=r"embedder is a Predictor, expected a WordEmbedder, which WordEmbedder\.load"
    ):
        length_histogram(TEXTS, predictor)


def test_a_bin_ends_where_a_window_does(embedder):
    axes = length_histogram(TEXTS, embedder).axes[0]
    assert np.isclose([bar.get_x() for bar in axes.patches], 128.5).any()
