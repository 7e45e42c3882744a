import json

import pytest

from sparkalbert.distill.vocabulary import train_vocabulary
from sparkalbert.text import PieceTokenizer
from tests.tiny_vocabulary import TEXT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    train_vocabulary(TEXT.splitlines(), folder, 300)
    return folder


def test_special_pieces_and_symbols_have_alberts_ids(folder):
    tokenizer = PieceTokenizer.load(folder)
    assert tokenizer.vocabulary_size == 300
    assert [tokenizer.piece(index) for index in range(13)] == [
        "<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "(", ")", '"', "-", ".", "–", "£", "€",
    ]  # fmt: skip


def test_pieces_are_of_normalized_text(folder):
    tokenizer = PieceTokenizer.load(folder)
    pieces = [tokenizer.piece(index) for index in range(5, 300)]
    assert not any(character.isupper() for piece in pieces for character in piece)
    assert tokenizer.encode("The River").pieces == tokenizer.encode("the river").pieces
    assert "▁the" in pieces


def test_the_same_texts_give_the_same_vocabulary(folder, tmp_path):
    again = train_vocabulary(TEXT.splitlines(), tmp_path, 300)
    assert again.read_bytes() == (folder / "spiece.model").read_bytes()


def test_the_tokenizer_config_says_alberts_rule(folder):
    assert json.loads((folder / "tokenizer_config.json").read_text()) == {
        "do_lower_case": True,
        "keep_accents": False,
        "model_max_length": 512,
        "remove_space": True,
    }
