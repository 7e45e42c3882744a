"""Pieces of tokens, against the definition; Spark NLP's truncation, against what its code does with pieces and rows."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.errors import TextError
from sparkalbert.text.pieces import encoding
from sparkalbert.text.pieces.encoding import (
    ENCODINGS,
    EncodedSentence,
    encode_sentence,
    encode_sentences,
    encode_token_list,
    encode_token_lists,
    encode_tokens,
    first_pieces,
    joined_spans,
    pieces_of_tokens,
    truncate,
)
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests import tiny_vocabulary
from tests.recorded.tokenizer_folders import FOLDER, WORD_PIECES

TOKENIZER = PieceTokenizer(tiny_vocabulary.model_bytes())

WORDS = st.sampled_from(
    ["the", "River", "known", "9,000,", "1999,", "café", "½", "''", "``", "…", "İ", "\u200b", "\x01"]
)
TEXTS = st.lists(
    st.one_of(WORDS, st.sampled_from([" ", "  ", "(", '"', ".", "-", ","]), st.text(max_size=4)), max_size=15
).map("".join)
TOKENS = st.lists(st.one_of(WORDS, st.text("the (9,é", min_size=1, max_size=5)), max_size=8)
PIECE_COUNTS = st.lists(st.integers(0, 5), max_size=30)


def ranges_by_definition(offsets, spans):
    """Look at every character of every piece; None for a token without a piece."""
    for start, stop in spans:
        holding = [
            piece
            for piece, (first, last) in enumerate(offsets)
            if any(start <= place < stop for place in range(first, last))
        ]
        yield (holding[0], holding[-1] + 1) if holding else None


def checked_pieces_of_tokens(offsets, spans):
    ranges = pieces_of_tokens(offsets, spans)
    assert ranges.shape == (len(spans), 2)
    assert ranges.dtype == np.int64
    for found, expected in zip(ranges.tolist(), ranges_by_definition(offsets, spans.tolist()), strict=True):
        if expected is None:
            assert found[0] == found[1]
        else:
            assert tuple(found) == expected
    # An empty token inside a piece has no place in the order; every other token has.
    assert (np.diff(ranges[spans[:, 0] < spans[:, 1]], axis=0) >= 0).all()
    assert ((ranges >= 0) & (ranges <= len(offsets))).all()
    return ranges


def span_array(spans):
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


@st.composite
def texts_cut_into_tokens(draw):
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return text, span_array([pair for pair in itertools.pairwise(cuts) if draw(st.booleans())])


@settings(max_examples=400)
@given(texts_cut_into_tokens())
def test_any_cut_of_any_text_finds_the_pieces_with_its_characters(case):
    text, spans = case
    pieces = TOKENIZER.encode(text)
    ranges = checked_pieces_of_tokens(pieces.offsets, spans)
    for (start, stop), (first, last) in zip(spans, ranges, strict=True):
        shown = [place for place in range(start, stop) if text[place].isalnum() and text[place].isascii()]
        if shown:
            assert first < last
            assert pieces.offsets[first, 0] <= shown[0] < pieces.offsets[last - 1, 1]


@settings(max_examples=300)
@given(st.data())
def test_any_offsets_are_matched_as_defined(data):
    length = data.draw(st.integers(0, 20))
    offsets = []
    stop = 0
    for start in sorted(data.draw(st.lists(st.integers(0, length), max_size=12))):
        if data.draw(st.booleans()):
            stop = max(stop, min(length, start + data.draw(st.integers(1, 4))))
            offsets.append((start, max(start, stop)))
        else:
            offsets.append((start, start))
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=8)))
    checked_pieces_of_tokens(span_array(offsets), span_array(list(itertools.pairwise(cuts))))


@pytest.mark.parametrize(
    ("text", "spans", "words"),
    [
        ('see "me"', [(0, 3), (4, 5), (5, 7), (7, 8)], ["▁see", '"', "me", '"']),
        ("in 1999, 9,", [(0, 2), (3, 7), (7, 8), (9, 10), (10, 11)], ["▁in", "▁1999", ",", "9", ","]),
        ("the \u200b river", [(0, 3), (4, 5), (6, 11)], ["▁the", "", "▁river"]),
        ("the", [(0, 1), (1, 3)], ["▁the", "▁the"]),
        ("", [(0, 0)], [""]),
    ],
)
def test_known_words(text, spans, words):
    pieces = TOKENIZER.encode(text)
    ranges = checked_pieces_of_tokens(pieces.offsets, np.array(spans))
    assert ["".join(pieces.pieces[first:last]) for first, last in ranges] == words


def test_a_lone_space_piece_is_never_the_first_piece_of_a_word():
    pieces = TOKENIZER.encode('see "me"')
    assert pieces.pieces[pieces.pieces.index('"') - 1] == "▁"
    ranges = pieces_of_tokens(pieces.offsets, np.array([[4, 5]]))
    assert [pieces.pieces[first:last] for first, last in ranges] == [['"']]


def test_two_tokens_may_share_a_piece():
    offsets = np.array([[0, 3], [3, 5]])
    assert pieces_of_tokens(offsets, np.array([[0, 2], [2, 4], [4, 5]])).tolist() == [[0, 1], [0, 2], [1, 2]]


def test_without_tokens_or_pieces_ranges_are_empty():
    none = span_array([])
    assert pieces_of_tokens(none, none).shape == (0, 2)
    assert pieces_of_tokens(none, np.array([[0, 3]])).tolist() == [[0, 0]]
    assert pieces_of_tokens(np.array([[0, 3]]), none).shape == (0, 2)


@given(TOKENS)
def test_a_list_of_tokens_is_encoded_as_the_sentence_that_joins_them(tokens):
    text = " ".join(tokens)
    spans = joined_spans(tokens)
    assert [text[start:stop] for start, stop in spans] == tokens
    found = encode_token_list(TOKENIZER, tokens)
    assert found.ids.tolist() == TOKENIZER.encode(text).ids.tolist()
    assert found.ranges.tolist() == encode_sentence(TOKENIZER, text, spans).ranges.tolist()


@pytest.fixture(scope="module", params=["sentencepiece", "unigram4", "unigram5", "cased words"])
def tokenizer(request, tmp_path_factory):
    """Tokenizers that find offsets in different ways."""
    if request.param == "sentencepiece":
        return TOKENIZER
    folder = FOLDER / request.param
    if request.param in WORD_PIECES:
        folder = tmp_path_factory.mktemp("word-pieces")
        WORD_PIECES[request.param](folder)
    return PieceTokenizer.load(folder)


@settings(max_examples=200)
@given(cases=st.lists(texts_cut_into_tokens(), max_size=6), characters=st.sampled_from([1, 8, 20, 1 << 16]))
def test_sentences_that_are_encoded_together_are_as_if_alone(tokenizer, cases, characters):
    """Also if only some of them are matched at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_MATCHED_CHARACTERS", characters)
        found = encode_sentences(tokenizer, [text for text, _ in cases], [spans for _, spans in cases])
    for one, (text, spans) in zip(found, cases, strict=True):
        pieces = tokenizer.encode(text)
        assert one.ids.tolist() == pieces.ids.tolist()
        assert one.ranges.tolist() == pieces_of_tokens(pieces.offsets, spans).tolist()
        assert one.ranges.dtype == np.int64
    expected = [one.ids[start] if start < stop else -1 for one in found for start, stop in one.ranges.tolist()]
    assert first_pieces(found).tolist() == expected


def test_memory_beside_the_result_does_not_grow_with_the_number_of_sentences(monkeypatch):
    """The sentences may be those of one row, which no memory bound can cut."""
    monkeypatch.setattr(encoding, "_MATCHED_CHARACTERS", 2000)
    text = "The River was known. " * 10
    spans = span_array([(start, start + 3) for start in range(0, len(text) - 3, 4)])

    def beside(count):
        texts, all_spans = [text] * count, [spans] * count
        tracemalloc.start()
        try:
            encoded = encode_sentences(TOKENIZER, texts, all_spans)
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(encoded) == count
        return peak - kept

    beside(10)  # what the first call allocates once
    assert beside(400) < 2 * beside(50)


def test_an_empty_word_beyond_its_sentence_finds_no_piece_of_the_next():
    beyond = span_array([(0, 3), (20, 20), (20, 23)])
    first, second = encode_sentences(TOKENIZER, ["the", "the river"], [beyond, beyond[:1]])
    count = len(first.ids)
    assert first.ranges.tolist() == [[0, count], [count, count], [count, count]]
    assert encode_sentence(TOKENIZER, "the", beyond).ranges.tolist() == first.ranges.tolist()
    assert second.ranges.tolist() == [[0, 1]]


@given(st.lists(TOKENS, max_size=5))
def test_lists_that_are_encoded_together_are_as_if_alone(lists):
    found = encode_token_lists(TOKENIZER, lists)
    for one, tokens in zip(found, lists, strict=True):
        alone = encode_token_list(TOKENIZER, tokens)
        assert (one.ids.tolist(), one.ranges.tolist()) == (alone.ids.tolist(), alone.ranges.tolist())


@given(TOKENS, st.booleans())
def test_tokens_encoded_on_their_own_follow_one_another(tokens, case_sensitive):
    found = encode_tokens(TOKENIZER, tokens, case_sensitive=case_sensitive)
    assert found.ids.dtype == found.ranges.dtype == np.int64
    assert found.ranges.shape == (len(tokens), 2)
    assert [found.ids[first:last].tolist() for first, last in found.ranges] == [
        TOKENIZER.encode_token(token, case_sensitive=case_sensitive).ids.tolist() for token in tokens
    ]
    assert found.ranges[:, 1].tolist()[-1:] == [len(found.ids)] * bool(tokens)


def test_the_two_encodings_differ():
    assert ENCODINGS == ("sentence", "token")
    tokens = ["In", "9,"]
    whole, apart = encode_token_list(TOKENIZER, tokens), encode_tokens(TOKENIZER, tokens)
    assert [TOKENIZER.piece(index) for index in whole.ids] == ["▁in", "▁", "9", ","]
    assert [TOKENIZER.piece(index) for index in apart.ids] == ["▁in", "9,"]  # neither a lone ▁ nor a split


@pytest.mark.parametrize("encode", [encode_token_list, encode_tokens])
def test_a_lone_surrogate_in_a_token_is_refused_without_the_text(encode):
    with pytest.raises(TextError) as refused:
        encode(TOKENIZER, ["geheim", "a\ud800"])
    assert "geheim" not in str(refused.value)


def sentence_of(counts):
    """A sentence whose tokens have `counts` pieces, all different."""
    stops = np.cumsum(counts, dtype=np.int64)
    return EncodedSentence(np.arange(100, 100 + sum(counts)), span_array(np.stack([stops - counts, stops], axis=1)))


def rows_of_first_pieces(counts, num_pieces):
    """Albert.scala, ``predict``: pieces are zipped with the rows after [CLS]; the last row is that of [SEP]."""
    starts = {start for start, count in zip(sentence_of(counts).ranges[:, 0].tolist(), counts, strict=True) if count}
    rows = [*range(min(sum(counts), num_pieces)), "[SEP]"]
    pieces = range(min(sum(counts), num_pieces + 2))
    return [row for piece, row in zip(pieces, rows, strict=False) if piece in starts]


@given(PIECE_COUNTS, st.integers(1, 40))
def test_truncation_leaves_the_rows_that_spark_nlp_pairs_with_words(counts, num_pieces):
    whole = sentence_of(counts)
    cut = truncate(whole, num_pieces)
    assert cut.ids.tolist() == whole.ids[:num_pieces].tolist()
    present = cut.ranges[:, 1] > cut.ranges[:, 0]
    found = ["[SEP]" if start == len(cut.ids) else start for start in cut.ranges[present, 0].tolist()]
    assert found == rows_of_first_pieces(counts, num_pieces)


@given(PIECE_COUNTS, st.integers(1, 40))
def test_truncation_keeps_the_first_words_with_their_first_pieces(counts, num_pieces):
    whole = sentence_of(counts)
    cut = truncate(whole, num_pieces)
    left = cut.ranges[:, 1] - cut.ranges[:, 0]
    before = np.array(counts, dtype=np.int64)
    kept = np.flatnonzero(left)
    assert kept.tolist() == np.flatnonzero(before)[: len(kept)].tolist()
    np.testing.assert_array_equal(cut.ranges[kept, 0], whole.ranges[kept, 0])
    assert (left <= before).all()
    assert (left[kept[:-1]] == before[kept[:-1]]).all()  # only the last word may lose pieces
    assert (cut.ranges <= num_pieces + 1).all()


def test_a_sentence_that_fits_is_not_truncated():
    whole = sentence_of([2, 0, 3])
    assert truncate(whole, 5) is whole
