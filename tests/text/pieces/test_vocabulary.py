"""Pieces and offsets with vocabularies of every kind, against sentencepiece and against the text itself."""

import gc
import io
import random
import weakref
from functools import cache

import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparkalbert.errors import CheckpointError
from sparkalbert.text.pieces import vocabulary
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests import tiny_vocabulary
from tests.text.pieces.offsets import check_offsets

SPECIALS = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]"]}
UNCHANGED = NormalizationOptions(do_lower_case=False, keep_accents=True, remove_space=False, replace_quotes=False)
KINDS = {
    "of ALBERT": {},
    "without a dummy prefix": {"add_dummy_prefix": False},
    "with white space as suffix": {"treat_whitespace_as_suffix": True},
    "with white space inside pieces": {"split_by_whitespace": False, "max_sentencepiece_length": 30},
    "with inner and final white space": {
        "split_by_whitespace": False,
        "treat_whitespace_as_suffix": True,
    },
    "that keeps all spaces": {"remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True},
    "that keeps all spaces, without a dummy prefix": {
        "remove_extra_whitespaces": False,
        "add_dummy_prefix": False,
    },
    "that normalizes nothing": {"normalization_rule_name": "identity"},
    "that folds case": {"normalization_rule_name": "nmt_nfkc_cf"},
    "of BPE": {"model_type": "bpe"},
    "of BPE, without a dummy prefix": {"model_type": "bpe", "add_dummy_prefix": False},
    "of BPE, with inner white space": {"model_type": "bpe", "split_by_whitespace": False},
    "of BPE, with white space as suffix": {"model_type": "bpe", "treat_whitespace_as_suffix": True},
    "of words": {"model_type": "word"},
    "of characters": {"model_type": "char"},
    "without commas": {"replaced": {",": ""}},
}
WORDS = ["box", "town", "man", "red", "hut", "it", "we", "so", "said", "saw", "dog", "cat", "sun"]


def year_lines():
    """Lines in which `9,`, `▁1999,` and `▁19,▁29,` are so frequent that they become pieces."""
    chance = random.Random(0)  # noqa: S311
    for _ in range(120):
        number = chance.choices(
            ["in 1999,", f"9,{chance.choice(WORDS)}", "3,", "5,", "9,", "19, 29,", "2009,", ""], k=10
        )
        yield " ".join(f"{chance.choice(WORDS)} {each}".strip() for each in number)


def train(replaced=(), **settings_of_a_vocabulary):
    lines = tiny_vocabulary.TEXT.lower().strip().splitlines() + list(year_lines())
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.translate(str.maketrans(dict(replaced))) for line in 2 * lines]),
        model_writer=model,
        **{"vocab_size": 300, "hard_vocab_limit": False, "minloglevel": 3, "num_threads": 1}
        | SPECIALS
        | settings_of_a_vocabulary,
    )
    return model.getvalue()


@cache
def tokenizer_of(kind):
    return PieceTokenizer(train(**KINDS[kind]), UNCHANGED)


every_kind = pytest.mark.parametrize("kind", KINDS)

# Characters that stay what they are, so that the pieces spell the text.
KEPT = st.lists(
    st.one_of(
        st.sampled_from(["the", "river", "in ", " 1999,", "2009,", " 9,", "9,000,", "town", ",", ", ", "1,1,"]),
        st.sampled_from([" ", "  ", " the ", "~", "日本", "日9,", "~9,", "é", "\U0001f642"]),
        st.text("aehinrtw 0129,.~", max_size=6),
    ),
    max_size=12,
).map("".join)


def spans_by_spelling(text, pieces):
    """Walk through the text and the pieces together; a piece without characters is where the next one is."""
    places = [place for place, character in enumerate(text) if character != " "]
    ends = [*places, None]
    spans = []
    at = 0
    for piece in pieces:
        shown = piece.replace("▁", "")
        mine = places[at : at + len(shown)]
        assert shown == "".join(text[place] for place in mine)
        spans.append((mine[0], mine[-1] + 1) if shown else (ends[at], ends[at]))
        at += len(shown)
    assert at == len(places)
    return spans


@every_kind
@settings(max_examples=60)
@given(text=KEPT)
@example(text="in 1999, 19, 29, and 2009, the 9, boxes, 9,000, 9,500")
@example(text=" the  9, river ")
@example(text="9,9,9, 1,1,")
def test_each_piece_is_where_the_text_spells_it(kind, text):
    tokenizer = tokenizer_of(kind)
    pieces = tokenizer.encode(text)
    check_offsets(text, pieces)
    for found, expected in zip(pieces.offsets.tolist(), spans_by_spelling(text, pieces.pieces), strict=True):
        if expected[0] is None:
            assert found[0] == found[1] >= len(text.rstrip(" "))
        else:
            assert tuple(found) == expected
    ids = [piece if piece in known(tokenizer) else "<unk>" for piece in pieces.pieces]
    assert [tokenizer.piece(index) for index in pieces.ids] == ids


@cache
def known(tokenizer):
    return {tokenizer.piece(index) for index in range(4, tokenizer.vocabulary_size)}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"of characters", "without commas"}))
def test_the_vocabularies_have_pieces_that_are_split_at_a_comma(kind):
    split = [piece for piece in known(tokenizer_of(kind)) if piece[-1] == "," and piece[-2:-1].isdigit()]
    assert split


# Characters that sentencepiece replaces by one other, composes, or drops; none becomes several.
CHANGED = st.lists(
    st.one_of(
        st.sampled_from(["the", "1999,", " ", "  ", "in 9, ", "ＴＨＥ", "９，", "①", "e\u0301", "é", "’", "Ω"]),
        st.sampled_from(["\u200b", "\x01", "\x7f", "\ufeff", "\t", "\n", "\u3000", "\u1112\u1161\u11ab", "日"]),
    ),
    max_size=12,
).map("".join)


@every_kind
@settings(max_examples=60)
@given(text=CHANGED)
@example(text="the\u200b\x01 \u200bin")
def test_spans_are_those_of_sentencepiece_without_what_shows_nothing(kind, text):
    tokenizer = tokenizer_of(kind)
    processor = sentencepiece.SentencePieceProcessor()
    processor.load_from_serialized_proto(train_once(kind))
    mapping = processor.encode(text, out_type="offset_mapping")

    def shows_nothing(character):
        return not processor.normalize(f"a{character}a").replace("a", "").strip("▁")

    expected = []
    for piece, (start, stop) in zip(mapping["pieces"], mapping["offsets"], strict=True):
        showing = [place for place in range(start, stop) if not shows_nothing(text[place])]
        if piece.strip("▁"):
            expected.append((piece, showing[0], showing[-1] + 1))
    pieces = tokenizer.encode_token(text, case_sensitive=True)
    check_offsets(text, pieces)
    found = zip(pieces.pieces, pieces.offsets.tolist(), strict=True)
    assert [(piece, start, stop) for piece, (start, stop) in found if piece.strip("▁")] == expected


@cache
def train_once(kind):
    return train(**KINDS[kind])


@settings(max_examples=300)
@given(text=st.one_of(KEPT, CHANGED, st.text(st.characters(max_codepoint=126), max_size=20)))
@example(text="the \x7f river")
@example(text=" the  river, 9, 19, ")
@pytest.mark.parametrize("kind", ["of ALBERT", "with white space inside pieces", "of BPE"])
def test_the_fast_ways_to_get_offsets_agree_with_the_general_one(kind, text):
    tokenizer = tokenizer_of(kind)
    fast = tokenizer.encode(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "_is_in_place", lambda _text, _pieces: False)
        general = tokenizer.encode(text)
    assert fast.pieces == general.pieces
    assert fast.ids.tolist() == general.ids.tolist()
    assert fast.offsets.tolist() == general.offsets.tolist()


def test_a_rule_that_replaces_several_ascii_characters_moves_the_offsets(tmp_path):
    rules = tmp_path / "rules.tsv"
    rules.write_text("6B 67\t6B 69 6C 6F\n27 27\t22\n", encoding="ascii")  # kg: kilo, two apostrophes: "
    tokenizer = PieceTokenizer(train(normalization_rule_tsv=str(rules)), UNCHANGED)
    text = "the kg ''sun'' 1999, kg"
    pieces = tokenizer.encode(text)
    check_offsets(text, pieces)
    assert "".join(pieces.pieces) == '▁the▁kilo▁"sun"▁1999,▁kilo'
    shown = [
        (piece.strip("▁"), text[start:stop])
        for piece, (start, stop) in zip(pieces.pieces, pieces.offsets.tolist(), strict=True)
    ]
    assert [pair for pair in shown if pair[0] in {"the", "sun", "1999", ",", '"'}] == [
        ("the", "the"),
        ('"', "''"),
        ("sun", "sun"),
        ('"', "''"),
        ("1999", "1999"),
        (",", ","),
    ]
    assert {part for piece, part in shown if piece and piece in "kilo"} == {"kg"}


def test_a_vocabulary_whose_pieces_change_when_they_are_split_is_refused(tmp_path):
    rules = tmp_path / "rules.tsv"
    rules.write_text("3D\t39\n39\t38\n", encoding="ascii")  # =: 9, and 9: 8
    with pytest.raises(CheckpointError, match=r"tokens\.model normalizes its own pieces to other characters"):
        PieceTokenizer(train({"9": "="}, normalization_rule_tsv=str(rules)), source="tokens.model")


def test_a_symbol_that_would_be_split_at_its_comma_is_refused():
    with pytest.raises(CheckpointError, match=r"1 problem.*\n.*the piece '89,' is a user-defined symbol"):
        PieceTokenizer(train(user_defined_symbols=["89,", "8,9", "a,"]))


def test_a_vocabulary_without_alberts_special_pieces_is_refused():
    model = train(control_symbols=[])
    with pytest.raises(CheckpointError, match=r"(?s)tokens\.model.*2 problems.*\[CLS\] is missing.*\[SEP\]"):
        PieceTokenizer(model, source="tokens.model")


def test_special_tokens_that_are_user_defined_symbols_are_found_in_texts():
    """As sentencepiece does it, and so Google's code, transformers and Spark NLP."""
    model = train(control_symbols=[], user_defined_symbols=["[CLS]", "[SEP]"])
    processor = sentencepiece.SentencePieceProcessor()
    processor.load_from_serialized_proto(model)
    text = "the [SEP] river"
    pieces = PieceTokenizer(model, UNCHANGED).encode(text)
    assert pieces.ids.tolist() == processor.encode(text)
    (index,) = [index for index, piece in enumerate(pieces.pieces) if piece == "[SEP]"]
    assert pieces.ids[index] == processor.piece_to_id("[SEP]") == 3
    assert pieces.offsets[index].tolist() == [4, 9]
    check_offsets(text, pieces)
    assert 3 not in PieceTokenizer(model).encode(text).ids  # it is lower-cased


@pytest.mark.parametrize("suffix", [False, True])
def test_each_byte_of_an_unknown_character_is_where_the_character_is(suffix):
    tokenizer = PieceTokenizer(train(byte_fallback=True, vocab_size=500, treat_whitespace_as_suffix=suffix), UNCHANGED)
    text = "the 日é 🙂 ½~ in"
    pieces = tokenizer.encode(text)
    check_offsets(text, pieces)
    spelled = {}
    for piece, (start, stop) in zip(pieces.pieces, pieces.offsets.tolist(), strict=True):
        if piece.startswith("<0x"):
            spelled.setdefault((start, stop), bytearray()).append(int(piece[3:5], 16))
    shown = {(start, stop): bytes(spelled[start, stop]).decode() for start, stop in spelled}
    assert shown == {(4, 5): "日", (5, 6): "é", (7, 8): "🙂", (9, 10): "⁄", (10, 11): "~"}
    assert tokenizer.unk_id not in pieces.ids


@cache
def tokenizer_of_bytes(suffix):
    return PieceTokenizer(train(byte_fallback=True, vocab_size=500, treat_whitespace_as_suffix=suffix), UNCHANGED)


@pytest.mark.parametrize("suffix", [False, True])
@settings(max_examples=150)
@given(text=st.lists(st.one_of(KEPT, st.sampled_from(["日", "é", "🙂", "~", "𝒜", "½", "①", "\u200b"]))).map("".join))
def test_the_bytes_of_a_character_share_its_span(suffix, text):
    tokenizer = tokenizer_of_bytes(suffix)
    pieces = tokenizer.encode(text)
    check_offsets(text, pieces)
    assert tokenizer.unk_id not in pieces.ids
    length = 0
    for index, piece in enumerate(pieces.pieces):
        length += piece.startswith("<0x")
        if piece.startswith("<0x") and 0x80 <= int(piece[3:5], 16) < 0xC0:  # not the first byte of a character
            assert pieces.offsets[index].tolist() == pieces.offsets[index - 1].tolist()
    assert (length > 0) == bool(set(text) & set("日é🙂~𝒜½"))


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_not_a_vocabulary_is_refused(tmp_path, content):
    path = tmp_path / "spiece.model"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"Expected a SentencePiece model, but .*spiece\.model \("):
        PieceTokenizer.load(path)


def test_a_tokenizer_is_freed_with_its_last_reference():
    tokenizer = PieceTokenizer(tiny_vocabulary.model_bytes())
    tokenizer.encode_token("river")
    tokenizer.encode("the ½\u200b river")  # fills the cache of dropped characters too
    held = [weakref.ref(tokenizer), weakref.ref(tokenizer._encoder.vocabulary)]
    gc.disable()
    try:
        del tokenizer
        assert [reference() for reference in held] == [None, None]
    finally:
        gc.enable()
