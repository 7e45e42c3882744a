"""What is ours around the tokenizers library: tokens on their own, special and added tokens, offsets."""

import json
import pickle
import sys

import pytest

from sparkalbert.errors import CheckpointError, MissingDependencyError, TextError
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests.recorded.tokenizer_folders import FOLDER, WORD_PIECES, token
from tests.text.pieces.programs import UNIGRAM, document, load


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


def test_without_the_library_the_message_gives_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sparkalbert\[tokenizers\]'"):
        PieceTokenizer.load(UNIGRAM)


def size_of(values):
    return len(values["model"]["vocab"])


@pytest.mark.parametrize("file", ["added_tokens.json", "tokenizer_config.json"])
def test_tokens_added_beside_a_tokenizer_json_are_found(tmp_path, file):
    values = document()
    size = PieceTokenizer.load(UNIGRAM).vocabulary_size
    added = {"\\frac": size, "<x>": size + 1}
    if file == "added_tokens.json":
        content = added
    else:
        content = {"added_tokens_decoder": {str(index): token(name) for name, index in added.items()}}
    (tmp_path / file).write_text(json.dumps(content))
    tokenizer = load(tmp_path, values)
    pieces = tokenizer.encode("the \\frac of <x>")
    assert [index for index in pieces.ids.tolist() if index >= size] == [size, size + 1]
    assert tokenizer.vocabulary_size == size + 2
    (tmp_path / "bundle").mkdir()
    tokenizer.save(tmp_path / "bundle")
    for again in (PieceTokenizer.load(tmp_path / "bundle"), pickle.loads(pickle.dumps(tokenizer))):
        assert again.encode("the \\frac of <x>").ids.tolist() == pieces.ids.tolist()


def test_tokens_added_to_words_beside_a_tokenizer_json_are_found(tmp_path):
    """A slow BertTokenizer that was saved over a copy of its base leaves the base's tokenizer.json."""
    base, words = tmp_path / "base", tmp_path / "words"
    for folder, name in ((base, "words"), (words, "words with added tokens")):
        folder.mkdir()
        WORD_PIECES[name](folder)
    expected = PieceTokenizer.load(words).encode("x \\frac {x} river").ids.tolist()
    (words / "tokenizer.json").write_bytes(PieceTokenizer.load(base)._encoder.serialized())
    assert PieceTokenizer.load(words).encode("x \\frac {x} river").ids.tolist() == expected


def test_an_added_token_whose_id_the_library_cannot_give_is_refused(tmp_path):
    (tmp_path / "added_tokens.json").write_text('{"\\\\frac": 9000}')
    with pytest.raises(CheckpointError, match="adds a token with the id 9000, but the tokenizers library gives it"):
        load(tmp_path, document())


@pytest.mark.parametrize("key", ["additional_special_tokens", "extra_special_tokens"])
def test_additional_special_tokens_have_their_ids(tmp_path, key):
    WORD_PIECES["words"](tmp_path)
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("[E1]\n")
    config = {"tokenizer_class": "BertTokenizer", key: ["[E1]", "[E2]"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = PieceTokenizer.load(tmp_path)
    size = tokenizer.vocabulary_size
    assert tokenizer.encode("the [E1] river [E2]").ids.tolist()[1::2] == [size - 2, size - 1]


def test_the_padding_token_needs_no_row(tmp_path):
    pad = {**token("<p>", special=True), "id": size_of(document())}
    values = document(added_tokens=[*document()["added_tokens"], pad])
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "<p>"}')
    tokenizer = load(tmp_path, values)
    assert (tokenizer.vocabulary_size, tokenizer.pad_id) == (size_of(document()), 0)
