"""Every form of embedded texts gives the same words, vectors and sentences."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import sparkalbert
from sparkalbert import AlbertEmbeddings, EmbeddedText
from sparkalbert.errors import ColumnError, InputError, ParamError, ParamTypeError
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.plots import words as module
from sparkalbert.plots.words import Words, read_words, sample_words
from tests import tiny_bundle

SENTENCES = ["A  bank, by the river.", "It's wide."]
REBUILT = ["A bank, by the river.", "It's wide."]
TOKENS = ["A", "bank", ",", "by", "the", "river", ".", "It's", "wide", "."]
STARTS = [0, 2, 6, 8, 11, 15, 20, 0, 5, 9]
VECTORS = np.arange(30, dtype=np.float32).reshape(10, 3) / 7


def embedded():
    """One text of both sentences: its spans are those in ``" ".join(SENTENCES)``."""
    text, spans, position = " ".join(SENTENCES), [], 0
    for token in TOKENS:
        position = text.index(token, position)
        spans.append((position, position + len(token)))
        position += len(token)
    start, stop = map(list, zip(*spans, strict=True))
    return EmbeddedText(TOKENS, start, stop, [0] * 7 + [1] * 3, VECTORS)


def wide(**columns):
    text = embedded()
    inclusive = [stop - 1 for stop in text.stop]
    vectors = list(VECTORS)
    found = {"id": "one", "text": " ".join(SENTENCES), "tokens": TOKENS, "begin": text.start, "end": inclusive}
    return pd.DataFrame({name: [value] for name, value in {**found, "vectors": vectors, **columns}.items()})


def annotations(**changes):
    text = embedded()
    return [
        {
            "annotatorType": "word_embeddings",
            "begin": begin,
            "end": stop - 1,
            "result": token,
            "metadata": {"sentence": str(sentence)},
            "embeddings": vector,
            **changes,
        }
        for token, begin, stop, sentence, vector in zip(
            TOKENS, text.start, text.stop, text.sentence, VECTORS.tolist(), strict=True
        )
    ]


def nlu():
    frame = pd.DataFrame({"token": TOKENS, "word_embedding_albert": list(VECTORS)}, index=[4] * 7 + [9] * 3)
    return frame.assign(label="kept")


FORMS = {
    "EmbeddedText": embedded(),
    "a list of it": [embedded()],
    "its pandas frame": embedded().to_pandas(),
    "embed": wide(),
    "embed, lists": wide(vectors=VECTORS.tolist()),
    "annotations": pd.DataFrame(
        {"document": [[{"result": "x", "embeddings": []}]], "embeddings": [annotations()], "text": ["x"]}
    ),
    "Arrow": pa.table({"text": ["x"], "embeddings": [annotations(metadata=[("sentence", "0")])[:7]
                       + annotations(metadata=[("sentence", "1")])[7:]]}),
}  # fmt: skip


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
    with pytest.raises(ColumnError, match="A row has 10 tokens and 9 vectors"):
        read_words(wide(vectors=list(VECTORS[:9])))
    with pytest.raises(ColumnError, match="The vectors have 2, 3 numbers"):
        read_words([embedded(), EmbeddedText(["a"], [0], [1], [0], np.zeros((1, 2), np.float32))])


@pytest.mark.parametrize("data", ["I love NLP.", 3, ["a text"], {"a": 1}])
def test_other_data_is_refused(data):
    with pytest.raises(ParamTypeError, match="Expected embedded texts"):
        read_words(data)


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
