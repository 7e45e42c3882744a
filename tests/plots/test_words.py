"""Words are taken, shown in their context, sampled, and read from large Spark DataFrames in part."""

import numpy as np
import pandas as pd
import pytest

from sparkalbert import AlbertEmbeddings
from sparkalbert.errors import ColumnError, InputError
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.plots import words as module
from sparkalbert.plots.words import Words, read_words, sample_words
from tests import tiny_bundle
from tests.plots.forms import REBUILT, TOKENS, embedded, wide


def test_no_word_is_an_error():
    with pytest.raises(InputError, match="not a single word"):
        read_words([])


def test_a_context_is_cut_between_words():
    text = "one two three four five six seven eight nine"
    tokens = text.split()
    starts = np.cumsum([0, *(len(token) + 1 for token in tokens[:-1])])
    words = Words(tokens, np.zeros((9, 1), np.float32), [text], np.zeros(9, np.int64), starts)
    assert words.context(4, 12) == "…three four five six seven…"
    assert words.context(0, 100) == text


def test_taking_words_keeps_their_sentences():
    taken = read_words(embedded()).take(np.array([8, 9]))
    assert taken.sentences == REBUILT[1:]
    assert [taken.context(position) for position in (0, 1)] == REBUILT[1:] * 2


def frames(count):
    for number in range(count):
        text = wide(vectors=[np.full(2, number, np.float32)] * 10)
        yield text if number else pd.DataFrame({"tokens": [None], "begin": [None], "end": [None], "vectors": [None]})


def test_a_sample_is_drawn_evenly_from_all_frames():
    words, total = sample_words(frames(101), 300)
    assert (len(words), total) == (300, 1000)
    counts = np.bincount(words.vectors[:, 0].astype(int), minlength=101)[1:]
    assert counts.sum() == 300
    assert (counts > 0).sum() > 85  # 300 of 1000 words from 100 frames: all but about 3 frames have some
    assert abs(counts[:50].sum() - 150) < 40  # more than five standard deviations
    assert all(words.sentences[number] in REBUILT for number in words.sentence)


def test_fewer_words_than_the_sample_are_all_kept():
    words, total = sample_words(frames(3), 300)
    assert (len(words), total) == (20, 20)
    assert words.tokens == TOKENS * 2
    with pytest.raises(ColumnError):
        sample_words(frames(1), 10)


def test_a_frame_without_rows_adds_nothing():
    expected = read_words(embedded())
    words, total = sample_words([embedded().to_pandas(), embedded().to_pandas().iloc[:0]], 20)
    assert (words.tokens, total) == (expected.tokens, 10)


def test_the_words_of_a_large_spark_frame_are_the_first_so_that_sentences_stay_whole(any_spark, monkeypatch):
    monkeypatch.setattr(module, "MAX_SPARK_ROWS", 90)
    rows = [(number // 3, str(number), [float(number), 1.0]) for number in range(1000)]
    frame = any_spark.createDataFrame(rows, "sentence long, token string, vector array<float>").coalesce(1)
    words = read_words(frame)
    assert words.tokens == [str(number) for number in range(90)]
    assert words.sentences == [f"{number} {number + 1} {number + 2}" for number in range(0, 90, 3)]
    assert words.rows == (90, 1000)
    assert words.counted(90) == "90 words of the first 90 of 1,000 rows"
    assert words.sample(10).counted(90) == "10 of 90 words of the first 90 of 1,000 rows, drawn at random"


def test_the_rows_of_a_large_spark_frame_of_texts_are_drawn_from_all(any_spark, monkeypatch):
    monkeypatch.setattr(module, "MAX_SPARK_TEXTS", 100)
    rows = [([str(number)], [[float(number), 1.0]]) for number in range(1000)]
    words = read_words(any_spark.createDataFrame(rows, "tokens array<string>, vectors array<array<float>>"))
    assert 60 < len(words) <= 100
    assert words.rows == (len(words), 1000)
    assert [int(token) for token in words.tokens] == words.vectors[:, 0].tolist()
    assert max(map(int, words.tokens)) > 800, "not only the first rows"
    assert words.counted(len(words)) == f"{len(words)} words of {len(words)} of 1,000 rows, drawn at random"
    assert words.sample(10).counted(len(words)).startswith(f"10 of {len(words)} words of {len(words)} of 1,000 rows")


def test_a_spark_frame_is_read_as_a_whole_if_it_is_small(any_spark):
    frame = any_spark.createDataFrame([["a river."], ["the river"]], ["text"]).coalesce(1)
    stage = AlbertEmbeddings.pretrained(str(tiny_bundle.bundle().path))
    pipeline = text_pipeline(stage, "text", "_")
    annotated = pipeline.fit(frame).transform(frame)
    words = read_words(annotated)
    assert words.tokens == ["a", "river", ".", "the", "river"]
    assert words.sentences == ["a river.", "the river"]
    assert words.rows is None
    assert words.vectors.shape == (5, tiny_bundle.bundle().manifest.dimension)
