"""What is ours around the tokenizers library: options, special tokens, offsets, errors."""

import json
import pickle
import sys

import pytest

from sparkalbert.errors import CheckpointError, MissingDependencyError, ParamError, TextError
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests.recorded.tokenizer_folders import FOLDER, WORD_PIECES

UNIGRAM = FOLDER / "unigram4"


def document(**changes):
    return {**json.loads((UNIGRAM / "tokenizer.json").read_text(encoding="utf-8")), **changes}


def load(folder, values, **given):
    (folder / "tokenizer.json").write_text(json.dumps(values), encoding="utf-8")
    return PieceTokenizer.load(folder, **given)


def shown(tokenizer, text):
    pieces = tokenizer.encode(text)
    return [
        (piece, text[start:stop]) for piece, (start, stop) in zip(pieces.pieces, pieces.offsets.tolist(), strict=True)
    ]


def test_offsets_leave_out_the_space_before_a_word():
    text = "  the\u00a0River, \u00e9"
    assert [place for _, place in shown(PieceTokenizer.load(UNIGRAM), text) if place][:2] == ["the", "Ri"]
    first = PieceTokenizer.load(UNIGRAM).encode(text).offsets[0].tolist()
    assert first == [2, 5]


def test_a_text_that_spells_a_special_token_does_not_get_its_id():
    for folder in (UNIGRAM, FOLDER / "unigram5"):
        tokenizer = PieceTokenizer.load(folder)
        ids = tokenizer.encode("<pad> [CLS] [cls] [SEP] [MASK] <pad>").ids.tolist()
        assert not set(ids) & {tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, 4}
        assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id) == (0, 1, 2, 3)
        assert tokenizer.piece(2) == "[CLS]"


def test_the_normalizer_in_the_file_decides(tmp_path, caplog):
    steps = document()["normalizer"]["normalizers"]
    cased = [step for step in steps if step["type"] != "Lowercase"]
    values = document(normalizer={"type": "Sequence", "normalizers": cased})
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    tokenizer = load(tmp_path, values)
    assert not tokenizer.options.do_lower_case
    assert tokenizer.record.origins["do_lower_case"] == "tokenizer.json"
    assert "tokenizer_config.json states do_lower_case=True, but" in caplog.text
    assert "The" not in "".join(PieceTokenizer.load(UNIGRAM).encode("The").pieces)
    assert "T" in "".join(tokenizer.encode("The").pieces)


@pytest.mark.parametrize(
    "given", [{"do_lower_case": False}, {"keep_accents": True}, {"do_lower_case": False, "keep_accents": True}]
)
def test_options_that_are_given_replace_those_of_the_file(given):
    tokenizer = PieceTokenizer.load(UNIGRAM, **given)
    lower, keep = given.get("do_lower_case", True), given.get("keep_accents", False)
    assert (tokenizer.options.do_lower_case, tokenizer.options.keep_accents) == (lower, keep)
    assert {name for name, origin in tokenizer.record.origins.items() if origin == "given"} == set(given)
    expected = {(True, True): "é", (True, False): "e", (False, True): "É", (False, False): "E"}[lower, keep]
    assert "".join(tokenizer.encode("É").pieces) == "▁" + expected
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.encode("É Ab").ids.tolist() == tokenizer.encode("É Ab").ids.tolist()
    assert PieceTokenizer.load(UNIGRAM, do_lower_case=True, keep_accents=False).encode("É Ab, é").ids.tolist() == (
        PieceTokenizer.load(UNIGRAM).encode("É Ab, é").ids.tolist()
    )


def bert_document(folder, name="cased words", **normalizer):
    """Return the tokenizer.json of a folder of word pieces, with keys of its normalizer replaced."""
    WORD_PIECES[name](folder)
    values = json.loads(PieceTokenizer.load(folder)._encoder.serialized())
    return {**values, "normalizer": {**values["normalizer"], **normalizer}}


@pytest.mark.parametrize(
    ("stored", "given", "expected"),
    [
        (None, {"do_lower_case": False}, (False, True)),
        (None, {"do_lower_case": True}, (True, False)),
        (None, {"do_lower_case": False, "keep_accents": False}, (False, False)),
        (None, {"do_lower_case": True, "keep_accents": True}, (True, True)),
        (None, {"keep_accents": True}, (True, True)),
        (True, {"do_lower_case": False}, (False, False)),
        (False, {"do_lower_case": True}, (True, True)),
    ],
)
def test_accents_that_a_file_leaves_to_lower_casing_follow_it(tmp_path, stored, given, expected):
    """`strip_accents` null means that accents are dropped if the text is lower-cased, as in BERT."""
    document = bert_document(tmp_path, lowercase=True, strip_accents=stored)
    (tmp_path / "vocab.txt").unlink()
    tokenizer = load(tmp_path, document, **given)
    assert (tokenizer.options.do_lower_case, tokenizer.options.keep_accents) == expected
    lower, keep = expected
    assert tokenizer.encode("The café").pieces == ["the" if lower else "The", "café" if keep else "cafe"]
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.options == tokenizer.options


def test_options_that_are_given_replace_steps_after_berts(tmp_path):
    values = bert_document(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    steps = [values["normalizer"], {"type": "StripAccents"}, {"type": "Lowercase"}]
    values["normalizer"] = {"type": "Sequence", "normalizers": steps}
    tokenizer = load(tmp_path, values, do_lower_case=False, keep_accents=True)
    assert (tokenizer.options.do_lower_case, tokenizer.options.keep_accents) == (False, True)
    assert tokenizer.encode("The café").pieces == ["The", "café"]


def test_an_option_that_is_given_is_not_warned_of(tmp_path, caplog):
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true, "keep_accents": false}')
    tokenizer = load(tmp_path, document(), do_lower_case=False, keep_accents=True)
    assert (tokenizer.options.do_lower_case, tokenizer.options.keep_accents) == (False, True)
    assert caplog.text == ""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_vocabulary_with_any_line_ending(tmp_path, newline):
    WORD_PIECES["words"](tmp_path)
    expected = PieceTokenizer.load(tmp_path)
    path = tmp_path / "vocab.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", newline.encode()))
    tokenizer = PieceTokenizer.load(tmp_path)
    assert tokenizer.vocabulary_size == expected.vocabulary_size
    assert tokenizer.encode("the rivers").pieces == ["the", "river", "##s"]


@pytest.mark.parametrize("given", [True, False])
def test_white_space_of_word_pieces_is_not_an_option(tmp_path, given):
    WORD_PIECES["words"](tmp_path)
    with pytest.raises(
        ParamError,
        match=rf"remove_space is {given}, but a WordPiece vocabulary \(vocab\.txt\) .*Leave remove_space out\.",
    ):
        PieceTokenizer.load(tmp_path, remove_space=given)


def test_white_space_is_left_to_the_file():
    with pytest.raises(ParamError, match=r"remove_space is False, but the tokenizer\.json of this model decides"):
        PieceTokenizer.load(UNIGRAM, remove_space=False)


def test_a_token_on_its_own_is_lower_cased_only():
    tokenizer = PieceTokenizer.load(UNIGRAM)
    assert "".join(tokenizer.encode_token("CAFÉ").pieces) == "▁café"
    assert "".join(tokenizer.encode_token("''").pieces) == "''"
    cased = tokenizer.encode_token("CAFÉ", case_sensitive=True)
    assert "".join(cased.pieces) == "CAFÉ"
    assert tokenizer.encode_token("").ids.tolist() == []
    assert tokenizer.encode_token("İ").offsets.tolist()[-1] == [0, 1]


def test_a_token_of_words_follows_bert(tmp_path):
    WORD_PIECES["cased words"](tmp_path)
    tokenizer = PieceTokenizer.load(tmp_path)
    assert tokenizer.encode_token("Rivers").pieces == ["river", "##s"]
    assert tokenizer.encode_token("Rivers", case_sensitive=True).pieces == ["River", "##s"]
    assert tokenizer.encode_token("CAFÉ").pieces == ["cafe"]
    assert tokenizer.encode_token("日本").pieces == ["日", "本"]
    assert shown(tokenizer, "Rivers 日本") == [("River", "River"), ("##s", "s"), ("日", "日"), ("本", "本")]


def test_an_unknown_word_is_a_piece_with_its_text(tmp_path):
    WORD_PIECES["words"](tmp_path)
    tokenizer = PieceTokenizer.load(tmp_path)
    assert shown(tokenizer, "the 🙂") == [("the", "the"), ("🙂", "🙂")]
    assert tokenizer.encode("the 🙂").ids[1] == tokenizer.unk_id == 1


def test_a_lone_surrogate_is_refused(tmp_path):
    for encode in (PieceTokenizer.load(UNIGRAM).encode, PieceTokenizer.load(UNIGRAM).encode_token):
        with pytest.raises(TextError, match="lone surrogate"):
            encode("a\ud800")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {}}, r"is not a tokenizer\.json \(KeyError: 'vocab'\)"),
        ({"model": {"vocab": []}}, "has no vocabulary"),
        ({"normalizer": {"type": "Unheard"}}, "does not read"),
        ({"post_processor": {"type": "ByteLevel"}}, r"another way than ALBERT \(post_processor ByteLevel\)"),
        ({"added_tokens": [{"id": 9_000, "content": "x", "single_word": False, "lstrip": False, "rstrip": False,
                            "normalized": False, "special": False}]}, "adds a token with the id 9000, but"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_an_alberts_is_refused(tmp_path, changes, message):
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path, document(**changes))


def test_a_text_before_and_after_xlnets_way_is_refused(tmp_path):
    processor = document()["post_processor"]
    processor["single"] = [processor["single"][1], processor["single"][2], processor["single"][0]]
    with pytest.raises(CheckpointError, match="expected one token before a text and one after it"):
        load(tmp_path, document(post_processor=processor))


@pytest.mark.parametrize("content", ["{", "[" * 200_000, '{"model": 1}', "\x00"])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json is not"):
        PieceTokenizer.load(tmp_path)


def test_a_vocabulary_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"[CLS]\n\xff\n")
    with pytest.raises(CheckpointError, match=r"vocab\.txt is not UTF-8"):
        PieceTokenizer.load(tmp_path)


def test_without_the_library_the_message_gives_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sparkalbert\[tokenizers\]'"):
        PieceTokenizer.load(UNIGRAM)
