import json
from unittest.mock import Mock

import pytest

from sparkalbert.distill import vocabulary
from sparkalbert.distill.vocabulary import count_words, train_vocabulary, word_weights
from sparkalbert.errors import InputError
from sparkalbert.text import PieceTokenizer
from tests.tiny_vocabulary import TEXT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    train_vocabulary(word_weights(TEXT.splitlines()), folder, 300)
    return folder


def test_special_pieces_and_symbols_have_alberts_ids(folder):
    tokenizer = PieceTokenizer.load(folder)
    assert tokenizer.vocabulary_size == 300
    assert [tokenizer.piece(index) for index in range(13)] == [
        "<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "(", ")", '"', "-", ".", "–", "£", "€",
    ]  # fmt: skip


def test_pieces_are_normalized(folder):
    tokenizer = PieceTokenizer.load(folder)
    pieces = [tokenizer.piece(index) for index in range(5, 300)]
    assert not any(character.isupper() for piece in pieces for character in piece)
    assert tokenizer.encode("The River").pieces == tokenizer.encode("the river").pieces
    assert "▁the" in pieces


def test_words_of_large_weight_are_one_piece_even_if_no_other_word_starts_with_them(tmp_path):
    words = {f"{first}{second}{third}": 1.0 for first in "abcdefgh" for second in "aeiou" for third in "kmnp"}
    train_vocabulary(words | {"bacon": 50.0, "zebra": 50.0}, tmp_path, 200)
    tokenizer = PieceTokenizer.load(tmp_path)
    assert tokenizer.encode("bacon zebra").pieces == ["▁bacon", "▁zebra"]


def test_words_are_counted_after_normalization():
    assert count_words(["Café, café: 12 cafes!"]) == {"cafe": 2, "12": 1, "cafes": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("река, река и лес", {"река": 2, "и": 1, "лес": 1}),
        ("किताब मेरी किताब", {"किताब": 2, "मेरी": 1}),
        ("كتاب كتابي", {"كتاب": 1, "كتابي": 1}),
    ],
    ids=["Russian", "Hindi", "Arabic"],
)
def test_words_of_other_scripts_are_counted_whole(text, words):
    assert count_words([text]) == words


def test_too_few_words_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(InputError, match="2 words are not enough for a vocabulary of 5000 pieces"):
        train_vocabulary({"bread": 1.0, "butter": 1.0}, tmp_path, 5000)
    assert not (tmp_path / "spiece.model").exists()


def test_without_words_there_is_no_vocabulary(tmp_path):
    with pytest.raises(InputError, match="0 words are not enough for a vocabulary of 300 pieces"):
        train_vocabulary({}, tmp_path, 300)


def test_too_few_pieces_are_not_called_too_few_words(tmp_path):
    match = r"A vocabulary of 40 pieces is too small for the characters of 2 words: .* Request more pieces"
    with pytest.raises(InputError, match=match):
        train_vocabulary({"bread": 1.0, "butter": 1.0}, tmp_path, 40)


def test_another_error_of_sentencepiece_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary, "_train", Mock(side_effect=RuntimeError("no space left on device")))
    match = r"^SentencePiece cannot train a vocabulary of 40 pieces on 1 words: no space left on device\.$"
    with pytest.raises(InputError, match=match) as raised:
        train_vocabulary({"bread": 1.0}, tmp_path, 40)
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_the_same_words_give_the_same_vocabulary(folder, tmp_path):
    again = train_vocabulary(word_weights(TEXT.splitlines()), tmp_path, 300)
    assert again.read_bytes() == (folder / "spiece.model").read_bytes()
    assert b".tsv" not in again.read_bytes(), "it does not contain paths of the machine it was made on"


def test_the_tokenizer_config_has_alberts_rule(folder):
    assert json.loads((folder / "tokenizer_config.json").read_text()) == {
        "do_lower_case": True,
        "keep_accents": False,
        "model_max_length": 512,
        "remove_space": True,
    }
