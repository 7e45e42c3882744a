import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.text.alignment import pieces_of_tokens
from sparkalbert.text.pieces import PieceTokenizer
from tests import tiny_vocabulary

TOKENIZER = PieceTokenizer(tiny_vocabulary.model_bytes())

WORDS = st.sampled_from(
    ["the", "River", "known", "9,000,", "1999,", "café", "½", "''", "``", "…", "İ", "\u200b", "\x01"]
)
TEXTS = st.lists(
    st.one_of(WORDS, st.sampled_from([" ", "  ", "(", '"', ".", "-", ","]), st.text(max_size=4)), max_size=15
).map("".join)


def by_hand(offsets, starts, stops):
    """The definition, character by character."""
    ranges = []
    for start, stop in zip(starts, stops, strict=True):
        showing = [
            piece
            for piece, (begin, end) in enumerate(offsets)
            if any(start <= position < stop for position in range(begin, end))
        ]
        ranges.append((showing[0], showing[-1] + 1) if showing else None)
    return ranges


def check(offsets, starts, stops):
    ranges = pieces_of_tokens(offsets, starts, stops)
    assert ranges.shape == (len(starts), 2)
    assert ranges.dtype == np.int64
    for found, expected in zip(ranges.tolist(), by_hand(offsets, starts, stops), strict=True):
        if expected is None:
            assert found[0] == found[1]
        else:
            assert tuple(found) == expected
    # An empty token inside a piece has no place in the order; a token of characters always has.
    assert (np.diff(ranges[np.less(starts, stops)], axis=0) >= 0).all()
    assert (ranges >= 0).all()
    assert (ranges <= len(offsets)).all()
    return ranges


@st.composite
def texts_cut_into_tokens(draw):
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    spans = [(start, stop) for start, stop in itertools.pairwise(cuts) if draw(st.booleans())]
    return text, np.array(spans, dtype=np.int64).reshape(-1, 2)


@settings(deadline=None, max_examples=400)
@given(texts_cut_into_tokens())
def test_any_cut_of_any_text_finds_the_pieces_with_its_characters(case):
    text, spans = case
    pieces = TOKENIZER.encode(text)
    ranges = check(pieces.offsets, spans[:, 0], spans[:, 1])
    for (start, stop), (first, last) in zip(spans, ranges, strict=True):
        token = text[start:stop]
        visible = [
            index for index, character in enumerate(token) if character.isalnum() and character.isascii()
        ]
        if not visible:
            continue
        assert last > first
        begin, end = pieces.offsets[first]
        assert begin <= start + visible[0]
        assert begin < end


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_offsets_are_matched_as_defined(data):
    length = data.draw(st.integers(0, 20))
    begins = sorted(data.draw(st.lists(st.integers(0, length), max_size=12)))
    offsets = []
    end = 0
    for begin in begins:
        if data.draw(st.booleans()):
            end = max(end, min(length, begin + data.draw(st.integers(1, 4))))
            offsets.append((begin, end) if end > begin else (begin, begin))
        else:
            offsets.append((begin, begin))
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=8)))
    check(np.array(offsets, dtype=np.int64).reshape(-1, 2), np.array(cuts[:-1]), np.array(cuts[1:]))


@pytest.mark.parametrize(
    ("text", "spans", "words"),
    [
        ('see "me"', [(0, 3), (4, 5), (5, 7), (7, 8)], ["▁see", '"', "me", '"']),
        (
            "in 1999, 9,",
            [(0, 2), (3, 7), (7, 8), (9, 10), (10, 11)],
            ["▁in", "▁1999", ",", "9", ","],
        ),
        ("the \u200b river", [(0, 3), (4, 5), (6, 11)], ["▁the", "", "▁river"]),
        ("the", [(0, 1), (1, 3)], ["▁the", "▁the"]),
        ("", [(0, 0)], [""]),
    ],
)
def test_known_words(text, spans, words):
    pieces = TOKENIZER.encode(text)
    starts, stops = np.array(spans).T
    ranges = check(pieces.offsets, starts, stops)
    assert ["".join(pieces.pieces[first:last]) for first, last in ranges] == words


def test_a_lone_space_piece_is_no_words_first_piece():
    pieces = TOKENIZER.encode('see "me"')
    assert pieces.pieces[pieces.pieces.index('"') - 1] == "▁"
    ranges = pieces_of_tokens(pieces.offsets, np.array([4]), np.array([5]))
    assert [pieces.pieces[first:last] for first, last in ranges] == [['"']]


def test_two_tokens_may_share_a_piece():
    offsets = np.array([[0, 3], [3, 5]])
    assert pieces_of_tokens(offsets, np.array([0, 2, 4]), np.array([2, 4, 5])).tolist() == [
        [0, 1],
        [0, 2],
        [1, 2],
    ]


def test_no_tokens_and_no_pieces():
    none = np.zeros(0, dtype=np.int64)
    assert pieces_of_tokens(np.zeros((0, 2), dtype=np.int64), none, none).shape == (0, 2)
    assert pieces_of_tokens(np.zeros((0, 2), dtype=np.int64), np.array([0]), np.array([3])).tolist() == [
        [0, 0]
    ]
    assert pieces_of_tokens(np.array([[0, 3]]), none, none).shape == (0, 2)
