"""The one-liner without Spark: what comes back for each kind of data, and what is refused."""

import io
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import sparkalbert
from sparkalbert import WordEmbedder
from sparkalbert.errors import (
    CheckpointError,
    ColumnError,
    InputError,
    ModelNotFoundError,
    ParamError,
    ParamTypeError,
    TextError,
)
from sparkalbert.ml.job.saved_pipeline import read_pipeline
from sparkalbert.ml.stages.spark_nlp_model import SavedStage
from sparkalbert.nlu import loading, progress
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
        (
            {"output_level": None},
            ParamTypeError,
            "output_level is None, expected one of token, sentence, document, chunk",
        ),
        ({"output_level": "document", "pooling": "max"}, ParamError, "pooling is 'max', expected 'mean' or None"),
        ({"pooling": "mean"}, ParamError, "Use output_level='sentence' or 'document'"),
    ],
)
def test_options_are_checked(predictor, options, error, message):
    with pytest.raises(error, match=message):
        predictor.predict("Snow", **options)


def test_an_invalid_text_is_refused(predictor):
    for options in ({}, {"return_spark_df": True}):
        with pytest.raises(TextError):
            predictor.predict(["Snow", "\ud800"], **options)


FRAME = pd.DataFrame({"text": ["Snow fell"], "label": ["x"]})
LEFT_OUT, KEPT = ["label", "token"], ["label", "text", "token"]


class TestWithoutVectors:
    """NLU drops ``text`` where it uses a LightPipeline (``predict_multi_threaded_light_pipe``)."""

    @pytest.mark.parametrize(
        ("data", "options", "columns"),
        [
            (FRAME, {}, LEFT_OUT),
            (FRAME, {"multithread": False}, KEPT),
            (FRAME, {"multithread": None}, KEPT),
            (FRAME.rename_axis("number"), {}, KEPT),
            (FRAME.rename_axis("index"), {}, LEFT_OUT),
            (FRAME.set_index(pd.MultiIndex.from_tuples([(0, 1)])), {}, KEPT),
            (pd.DataFrame({"body": ["Snow fell"], "label": ["x"]}), {}, KEPT),
            (pd.DataFrame({"text": ["Snow fell", None], "label": ["x", "y"]}), {}, KEPT),
            (pd.DataFrame({"text": ["Snow fell", ""], "label": ["x", "y"]}), {}, LEFT_OUT),
            (["Snow fell"], {"multithread": False}, ["token"]),
        ],
        ids=[
            "light", "no threads", "None", "named index", "index", "levels", "renamed", "missing", "empty text", "list",
        ],
    )  # fmt: skip
    def test_text_is_kept_where_nlu_keeps_it(self, predictor, data, options, columns):
        found = predictor.predict(data, get_embeddings=False, **options)
        assert found.columns.tolist() == columns
        assert found["token"].tolist()[:2] == ["Snow", "fell"]

    def test_with_vectors_it_is_always_there(self, predictor):
        assert predictor.predict(FRAME).columns.tolist() == [*KEPT, VECTOR]
        assert predictor.predict(FRAME, get_embeddings=None).columns.tolist() == [*KEPT, VECTOR]


def test_offsets_of_chunks_are_lists(predictor):
    """As in NLU, in which nothing has the level of a chunk, so that nothing is exploded; see the sentence level."""
    found = predictor.predict("Snow fell. Ice.", "chunk", positions=True)
    own = predictor.predict("Snow fell. Ice.", "document", positions=True)
    assert found.columns.tolist() == own.columns.tolist()
    offsets = ["document_begin", "document_end", "sentence_begin", "sentence_end"]
    assert found[offsets].to_numpy().tolist() == [[[0], [14], [0, 11], [9, 14]]]
    assert own[offsets].to_numpy().tolist() == [[0, 14, [0, 11], [9, 14]]]
    assert found["document"].tolist() == ["Snow fell. Ice."]
    assert predictor.predict("Snow fell. Ice.", "chunk", pooling="mean")[VECTOR][0].shape == own[VECTOR][0].shape[1:]


OFFSETS = [f"{name}_{end}" for name in ("document", "sentence", "token", VECTOR) for end in ("begin", "end")]
FACTS = ["token_origin_sentence", *(f"{VECTOR}_{name}" for name in (
    "is_OOV", "is_word_start", "origin_sentence", "piece_id",
))]  # fmt: skip


@pytest.mark.parametrize("level", ["document", "chunk"])
@pytest.mark.parametrize(
    ("options", "added"),
    [
        ({"positions": True}, OFFSETS),
        ({"metadata": True}, ["origin_index", "sentence", "token", *FACTS]),
        ({"positions": True, "metadata": True}, ["origin_index", "sentence", "token", *FACTS, *OFFSETS]),
        ({"drop_irrelevant_cols": False}, ["origin_index", "sentence", "token"]),
        ({"get_embeddings": False}, []),
    ],
)
def test_options_of_documents(predictor, level, options, added):
    """They were not recorded with options; the columns follow from NLU's code, as those of sentences do."""
    found = predictor.predict(TEXTS, level, **options)
    vectors = [VECTOR] if options.get("get_embeddings", True) else []
    assert found.columns.tolist() == sorted(["document", *vectors, *added])
    assert {str(kind) for name, kind in found.dtypes.items() if name != "origin_index"} == {"object"}


def test_the_words_of_a_long_text_share_the_list_of_its_sentences(predictor):
    found = predictor.predict("Snow fell. Ice. " * 50, positions=True, drop_irrelevant_cols=False)
    assert len(found) == 250
    for name in ("sentence", "sentence_begin", "document_end"):
        assert len({id(cell) for cell in found[name] if isinstance(cell, list)}) == 1
    assert len(found["sentence"].iloc[0]) == 100


class TestNlusKeywords:
    def test_those_of_predict_are_accepted_in_its_order(self, predictor):
        nlus = {
            "output_level": "token",
            "output_path": "",
            "positions": True,
            "keep_stranger_features": False,
            "metadata": False,
            "multithread": True,
            "drop_irrelevant_cols": True,
            "return_spark_df": False,
            "get_embeddings": None,
            "parser_output": False,
            "parser_config": "",
            "partition": 1000,
        }
        found = predictor.predict(FRAME, *nlus.values())
        expected = predictor.predict(FRAME, positions=True, keep_stranger_features=False)
        assert found.columns.tolist() == expected.columns.tolist()
        assert {"text", "token_begin", VECTOR} <= set(found.columns)

    def test_a_parsed_output_is_refused(self, predictor):
        with pytest.raises(
            ParamError, match="parser_output is True, expected False: its parser is a part of Spark NLP"
        ):
            predictor.predict("Snow", parser_output=True)

    def test_those_of_load_are_accepted_in_its_order(self):
        nlus = {"verbose": True, "gpu": False, "streamlit_caching": True, "apple_silicon": True, "get_tracer": True}
        found = sparkalbert.load("albert_mini_en", None, *nlus.values(), threads=1)
        assert found.predict("Snow").columns.tolist() == ["token", VECTOR]
        by_request = sparkalbert.load(request="albert_mini_en", threads=1)
        assert by_request.predict("Snow").columns.tolist() == ["token", VECTOR]

    def test_a_reference_beside_a_path_names_the_column(self):
        model = str(tiny_bundle.bundle().path)
        for reference, name in {"en.embed.albert.xlarge_uncased": "albert", "mine": "mine"}.items():
            found = sparkalbert.load(reference, model, threads=1).predict("Snow")
            assert found.columns.tolist() == ["token", f"word_embedding_{name}"]

    def test_two_models_are_refused(self):
        with pytest.raises(ParamError, match=r"two models, 'albert_mini_en' and request='other'\. Pass one"):
            sparkalbert.load("albert_mini_en", request="other")
        with pytest.raises(ParamError, match="a path and a PosixPath, expected a name beside a path"):
            sparkalbert.load(tiny_bundle.bundle().path, "folder")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("en.embed.albert.xlarge_uncased", "albert"),
        ("en.embed_sentence.albert", "albert"),
        ("xx.embed.albert.indic", "albert"),
        ("embed.albert_base_uncased", "albert_base_uncased"),
        ("ar.embed.albert_large_arabic", "albert_large_arabic"),
        ("ro.embed.ALR_BERT", "ALR_BERT"),
        ("en.albert", "albert"),
        ("albert_base_uncased", "albert"),
        ("albert/albert-base-v2@main", "albert"),
    ],
)
def test_the_column_of_a_reference_is_nlus(monkeypatch, embedder, reference, name):
    monkeypatch.setattr(WordEmbedder, "load", lambda *_, **__: embedder)
    assert sparkalbert.load(reference).predict("Snow").columns.tolist() == ["token", f"word_embedding_{name}"]


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

    def test_deeply_nested_metadata_are_an_input_error(self, tmp_path):
        (tmp_path / "saved" / "metadata").mkdir(parents=True)
        (tmp_path / "saved" / "metadata" / "part-00000").write_text("[" * 100_000)
        with pytest.raises(InputError, match="cannot be read"):
            read_pipeline(str(tmp_path / "saved"))
        with pytest.raises(CheckpointError, match="is not the metadata of a saved stage"):
            SavedStage.read(tmp_path / "saved")

    def test_a_model_is_needed(self):
        with pytest.raises(ParamError, match="either a model or a path"):
            sparkalbert.load()

    def test_an_unknown_reference_is_refused_with_its_neighbour(self):
        with pytest.raises(ModelNotFoundError, match=r"Did you mean 'en\.embed\.albert\.xlarge_uncased'"):
            sparkalbert.load("en.embed.albert.xlarge_uncase")


class TestPaths:
    """What is a URI, a path or a name is decided as by ``find_model``, without Spark."""

    @pytest.mark.parametrize("name", ["C:\\models\\albert", "albert:v2", "~no-such-user/model"])
    def test_what_is_no_uri_is_not_read_by_spark(self, monkeypatch, name):
        monkeypatch.setattr(loading, "_read", lambda _: pytest.fail("Spark read it"))
        with pytest.raises(ModelNotFoundError):
            sparkalbert.load(name)

    def test_a_uri_without_spark_is_refused_with_the_advice(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyspark", None)  # as on a machine where it is not installed
        with pytest.raises(ModelNotFoundError, match=r"give the path where it is mounted \(on Databricks /Volumes"):
            sparkalbert.load("s3a://bucket/model")

    def test_a_folder_may_have_a_name_with_a_colon(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        shutil.copytree(tiny_bundle.bundle().path, "albert:v2")
        assert sparkalbert.load("albert:v2").predict("A bank.").columns[-1] == "word_embedding_from_disk"


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


def test_gpu_and_another_device_contradict_each_other(monkeypatch):
    with pytest.raises(ParamError) as caught:
        sparkalbert.load("albert_mini_en", gpu=True, device="cpu")
    assert str(caught.value) == ("load() has gpu=True and device='cpu'. Pass one; gpu is NLU's name for device='cuda'.")
    devices = []
    monkeypatch.setattr(sparkalbert.WordEmbedder, "load", lambda *_, device, **__: devices.append(device))
    for options in ({}, {"device": "cuda:1"}):
        sparkalbert.load("albert_mini_en", gpu=True, **options)
    assert devices == ["cuda", "cuda:1"]
