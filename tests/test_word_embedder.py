"""Texts to vectors without Spark: right values, named errors, and embedders that travel, are saved and closed."""

import copy
import logging
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from sparkalbert import EmbeddedText, WordEmbedder
from sparkalbert.bundle import Bundle
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.verify.forward import hidden_states
from sparkalbert.errors import (
    BundleError,
    DownloadError,
    InferenceError,
    ModelNotFoundError,
    OutputError,
    ParamError,
    ParamTypeError,
    TextError,
)
from sparkalbert.inference import EmbedderOptions, SessionOptions, VectorOptions
from sparkalbert.inference.model import MODELS
from tests import tiny_bundle

TEXTS = ["The river was high. People could not cross it!", "", "Snow began to fall", "🙂 was here \u200b."]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("SPARKALBERT_HOME", str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path):
    """A copy of a real tiny bundle, which a test may damage."""
    return Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "tiny"))


@pytest.fixture(scope="module")
def embedder():
    return WordEmbedder(tiny_bundle.bundle())


def assert_equal(found, expected):
    assert (found.tokens, found.start, found.stop) == (expected.tokens, expected.start, expected.stop)
    assert found.sentence == expected.sentence
    np.testing.assert_array_equal(found.vectors, expected.vectors)


class TestEmbed:
    def test_tokens_spans_and_sentences(self, embedder):
        results = embedder.embed(TEXTS)
        assert [result.tokens for result in results] == [
            ["The", "river", "was", "high", ".", "People", "could", "not", "cross", "it", "!"],
            [],
            ["Snow", "began", "to", "fall"],
            ["🙂", "was", "here", "\u200b", "."],
        ]
        for text, result in zip(TEXTS, results, strict=True):
            assert [text[start:stop] for start, stop in zip(result.start, result.stop, strict=True)] == result.tokens
            assert result.vectors.shape == (len(result), embedder.dimension)
            assert result.vectors.dtype == np.float32
        assert results[0].sentence == [0] * 5 + [1] * 6

    def test_sentences_have_places_and_rows(self, embedder):
        text = " The river was high. \u200b"
        (found,) = embedder.embed([text])
        spans = zip(found.sentence_start, found.sentence_stop, strict=True)
        assert next(text[start:stop] for start, stop in spans) == "The river was high."
        assert len(found.sentence_vectors()) == len(found.sentence_start)

    def test_pieces_are_those_of_the_vocabulary(self, embedder):
        tokenizer = MODELS.get(embedder.bundle.digest, embedder.options.session, embedder.bundle.verify).tokenizer
        (found,) = embedder.embed(["The \u200b river"])
        assert found.piece == [tokenizer.encode("The").ids[0], -1, tokenizer.encode("river").ids[0]]

    def test_splitting_computes_no_vectors(self, embedder, monkeypatch):
        expected = embedder.embed(TEXTS)
        monkeypatch.setattr(type(embedder._embedder), "vectors", None)
        for found, text in zip(embedder.split(TEXTS), expected, strict=True):
            assert found.vectors.shape == (len(text), 0)
            assert (found.tokens, found.start, found.stop) == (text.tokens, text.start, text.stop)
            assert (found.sentence, found.piece) == (text.sentence, text.piece)
            assert (found.sentence_start, found.sentence_stop) == (text.sentence_start, text.sentence_stop)
        with pytest.raises(ParamTypeError, match=r"Did you mean split\(\[text\]\)"):
            embedder.split("The river")

    def test_vectors_are_those_of_an_independent_forward_pass(self, embedder):
        (found,) = embedder.embed(["River high"])
        checkpoint = Checkpoint.open(tiny_bundle.checkpoint())
        tokenizer = MODELS.get(embedder.bundle.digest, embedder.options.session, embedder.bundle.verify).tokenizer
        pieces = tokenizer.encode("River high").ids
        ids = np.array([[tokenizer.cls_id, *pieces, tokenizer.sep_id]])
        last = hidden_states(checkpoint.config, checkpoint.tensor, ids, np.ones_like(ids))[-1, 0, 1:-1]
        first_of_high = len(tokenizer.encode("River").ids)
        np.testing.assert_allclose(found.vectors, last[[0, first_of_high]], atol=1e-5, rtol=0)

    def test_texts_alone_and_together_have_the_same_bits(self, embedder):
        for found, text in zip(embedder.embed(TEXTS), TEXTS, strict=True):
            assert_equal(found, embedder.embed([text])[0])

    def test_a_word_without_a_piece_gets_zeros(self, embedder):
        (found,) = embedder.embed_tokens([["river", "\u200b", ""]])
        assert np.abs(found.vectors[0]).min() > 0
        assert not found.vectors[1:].any()

    def test_each_text_owns_its_vectors(self, embedder):
        """Else keeping one text would keep the memory of all that were embedded with it."""
        results = [*embedder.embed(TEXTS), *embedder.embed_tokens([["a", "b"], ["c"]]), *embedder.stream(TEXTS)]
        for result in results:
            assert result.vectors.base is None
            assert result.vectors.flags.owndata
            assert result.vectors.flags.writeable

    def test_without_texts_there_are_no_results(self, embedder):
        assert embedder.embed([]) == []
        assert embedder.embed_tokens([]) == []
        assert embedder.text_vectors([]).shape == (0, embedder.dimension)

    def test_any_iterable_of_texts(self, embedder):
        expected = embedder.embed(TEXTS)
        for texts in (tuple(TEXTS), iter(TEXTS), pd.Series(TEXTS), np.array(TEXTS, dtype=object)):
            for found, result in zip(embedder.embed(texts), expected, strict=True):
                assert_equal(found, result)

    def test_tokens_are_one_sentence(self, embedder):
        (split,) = embedder.embed(["The river was high"])
        (given,) = embedder.embed_tokens([["The", "river", "was", "high"]])
        assert_equal(given, split)

    def test_from_several_threads(self, embedder):
        expected = embedder.embed(TEXTS)
        with ThreadPoolExecutor(4) as pool:
            for results in pool.map(lambda _: embedder.embed(TEXTS), range(12)):
                for found, result in zip(results, expected, strict=True):
                    assert_equal(found, result)


class TestWrongTexts:
    @pytest.mark.parametrize("method", ["embed", "stream", "text_vectors", "to_pandas"])
    def test_a_single_string(self, embedder, method):
        with pytest.raises(ParamTypeError) as caught:
            getattr(embedder, method)("I love NLP.")
        named = "stream" if method == "stream" else "embed"
        assert str(caught.value) == (
            f"{named}() expects a list of strings, got a single str. Did you mean {named}([text])?"
        )

    @pytest.mark.parametrize("tokens", ["I love NLP.", ["I", "love", "NLP"]])
    def test_tokens_that_are_not_lists(self, embedder, tokens):
        with pytest.raises(ParamTypeError) as caught:
            embedder.embed_tokens(tokens)
        assert str(caught.value) == (
            "embed_tokens() expects lists of tokens, got a str. Did you mean embed_tokens([tokens])?"
        )

    @pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), (b"bytes", "bytes"), (1.5, "float")])
    def test_something_else_than_a_string(self, embedder, value, kind):
        with pytest.raises(ParamTypeError) as caught:
            embedder.embed(["a", value])
        assert str(caught.value) == f"embed() expects strings, got {kind} at position 1."
        with pytest.raises(ParamTypeError, match=rf"embed_tokens\(\) expects strings, got {kind} at position 0"):
            embedder.embed_tokens([["a"], [value]])

    @pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), (5, "int")])
    def test_something_else_than_a_list(self, embedder, value, kind):
        for method in ("embed", "split", "stream"):
            with pytest.raises(ParamTypeError, match=rf"^{method}\(\) expects a list of strings, got {kind}\.$"):
                getattr(embedder, method)(value)
        with pytest.raises(ParamTypeError, match=rf"^embed_tokens\(\) expects lists of tokens, got {kind}\.$"):
            embedder.embed_tokens(value)
        with pytest.raises(ParamTypeError, match=rf"^model is {value}, expected the path of a folder or a name"):
            WordEmbedder.load(value)

    @pytest.mark.parametrize("value", [{"a": 1}, {"a"}, frozenset("a")])
    def test_what_has_no_order_or_other_values_is_no_list(self, embedder, value):
        with pytest.raises(ParamTypeError, match=rf"expects a list of strings, got {type(value).__name__}\.$"):
            embedder.embed(value)

    def test_a_frame_is_not_taken_for_its_column_names(self, embedder):
        frame = pd.DataFrame({"text": ["Snow"], "title": ["x"]})
        with pytest.raises(ParamTypeError) as caught:
            embedder.embed(frame)
        assert str(caught.value) == (
            "embed() expects a list of strings, got DataFrame. Did you mean embed(frame['text'])?"
        )
        assert len(embedder.embed(frame["text"])) == 1

    def test_a_position_counts_from_the_start_of_the_stream(self, embedder):
        stream = embedder.stream(["a", "b", "c", None], batch_size=2)
        assert [next(stream).tokens for _ in range(2)] == [["a"], ["b"]]
        with pytest.raises(ParamTypeError, match=r"stream\(\) expects strings, got NoneType at position 3"):
            next(stream)

    def test_a_lone_surrogate_is_refused_without_showing_the_text(self, embedder):
        with pytest.raises(TextError) as caught:
            embedder.embed(["secret\ud800word"])
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("method", ["embed", "split", "text_vectors", "to_pandas"])
    def test_the_position_of_a_lone_surrogate_is_that_in_the_text(self, embedder, method):
        with pytest.raises(TextError, match=r"\(U\+D800\) at character 19 of 24"):
            getattr(embedder, method)(["The river. A secret\ud800word"])


class TestStream:
    def test_it_yields_what_embed_returns(self, embedder):
        for batch_size in (1, 2, 100):
            for found, expected in zip(embedder.stream(TEXTS, batch_size), embedder.embed(TEXTS), strict=True):
                assert_equal(found, expected)

    def test_it_holds_at_most_a_batch(self, embedder):
        taken = []

        def texts():
            for number in range(1_000_000):
                taken.append(number)
                yield f"River {number}."

        stream = embedder.stream(texts(), batch_size=3)
        assert taken == []
        next(stream)
        assert taken == [0, 1, 2]
        assert [result.tokens[0] for result, _ in zip(stream, range(3), strict=False)] == ["River"] * 3
        assert taken == [0, 1, 2, 3, 4, 5]

    @pytest.mark.parametrize(("batch_size", "error"), [(0, ParamError), (-1, ParamError), (1.5, ParamTypeError)])
    def test_an_invalid_batch_size_is_refused_at_once(self, embedder, batch_size, error):
        with pytest.raises(error, match=f"batch_size is {batch_size}, expected"):
            embedder.stream(TEXTS, batch_size)


class TestTextAndSentenceVectors:
    VECTORS = np.array([[1, 2], [3, 4], [5, 9]], dtype=np.float32)

    def text(self, sentence, vectors=VECTORS):
        count = len(sentence)
        return EmbeddedText(["x"] * count, [0] * count, [1] * count, sentence, vectors[:count])

    def test_the_mean_of_all_words(self):
        np.testing.assert_array_equal(self.text([0, 0, 1]).text_vector(), [3, 5])
        np.testing.assert_array_equal(self.text([]).text_vector(), [0, 0])

    def test_the_mean_of_the_words_of_each_sentence(self):
        np.testing.assert_array_equal(self.text([0, 0, 1]).sentence_vectors(), [[2, 3], [5, 9]])
        np.testing.assert_array_equal(self.text([0, 0, 2]).sentence_vectors(), [[2, 3], [0, 0], [5, 9]])
        assert self.text([]).sentence_vectors().shape == (0, 2)

    def test_of_real_texts(self, embedder):
        results = embedder.embed(TEXTS)
        found = embedder.text_vectors(TEXTS)
        assert (found.shape, found.dtype) == ((4, embedder.dimension), np.float32)
        for vector, result in zip(found, results, strict=True):
            expected = result.vectors.mean(axis=0) if len(result) else np.zeros(embedder.dimension)
            np.testing.assert_allclose(vector, expected, atol=1e-6)
        first, second = results[0].sentence_vectors()
        np.testing.assert_allclose(first, results[0].vectors[:5].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(second, results[0].vectors[5:].mean(axis=0), atol=1e-6)


class TestToPandas:
    def test_one_row_per_word(self, embedder):
        texts = ["River. Snow", "", "high"]
        frame = embedder.to_pandas(texts)
        assert frame.columns.tolist() == ["text", "sentence", "token", "start", "stop", "vector"]
        assert frame.drop(columns="vector").to_numpy().tolist() == [
            [0, 0, "River", 0, 5],
            [0, 0, ".", 5, 6],
            [0, 1, "Snow", 7, 11],
            [2, 0, "high", 0, 4],
        ]
        expected = np.concatenate([result.vectors for result in embedder.embed(texts)])
        np.testing.assert_array_equal(np.stack(frame["vector"]), expected)

    @pytest.mark.parametrize("texts", [["River.", "", "high"], ["", "high"], ["high"], [""], []])
    def test_columns_have_the_same_types_for_any_texts(self, embedder, texts):
        frame = embedder.to_pandas(texts)
        assert frame.columns.tolist() == ["text", "sentence", "token", "start", "stop", "vector"]
        assert frame[["text", "sentence", "start", "stop"]].dtypes.tolist() == [np.int64] * 4
        assert frame["token"].dtype == pd.Series(["high"]).dtype
        assert frame["vector"].dtype == object
        assert len(frame) == sum(map(len, embedder.embed(texts)))

    def test_a_text_without_words(self, embedder):
        (empty,) = embedder.embed([""])
        frame = empty.to_pandas()
        assert len(frame) == 0
        assert frame[["sentence", "start", "stop"]].dtypes.tolist() == [np.int64] * 3


def test_similarity():
    first = np.array([[1, 0], [0, 0]], dtype=np.float32)
    second = np.array([[2, 0], [0, 3], [-1, 0], [1, 1]], dtype=np.float32)
    found = WordEmbedder.similarity(first, second)
    np.testing.assert_allclose(found, [[1, 0, -1, 0.5**0.5], [0, 0, 0, 0]], atol=1e-7)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(WordEmbedder.similarity([[1, 0]], [[0, 2], [3, 0]]), [[0, 1]])


def test_similarity_of_something_else_is_named(embedder):
    (words,) = embedder.embed(["river"])
    with pytest.raises(ParamTypeError, match=r"got EmbeddedText as second\. Did you mean second\.vectors\?"):
        embedder.similarity(words.vectors, words)
    with pytest.raises(ParamTypeError, match=r"got list of <U5 with shape \[1\] as first"):
        embedder.similarity(["river"], words.vectors)
    with pytest.raises(ParamTypeError, match="expects vectors of one length as second, got vectors of several"):
        embedder.similarity(words.vectors, [[1.0, 2.0], [3.0]])
    with pytest.raises(ParamError, match="of the same dimension, got 32 and 2"):
        embedder.similarity(words.vectors, np.zeros((3, 2), dtype=np.float32))


class TestLoad:
    def test_options_arrive(self):
        folder = tiny_bundle.bundle().path
        found = WordEmbedder.load(
            folder, pooling="first_last", layers=[np.int64(-1), 0], max_sentence_length=64, encoding="token", threads=2
        )
        assert found.options == EmbedderOptions(
            encoding="token", vectors=VectorOptions("first_last", (-1, 0), 64), session=SessionOptions(threads=2)
        )
        assert found.dimension == 64

    def test_threads_are_the_cores_of_the_process_by_default(self, monkeypatch):
        monkeypatch.setattr("sparkalbert.word_embedder.available_cores", lambda: 3)
        assert WordEmbedder.load(tiny_bundle.bundle().path).options.session.threads == 3

    def test_a_checkpoint_is_converted_to_the_requested_precision(self):
        found = WordEmbedder.load(tiny_bundle.checkpoint(), precision="int8")
        assert found.bundle.manifest.precision == "int8"
        assert found.bundle.digest == tiny_bundle.bundle("int8").digest

    def test_revision_and_download_switch_arrive(self):
        with pytest.raises(ParamError, match="which has no revisions"):
            WordEmbedder.load(tiny_bundle.bundle().path, revision="main")
        with pytest.raises(DownloadError, match=r"downloads are switched off \(allow_download=False\)"):
            WordEmbedder.load("nobody/no-albert", allow_download=False)

    def test_an_unknown_model(self):
        with pytest.raises(ModelNotFoundError, match="Did you mean 'albert_xlarge_uncased'"):
            WordEmbedder.load("albert_xlarge_uncase")

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"layers": -1}, ParamTypeError, r"Did you mean layers=\[-1\]\?"),
            ({"layers": [9]}, ParamError, "expected one or more different indices from -4 to 3"),
            ({"layers": "all"}, ParamTypeError, "layers is 'all', expected a list of integers"),
            ({"pooling": "max"}, ParamError, "pooling is 'max'"),
            ({"pooling": "frist"}, ParamError, r"mean, first_last\. Did you mean 'first'\?"),
            ({"encoding": "tokens"}, ParamError, r"sentence, token\. Did you mean 'token'\?"),
            ({"precision": "int4"}, ParamError, r"fp32, fp16, int8\. Did you mean 'int8'\?"),
            ({"max_sentence_length": 513}, ParamError, "has positions for 512 pieces"),
            ({"encoding": "word"}, ParamError, "encoding is 'word', expected one of sentence, token"),
            ({"threads": 0}, ParamError, "threads is 0, expected at least 1"),
            ({"device": "gpu"}, ParamError, r"Did you mean 'cuda'\?"),
        ],
    )
    def test_invalid_options(self, options, error, message):
        with pytest.raises(error, match=message):
            WordEmbedder.load(tiny_bundle.bundle().path, **options)

    def test_int8_on_a_gpu(self):
        with pytest.raises(ParamError, match=r"int8.* on the CPU only"):
            WordEmbedder.load(tiny_bundle.bundle("int8").path, device="cuda")

    def test_one_changed_byte_is_found_before_use(self, tiny):
        for name in tiny.manifest.files:
            intact = (tiny.path / name).read_bytes()
            (tiny.path / name).write_bytes(intact[:-1] + bytes([intact[-1] ^ 1]))
            MODELS.clear()
            with pytest.raises(BundleError, match=f"{name} has sha256"):
                WordEmbedder.load(tiny.path)
            (tiny.path / name).write_bytes(intact)
        assert WordEmbedder.load(tiny.path).embed(["river"])


class TestTravel:
    """An embedder is pickled as the path and digest of its model, never as the model."""

    def test_pickle_and_copies_embed_alike(self, embedder):
        expected = embedder.embed(TEXTS)
        data = pickle.dumps(embedder)
        assert len(data) < 2_000
        for other in (pickle.loads(data), copy.copy(embedder), copy.deepcopy(embedder)):
            assert other.options == embedder.options
            for found, result in zip(other.embed(TEXTS), expected, strict=True):
                assert_equal(found, result)

    def test_in_one_process_the_model_is_shared(self, embedder):
        assert copy.deepcopy(embedder)._embedder.model is pickle.loads(pickle.dumps(embedder))._embedder.model

    def test_in_another_process(self, embedder, tmp_path):
        (tmp_path / "pickle").write_bytes(pickle.dumps(embedder))
        script = (
            "import pickle, sys\n"
            "with open(sys.argv[1], 'rb') as file: embedder = pickle.load(file)\n"
            "print(embedder.embed(['The river was high'])[0].vectors.tobytes().hex())"
        )
        command = [sys.executable, "-c", script, str(tmp_path / "pickle")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        (expected,) = embedder.embed(["The river was high"])
        assert done.stdout.strip() == expected.vectors.tobytes().hex()

    def test_from_a_relative_path(self, tiny, tmp_path, monkeypatch):
        monkeypatch.chdir(tiny.path.parent)
        data = pickle.dumps(WordEmbedder.load("./tiny"))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert pickle.loads(data).embed(["river"])

    def test_a_model_that_was_moved(self, tiny):
        data = pickle.dumps(WordEmbedder(tiny))
        tiny.path.rename(tiny.path.with_name("moved"))
        with pytest.raises(BundleError) as caught:
            pickle.loads(data)
        assert str(caught.value).startswith(
            f"This WordEmbedder was pickled with the model in {tiny.path}, which cannot be opened now. {tiny.path} is "
            "not a sparkalbert bundle: manifest.json cannot be read"
        )

    def test_another_model_in_its_place(self, tiny):
        data = pickle.dumps(WordEmbedder(tiny))
        other = tiny_bundle.bundle(num_hidden_layers=1)
        shutil.rmtree(tiny.path)
        shutil.copytree(other.path, tiny.path)
        with pytest.raises(BundleError) as caught:
            pickle.loads(data)
        assert str(caught.value) == (
            f"This WordEmbedder was pickled with a different model from the one in {tiny.path} now: the digest is "
            f"{other.digest[:16]}, expected {tiny.digest[:16]}. Load the model with WordEmbedder.load and pickle it "
            "again."
        )

    def test_a_damaged_model(self, tiny):
        data = pickle.dumps(WordEmbedder(tiny))
        MODELS.clear()
        path = tiny.path / "model.onnx.data"
        path.write_bytes(bytes(path.stat().st_size))
        with pytest.raises(BundleError, match=r"model\.onnx\.data has sha256"):
            pickle.loads(data)


class TestSave:
    def test_a_saved_model_loads_again(self, embedder, tmp_path):
        embedder.save(tmp_path / "saved")
        again = WordEmbedder.load(tmp_path / "saved")
        assert again.bundle.manifest == embedder.bundle.manifest
        assert_equal(again.embed(["river"])[0], embedder.embed(["river"])[0])

    def test_a_folder_is_replaced_on_request_only(self, embedder, tmp_path):
        other = WordEmbedder(tiny_bundle.bundle(num_hidden_layers=1))
        embedder.save(tmp_path / "saved")
        with pytest.raises(OutputError, match="already exists"):
            other.save(tmp_path / "saved")
        other.save(str(tmp_path / "saved"), overwrite=True)
        assert Bundle.open(tmp_path / "saved").verify().digest == other.bundle.digest

    def test_the_home_folder_is_expanded_when_saving_and_loading(self, embedder, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path / "user"))
        monkeypatch.chdir(tmp_path)
        embedder.save("~/saved")
        assert WordEmbedder.load("~/saved").bundle.path == tmp_path / "user" / "saved"
        assert not (tmp_path / "~").exists()

    def test_onto_its_own_folder(self, tiny):
        embedder = WordEmbedder(tiny)
        embedder.save(tiny.path, overwrite=True)
        assert Bundle.open(tiny.path).verify().manifest == tiny.manifest

    def test_damage_is_not_saved_as_if_it_were_right(self, tiny, tmp_path):
        embedder = WordEmbedder(tiny)
        path = tiny.path / "model.onnx.data"
        shutil.copyfile(path, tmp_path / "copy")
        path.unlink()  # the loaded session maps the old file
        (tmp_path / "copy").rename(path)
        path.write_bytes(bytes(path.stat().st_size))
        with pytest.raises(BundleError, match=r"model\.onnx\.data has sha256"):
            embedder.save(tmp_path / "saved")
        assert not (tmp_path / "saved").exists()


class TestClose:
    def test_a_closed_embedder_is_refused(self):
        embedder = WordEmbedder(tiny_bundle.bundle())
        embedder.close()
        embedder.close()
        for method, argument in [("embed", ["a"]), ("embed_tokens", [["a"]]), ("text_vectors", ["a"])]:
            with pytest.raises(InferenceError) as caught:
                getattr(embedder, method)(argument)
            assert str(caught.value) == "This WordEmbedder of model 'plain' is closed. Load another one."

    def test_a_context_manager_closes(self):
        with WordEmbedder(tiny_bundle.bundle()) as embedder:
            assert embedder.embed(["a"])
        with pytest.raises(InferenceError, match="is closed"):
            embedder.embed(["a"])

    def test_other_embedders_of_the_model_stay_open(self):
        first, second = WordEmbedder(tiny_bundle.bundle()), WordEmbedder(tiny_bundle.bundle())
        first.close()
        assert second.embed(["a"])


def test_the_log_never_contains_a_text(caplog):
    caplog.set_level(logging.DEBUG, "sparkalbert")
    embedder = WordEmbedder(tiny_bundle.bundle(), EmbedderOptions(session=SessionOptions(threads=2)))
    embedder.embed(["My secret river"])
    embedder.embed_tokens([["secret"]])
    assert caplog.messages == [
        "Loaded plain (fp32) on cpu with 2 threads",
        "Embedding with plain (fp32): at most 512 pieces per batch and 128 per window",
    ]
    assert {(record.name, record.levelno) for record in caplog.records} == {("sparkalbert", logging.INFO)}
