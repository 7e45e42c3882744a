"""The one-liner without Spark: what comes back for each kind of data, what is refused, and how fast."""

import io
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import sparkalbert
from sparkalbert import WordEmbedder
from sparkalbert.errors import ColumnError, ModelNotFoundError, ParamError, ParamTypeError, TextError
from sparkalbert.nlu import progress
from tests import tiny_bundle

TEXTS = ["The river was high. Nobody could cross it!", "", "Snow 🙂 fell."]
VECTOR = "word_embedding_albert"


@pytest.fixture(scope="module")
def predictor():
    return sparkalbert.load("albert_mini_en", threads=1)


@pytest.fixture(scope="module")
def embedder():
    return WordEmbedder.load("albert_mini_en", threads=1)


def test_vectors_are_those_of_the_embedder(predictor, embedder):
    found = predictor.predict(TEXTS)
    assert found[VECTOR].isna().tolist() == found["token"].isna().tolist()
    expected = np.concatenate([text.vectors for text in embedder.embed(TEXTS)])
    assert np.array_equal(np.stack(found[VECTOR].dropna()), expected)


def test_a_sentence_has_its_own_vectors(predictor, embedder):
    found = predictor.predict(TEXTS, "sentence")
    first, _, last = embedder.embed(TEXTS)
    assert found["sentence"].fillna("").tolist() == [
        "The river was high.",
        "Nobody could cross it!",
        "",
        "Snow 🙂 fell.",
    ]
    for vectors, expected in zip(found[VECTOR], [first.vectors[:5], first.vectors[5:], [], last.vectors], strict=True):
        assert np.array_equal(vectors, np.reshape(expected, vectors.shape))


def test_one_vector_per_sentence_or_document(predictor, embedder):
    documents = predictor.predict(TEXTS, "document", pooling="mean")[VECTOR]
    assert np.array_equal(np.stack(documents), embedder.text_vectors(TEXTS))
    sentences = predictor.predict(TEXTS, "sentence", pooling="mean")[VECTOR]
    assert sentences.isna().tolist() == [False, False, True, False]
    expected = np.concatenate([text.sentence_vectors() for text in embedder.embed(TEXTS)])
    assert np.array_equal(np.stack(sentences.dropna()), expected)


def test_offsets_count_utf16_units(predictor):
    found = predictor.predict("Snow 🙂 fell.", positions=True)
    assert found[["token", "token_begin", "token_end"]].to_numpy().tolist() == [
        ["Snow", 0, 3],
        ["🙂", 5, 6],
        ["fell", 8, 11],
        [".", 12, 12],
    ]


def test_a_pandas_index_and_types_are_kept(predictor):
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    data = pd.DataFrame({"when": pd.Timestamp("2026-01-01"), 7: [1, 2, 3], "text": TEXTS}, index=index)
    found = predictor.predict(data)
    assert found.index.tolist() == [("a", 1)] * 10 + [("a", 2)] + [("b", 1)] * 4
    assert found.columns.tolist() == [7, "text", "token", "when", VECTOR]
    assert str(found["when"].dtype).startswith("datetime64")
    assert predictor.predict(data, reset_index=True).index.tolist() == [0] * 10 + [1] + [2] * 4
    assert data.columns.tolist() == ["when", 7, "text"]


def test_the_callers_frame_stays_unchanged(predictor):
    data = pd.DataFrame({"body": TEXTS})
    before = data.copy()
    assert predictor.predict(data, "document")["text"].tolist() == TEXTS
    pd.testing.assert_frame_equal(data, before)


def test_the_column_of_texts_can_be_named(predictor):
    data = pd.DataFrame({"title": ["a", "b", "c"], "body": TEXTS})
    assert predictor.predict(data, text_col="body")["token"].tolist()[:2] == ["The", "river"]


def test_a_second_column_text_is_refused_unless_it_is_left_out(predictor):
    data = pd.DataFrame({"text": [1], "body": ["Snow"]})
    with pytest.raises(ColumnError, match="a column 'text' beside the column of texts, 'body'"):
        predictor.predict(data, text_col="body")
    found = predictor.predict(data, text_col="body", keep_stranger_features=False)
    assert found.drop(columns=VECTOR).to_dict("records") == [{"text": "Snow", "token": "Snow"}]


@pytest.mark.parametrize("empty", [[], np.array([]), pd.Series([], dtype=object), pd.DataFrame({"text": []})], ids=type)
def test_without_texts_the_columns_are_there(predictor, empty):
    found = predictor.predict(empty, positions=True)
    assert len(found) == 0
    assert {"token", "token_begin", VECTOR} <= set(found.columns)


def test_missing_values_are_empty_texts(predictor):
    for missing in (None, float("nan"), pd.NA):
        found = predictor.predict([missing, "Snow"])
        assert found["token"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (3, "got int."),
        (b"Snow", r"got bytes. Did you mean predict\(data.decode\(\)\)"),
        ({"text": TEXTS}, r"Did you mean predict\(pandas.DataFrame\(data\)\)"),
        ((text for text in TEXTS), r"Did you mean predict\(list\(data\)\)"),
        (np.array([TEXTS]), r"one dimension, got 2. Did you mean predict\(data.ravel\(\)\)"),
        (["Snow", 3], "got int at position 1 of the list"),
        (pd.Series([1.5]), "got float at position 0 of the Series"),
        (pd.DataFrame({"number": [1], "body": ["Snow"]}), "of column 'number'.*Did you mean text_col='body'"),
    ],
    ids=["int", "bytes", "dict", "generator", "two dimensions", "list", "series", "frame"],
)
def test_other_data_is_refused_with_a_hint(predictor, data, hint):
    with pytest.raises(ParamTypeError, match=hint):
        predictor.predict(data)


def test_columns_that_cannot_be_are_refused(predictor):
    data = pd.DataFrame({"text": ["Snow"], "token": [1]})
    with pytest.raises(ColumnError, match="The data has columns named as columns of the result: token"):
        predictor.predict(data)
    assert predictor.predict(data, "document")["token"].tolist() == [1]
    assert len(predictor.predict(data, keep_stranger_features=False)) == 1
    with pytest.raises(ColumnError, match=r"no column 'Texts'\. Did you mean 'text'\?"):
        predictor.predict(data, text_col="Texts")
    with pytest.raises(ColumnError, match="several columns named 'text'"):
        predictor.predict(pd.DataFrame([["Snow", "Rain"]], columns=["text", "text"]))
    with pytest.raises(ColumnError, match=r"no column 0\. Its columns: text, token"):
        predictor.predict(data, text_col=0)
    with pytest.raises(ColumnError, match=r"no column '7'\. Did you mean 7\?"):
        predictor.predict(pd.DataFrame({7: ["Snow"]}), text_col="7")
    with pytest.raises(ParamTypeError, match="text_col is a list, expected the name of the column of texts"):
        predictor.predict(data, text_col=["text"])
    with pytest.raises(ColumnError, match="no columns"):
        predictor.predict(pd.DataFrame())
    with pytest.raises(ParamTypeError, match="list, which has no columns"):
        predictor.predict(["Snow"], text_col="text")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"output_level": "sentences"}, ParamError, "output_level is 'sentences'.*Did you mean 'sentence'"),
        ({"output_level": None}, ParamTypeError, "output_level is None, expected one of token, sentence, document"),
        ({"output_level": "document", "pooling": "max"}, ParamError, "pooling is 'max', expected 'mean' or None"),
        ({"pooling": "mean"}, ParamError, "Use output_level='sentence' or 'document'"),
    ],
)
def test_options_are_checked(predictor, options, error, message):
    with pytest.raises(error, match=message):
        predictor.predict("Snow", **options)


def test_an_invalid_text_is_refused(predictor):
    with pytest.raises(TextError):
        predictor.predict(["Snow", "\ud800"])


def test_multithread_is_accepted(predictor):
    assert len(predictor.predict("Snow", multithread=False)) == 1


class TestLoad:
    def test_nlus_keywords_are_accepted(self):
        found = sparkalbert.load(path=str(tiny_bundle.bundle().path), verbose=True, m1_chip=True, threads=1)
        assert found.predict("Snow").columns.tolist() == ["token", "word_embedding_from_disk"]

    def test_options_reach_the_model(self):
        options = {"pooling": "first_last", "layers": [-2, -1], "max_sentence_length": 10, "encoding": "token"}
        model = tiny_bundle.bundle().path
        text = "The unbelievable rivers were high, and nobody could cross them"
        found = sparkalbert.load(model, **options).predict(text)["word_embedding_from_disk"]
        (expected,) = WordEmbedder.load(model, **options).embed([text])
        assert np.array_equal(np.stack(found), expected.vectors)

    def test_an_unknown_option_is_refused(self):
        with pytest.raises(ParamTypeError, match=r"no option 'pool'\. Did you mean 'pooling'\?"):
            sparkalbert.load("albert_mini_en", pool="mean")

    def test_a_model_is_needed(self):
        with pytest.raises(ParamError, match="either a model or a path"):
            sparkalbert.load()

    def test_an_unknown_reference_is_refused_with_its_neighbour(self):
        with pytest.raises(ModelNotFoundError, match=r"Did you mean 'en\.embed\.albert\.xlarge_uncased'"):
            sparkalbert.load("en.embed.albert.xlarge_uncase")


def test_it_needs_no_spark():
    program = (
        "import sys, sparkalbert\n"
        "assert len(sparkalbert.load('albert_mini_en').predict('I love NLP.')) == 4\n"
        "assert not {'pyspark', 'typer', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


class TestProgress:
    @pytest.fixture
    def screen(self, monkeypatch):
        stream = io.StringIO()
        stream.isatty = lambda: True
        monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
        return stream

    def test_a_line_appears_and_disappears(self, screen, monkeypatch):
        monkeypatch.setattr(progress, "_FIRST_S", 0.0)
        with progress.progress_line("Predicting") as line:
            line.update(1, 4)
        shown = screen.getvalue()
        assert "\rPredicting: 25%, 0 s left" in shown
        assert shown.endswith(" \r")

    def test_what_is_fast_shows_nothing(self, screen, predictor):
        predictor.predict(TEXTS)
        assert screen.getvalue() == ""
