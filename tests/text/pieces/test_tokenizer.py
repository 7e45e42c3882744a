import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparkalbert.errors import ParamError, TextError
from sparkalbert.text.pieces.normalization import NormalizationOptions, normalize
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests import tiny_vocabulary
from tests.recorded.record_token_ids import OPTIONS as OPTIONS_BY_NAME
from tests.recorded.recordings import SECOND, VOCABULARY, read_lines
from tests.text.pieces.offsets import check_offsets

PROCESSOR = sentencepiece.SentencePieceProcessor()
PROCESSOR.load_from_serialized_proto(tiny_vocabulary.model_bytes())
TOKENIZER = PieceTokenizer(tiny_vocabulary.model_bytes())

WORDS = [
    *["the", "River", "bridge,", "1999,", "9,", "9,000,", "1,1", "3.9,", "²9,", "٣,", "(well-known)"],
    *["didn't", "U.S.", "£5", "€6", "[MASK]", "<pad>", "[CLS]"],
]
ODD = [
    *["''", "``", "'''", "▁", "▁a", "…", "½", "ﬁ", "①", "é", "e\u0301", "\u0301", "x\u0323\u0301", "İ", "Σ", "ß"],
    *["日本", "🙂", "\u1112\u1161\u11ab", "\u200b", "\ufeff", "\u00ad", "\ufe0f", "\x00", "\x01", "\x7f", "a\x01b"],
]
SPACES = [" ", "  ", "\t", "\n", "\u00a0", "\u2003", "\u3000", " \u200b "]
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from(SPACES),
        st.sampled_from(ODD),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    ),
    max_size=14,
).map("".join)
OPTIONS = st.builds(NormalizationOptions, st.booleans(), st.booleans(), st.booleans(), st.booleans())


def reference_pieces(text, options):
    """The reference rule, as `AlbertTokenizer._tokenize` of transformers 4 writes it."""
    if options.do_lower_case and options.replace_quotes:  # Google's rule does neither of what transformers does
        text = "".join(character.lower() for character in text)
    pieces = []
    for piece in PROCESSOR.encode(normalize(text, options).text, out_type=str):
        if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
            current = PROCESSOR.encode(piece[:-1].replace("▁", ""), out_type=str)
            if piece[0] != "▁" and current[0][0] == "▁":
                if len(current[0]) == 1:
                    current = current[1:]
                else:
                    current[0] = current[0][1:]
            pieces.extend([*current, ","])
        else:
            pieces.append(piece)
    return pieces


@cache
def with_options(options):
    return PieceTokenizer(tiny_vocabulary.model_bytes(), options)


@settings(max_examples=300)
@given(TEXTS, OPTIONS)
@example("9, 1,", NormalizationOptions())
@example("theΣ", NormalizationOptions())
def test_pieces_are_those_of_the_reference_rule(text, options):
    pieces = with_options(options).encode(text)
    expected = reference_pieces(text, options)
    assert pieces.pieces == expected
    # Unknown characters may spell a special piece, whose id the reference would use.
    ids = [PROCESSOR.piece_to_id(piece) for piece in expected]
    assert pieces.ids.tolist() == [1 if PROCESSOR.is_control(index) else index for index in ids]
    check_offsets(text, pieces)


@settings(max_examples=300)
@given(TEXTS)
def test_the_span_of_a_piece_contains_what_the_piece_shows(text):
    pieces = TOKENIZER.encode(text)
    check_offsets(text, pieces)
    for piece, (start, stop) in zip(pieces.pieces, pieces.offsets, strict=True):
        alone = PROCESSOR.normalize(normalize(text[start:stop], NormalizationOptions()).text)
        # A sigma at the end of the span may not be at the end of a word.
        assert piece.strip("▁").replace("ς", "σ") in alone.replace("ς", "σ")


@settings(max_examples=300)
@given(TEXTS)
def test_every_visible_character_is_in_a_span(text):
    covered = np.zeros(len(text), dtype=bool)
    for start, stop in TOKENIZER.encode(text).offsets:
        covered[start:stop] = True
    lost = {character for character, found in zip(text, covered, strict=True) if not found}
    assert {character for character in lost if (np.diff(TOKENIZER.encode(character).offsets) > 0).any()} == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The  the", [("▁the", "The"), ("▁the", "the")]),
        ("9,", [("▁", ""), ("9", "9"), (",", ",")]),
        ("The '' ``", [("▁the", "The"), ("▁", ""), ('"', "''"), ("▁", ""), ('"', "``")]),
        ("The…", [("▁the", "The"), (".", "…"), (".", "…"), (".", "…")]),
        ("日本", [("▁", ""), ("日本", "日本")]),
        ("The\u0301 the", [("▁the", "The"), ("▁the", "the")]),
        ("\x01the\x7f", [("▁the", "the")]),
        ("the\u200bthe", [("▁the", "the"), ("▁the", "the")]),
        ("", []),
        (" \u200b\n", []),
    ],
)
def test_known_texts(text, shown):
    pieces = TOKENIZER.encode(text)
    assert [
        (piece, text[start:stop]) for piece, (start, stop) in zip(pieces.pieces, pieces.offsets, strict=True)
    ] == shown
    check_offsets(text, pieces)


@pytest.mark.parametrize("special", ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])
def test_special_pieces_in_a_text_are_ordinary_text(special):
    specials = {TOKENIZER.pad_id, TOKENIZER.cls_id, TOKENIZER.sep_id, 4}
    for text in (special, f"the {special}, river", special.lower(), f"é{special}"):
        assert specials.isdisjoint(TOKENIZER.encode(text).ids.tolist())
        assert specials.isdisjoint(TOKENIZER.encode_token(text, case_sensitive=True).ids.tolist())


def test_the_special_ids_are_alberts():
    assert (TOKENIZER.pad_id, TOKENIZER.unk_id, TOKENIZER.cls_id, TOKENIZER.sep_id) == (0, 1, 2, 3)
    assert TOKENIZER.vocabulary_size == tiny_vocabulary.VOCABULARY_SIZE
    assert [TOKENIZER.piece(index) for index in range(5, 13)] == ["(", ")", '"', "-", ".", "–", "£", "€"]


@pytest.mark.parametrize("piece_id", [-1, tiny_vocabulary.VOCABULARY_SIZE])
def test_an_id_outside_the_vocabulary_is_refused(piece_id):
    with pytest.raises(ParamError, match=f"piece_id must be between 0 and 299, got {piece_id}"):
        TOKENIZER.piece(piece_id)


def jvm_utf8(text):
    """The modified UTF-8 of JNI: two bytes for NUL, two surrogates of three bytes for a character beyond U+FFFF."""
    units = text.encode("utf-16-le")
    pairs = [chr(int.from_bytes(units[at : at + 2], "little")) for at in range(0, len(units), 2)]
    return b"".join(unit.encode("utf-8", "surrogatepass") for unit in pairs).replace(b"\0", b"\xc0\x80")


@settings(max_examples=300)
@given(TEXTS, st.booleans())
def test_a_token_is_encoded_by_the_rule_of_spark_nlp(token, case_sensitive):
    encoded = TOKENIZER.encode_token(token, case_sensitive=case_sensitive)
    text = token if case_sensitive else token.lower()
    ids = [index for index in PROCESSOR.encode(jvm_utf8(text)) if index != PROCESSOR.piece_to_id("▁")]
    assert encoded.ids.tolist() == ids
    assert len(encoded.pieces) == len(ids)
    check_offsets(token, encoded)


def test_a_token_keeps_accents_quotes_and_commas():
    assert TOKENIZER.encode_token("9,").pieces == ["9,"]
    assert TOKENIZER.encode_token("The").pieces == ["▁the"]
    assert TOKENIZER.encode_token("THE", case_sensitive=True).ids.tolist() == [1]
    assert TOKENIZER.encode_token("é").pieces == ["é"]
    assert TOKENIZER.encode_token("\u200b").ids.tolist() == []
    assert TOKENIZER.encode_token("\U0001d7cf9").ids.tolist() == [1, *TOKENIZER.encode_token("a9").ids[1:]]
    assert TOKENIZER.encode("\U0001d7cf9").ids.tolist() == TOKENIZER.encode("19").ids.tolist()
    assert TOKENIZER.encode_token("İ").offsets.tolist()[0] == [0, 1]


def test_a_long_token_is_encoded_like_a_short_one():
    word = "bridge" * 20
    assert TOKENIZER.encode_token(word).ids.tolist() == PROCESSOR.encode(word)


@pytest.mark.parametrize("encode", [TOKENIZER.encode, TOKENIZER.encode_token])
@pytest.mark.parametrize("filler", ["", "é" * 100])
def test_a_lone_surrogate_is_refused_without_the_text(encode, filler):
    with pytest.raises(TextError, match=f"at character {len(filler) + 7}") as refused:
        encode(filler + "geheim \ud800")
    assert "geheim" not in str(refused.value)


def test_a_sentencepiece_vocabulary_is_unpickled_without_the_code_of_the_other_library(monkeypatch):
    pickled = pickle.dumps(TOKENIZER)
    monkeypatch.setitem(sys.modules, "sparkalbert.text.pieces.tokenizers_library", None)
    assert pickle.loads(pickled).encode("the river").ids.tolist() == TOKENIZER.encode("the river").ids.tolist()


def test_a_tokenizer_can_be_pickled():
    tokenizer = with_options(NormalizationOptions(do_lower_case=False))
    copy = pickle.loads(pickle.dumps(tokenizer))
    text = "The River, 9, café ½ “x”"
    assert copy.options == tokenizer.options
    assert copy.encode(text).pieces == tokenizer.encode(text).pieces
    assert np.array_equal(copy.encode(text).offsets, tokenizer.encode(text).offsets)


def test_arrays_are_read_only():
    for pieces in (TOKENIZER.encode("the river"), TOKENIZER.encode("é ½"), TOKENIZER.encode_token(".")):
        for array in (pieces.ids, pieces.offsets):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 7


def test_the_cache_of_tokens_is_bounded():
    tokenizer = pickle.loads(pickle.dumps(TOKENIZER))  # one that no other test has used
    tokenizer.encode_token("a" * 65)
    cache_info = tokenizer._encoder._encode_short_token.cache_info
    assert cache_info().currsize == 0  # a long token is not cached
    for number in range(33_000):
        tokenizer.encode_token(f"t{number}")
    assert cache_info().currsize == cache_info().maxsize == 32_768
    assert tokenizer.encode_token("t32999") is tokenizer.encode_token("t32999")


def test_threads_share_a_tokenizer():
    texts = [f"the river {number}, 9,000, café {'bridge ' * (number % 7)}" for number in range(400)]
    alone = [TOKENIZER.encode(text).ids.tolist() for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: TOKENIZER.encode(text).ids.tolist(), texts)) == alone


def test_the_package_does_not_load_sentencepiece_before_it_is_needed():
    program = (
        "import sys, sparkalbert.text as text\n"
        "assert 'sentencepiece' not in sys.modules\n"
        "text.PieceTokenizer\n"
        "assert 'sentencepiece' in sys.modules\n"
        "assert set(text.__all__) <= set(dir(text))\n"
        "from sparkalbert.text import *\n"
        "Pieces, SentenceOptions, SentenceSplitter, TokenizerOptions, WordTokenizer\n"
        "text.Nothing\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == "AttributeError: module 'sparkalbert.text' has no attribute 'Nothing'"


@pytest.mark.parametrize("name", OPTIONS_BY_NAME)
def test_ids_are_those_recorded_from_the_reference_tokenizer(name):
    tokenizer = PieceTokenizer.load(VOCABULARY, **OPTIONS_BY_NAME[name])
    rows = read_lines(VOCABULARY.with_name("token_ids.jsonl"))
    assert len(rows) > 200
    assert [row["text"] for row in rows if tokenizer.encode(row["text"]).ids.tolist() != row[name]] == []


def test_google_s_tokenizer_differs_in_quotes_only():
    tokenizer = PieceTokenizer(VOCABULARY.read_bytes(), NormalizationOptions(replace_quotes=False))
    rows = read_lines(VOCABULARY.with_name("token_ids.jsonl"))
    differing = [row["text"] for row in rows if tokenizer.encode(row["text"]).ids.tolist() != row["ids"]]
    assert differing
    assert all("''" in text or "``" in text for text in differing)


@pytest.mark.parametrize(("field", "replace_quotes"), [("hf_ids", True), ("google_ids", False)])
def test_ids_are_those_of_the_second_opinion(field, replace_quotes):
    SECOND.check_present()
    tokenizer = PieceTokenizer(VOCABULARY.read_bytes(), NormalizationOptions(replace_quotes=replace_quotes))
    rows = read_lines(SECOND.folder.parent / "tokenization-golden.jsonl")
    assert len(rows) > 1_000
    assert [row["text"] for row in rows if tokenizer.encode(row["text"]).ids.tolist() != row[field]] == []


def test_offsets_of_the_recorded_texts_with_the_real_vocabulary():
    tokenizer = PieceTokenizer.load(VOCABULARY)
    for row in read_lines(VOCABULARY.with_name("token_ids.jsonl")):
        text = row["text"]
        pieces = tokenizer.encode(text)
        check_offsets(text, pieces)
        if text.isascii() and "''" not in text and "``" not in text:
            shown = [text[start:stop].lower() for start, stop in pieces.offsets]
            assert shown == [piece.strip("▁") for piece in pieces.pieces]


@pytest.mark.parametrize(
    ("token", "pieces"),
    [
        ("$17,000", ["▁$1", "7,000"]),
        ("1996,", ["▁1996,"]),
        ("didn't", ["▁didn", "'", "t"]),
        ("Ekeus", ["eke", "us"]),
        (".", ["."]),
        ("café", ["▁ca", "f", "é"]),
        ("``", ["``"]),
        ("…", [".", ".", "."]),
        ("½", ["▁1", "⁄", "2"]),
        ("a\u200bb", ["▁a", "▁b"]),
        ("\u200d", []),
        ("▁", []),
        ("\U0001d59b\U0001d7cf", ["\ue000\ue000"]),  # unknown, though v and 1 are in the vocabulary
        ("x🙂y", ["▁x", "\ue000", "y"]),
    ],
)
def test_tokens_with_the_real_vocabulary_as_in_spark_nlp(token, pieces):
    encoded = PieceTokenizer.load(VOCABULARY).encode_token(token)
    assert encoded.pieces == pieces
    check_offsets(token, encoded)
