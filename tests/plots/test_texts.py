"""Every form of embedded texts gives the same words, vectors and sentences."""

import numpy as np
import pandas as pd
import pytest

import sparkalbert
from sparkalbert import EmbeddedText
from sparkalbert.errors import ColumnError, ParamError, ParamTypeError
from sparkalbert.plots.words import read_words, sample_words
from tests.plots.forms import FORMS, REBUILT, STARTS, TOKENS, VECTORS, embedded, nlu, wide


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_words(form):
    words = read_words(FORMS[form])
    assert words.tokens == TOKENS
    np.testing.assert_array_equal(words.vectors, VECTORS)
    assert words.vectors.dtype == np.float32
    assert words.sentences == REBUILT
    assert words.sentence.tolist() == [0] * 7 + [1] * 3
    assert words.start.tolist() == STARTS


@pytest.mark.parametrize(("vector_format", "kind"), [("binary", "<f4"), ("binary16", "<f2")])
def test_bytes_need_their_format(vector_format, kind):
    """They do not show it, and half-precision numbers read as single precision are garbage."""
    frame = wide(vectors=[vector.astype(kind).tobytes() for vector in VECTORS])
    words = read_words(frame, vector_format=vector_format)
    np.testing.assert_array_equal(words.vectors, VECTORS.astype(kind))
    assert words.vectors.dtype == np.float32
    drawn, _ = sample_words([frame], 20, vector_format=vector_format)
    np.testing.assert_array_equal(drawn.vectors, words.vectors)
    for read in (lambda: read_words(frame), lambda: sample_words([frame], 20)):
        with pytest.raises(
            ParamError, match=r"bytes, which do not show their format\. Pass .* vector_format \(--vectors"
        ):
            read()
    with pytest.raises(ParamError, match="vector_format is 'half', expected one of binary, binary16"):
        read_words(frame, vector_format="half")


def test_the_index_tells_rows_apart():
    words = read_words(nlu())
    assert words.tokens == TOKENS
    assert words.sentences == REBUILT
    assert words.sentence.tolist() == [0] * 7 + [1] * 3


class TestOneLiner:
    """Frames that ``predict`` returns."""

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"metadata": True},
            {"positions": True},
            {"metadata": True, "positions": True},
            {"drop_irrelevant_cols": False},
            {"output_level": "document", "metadata": True},
        ],
        ids=str,
    )
    def test_a_text_has_its_sentences(self, options):
        texts = ["A bank, by the river. The bank closed!", "Its door."]
        frame = sparkalbert.load("albert_mini_en", threads=1).predict(texts, **options)
        words = read_words(frame)
        assert words.tokens == [
            "A",
            "bank",
            ",",
            "by",
            "the",
            "river",
            ".",
            "The",
            "bank",
            "closed",
            "!",
            "Its",
            "door",
            ".",
        ]
        if options.get("output_level") != "document":  # its lists of tokens have no offsets and are one sentence each
            assert words.sentences == ["A bank, by the river.", "The bank closed!", "Its door."]

    def test_texts_of_one_label_stay_apart_by_their_offsets(self):
        predictor = sparkalbert.load("albert_mini_en", threads=1)
        frames = [predictor.predict(text, positions=True) for text in ("the bank", "a river")]
        assert read_words(pd.concat(frames)).sentences == ["the bank", "a river"]

    @pytest.mark.parametrize("level", ["document", "sentence"])
    def test_without_tokens_the_error_says_how_to_get_them(self, level):
        frame = sparkalbert.load("albert_mini_en", threads=1).predict("A bank.", level)
        with pytest.raises(ColumnError, match=r"found none\. .* has tokens with output_level='token' or metadata=True"):
            read_words(frame)


def test_rows_without_tokens_are_left_out():
    frame = pd.concat([pd.DataFrame({"tokens": [None, []], "vectors": [None, []]}), wide()], ignore_index=True)
    assert read_words(frame).tokens == TOKENS
    empty = pd.DataFrame({"token": [np.nan], "word_embedding_albert": [np.nan]}, index=[3])
    assert read_words(pd.concat([empty, nlu()])).tokens == TOKENS


def test_columns_are_chosen_by_name_where_several_fit():
    frame = nlu().assign(text="x", word="y", sentence_vector=list(VECTORS[:, :2]))
    np.testing.assert_array_equal(read_words(frame).vectors, VECTORS)
    chosen = read_words(frame, token_col="word", vector_col="sentence_vector")  # noqa: S106
    assert chosen.tokens == ["y"] * 10
    assert chosen.vectors.shape == (10, 2)


def test_what_cannot_be_told_apart_is_refused_with_the_candidates():
    frame = nlu().assign(vectors=list(VECTORS))
    with pytest.raises(ColumnError, match=r"found word_embedding_albert, vectors\. Choose one with vector_col"):
        read_words(frame)
    with pytest.raises(ColumnError, match=r"vector_col is 'vector', expected .* found word_embedding_albert among"):
        read_words(nlu(), vector_col="vector")
    with pytest.raises(ColumnError, match=r"Expected one token column, found none\. The columns are x\."):
        read_words(pd.DataFrame({"x": list(VECTORS)}))
    with pytest.raises(
        ColumnError, match=r"A row has 10 tokens in 'tokens' but 9 vectors in 'vectors', expected equally many\. Choose"
    ):
        read_words(wide(vectors=list(VECTORS[:9])))
    with pytest.raises(ColumnError, match="The vectors have 2, 3 numbers"):
        read_words([embedded(), EmbeddedText(["a"], [0], [1], [0], np.zeros((1, 2), np.float32))])


@pytest.mark.parametrize("data", ["I love NLP.", 3, ["a text"], {"a": 1}])
def test_other_data_is_refused(data):
    with pytest.raises(ParamTypeError, match="Expected embedded texts"):
        read_words(data)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_binary_vectors_of_every_spark_are_read(kind):
    frame = pd.DataFrame({"token": TOKENS, "vector": [kind(vector.tobytes()) for vector in VECTORS]})
    np.testing.assert_array_equal(read_words(frame, vector_format="binary").vectors, VECTORS)
    frame = wide(vectors=[kind(vector.tobytes()) for vector in VECTORS])
    np.testing.assert_array_equal(read_words(frame, vector_format="binary").vectors, VECTORS)


def test_binary_vectors_of_a_spark_frame_are_read(any_spark):
    rows = [(token, vector.tobytes()) for token, vector in zip(TOKENS, VECTORS, strict=True)]
    frame = any_spark.createDataFrame(rows, "token string, vector binary").coalesce(1)
    np.testing.assert_array_equal(read_words(frame, vector_format="binary").vectors, VECTORS)
