"""Ids against the installed Hugging Face classes (make test-reference)."""

import shutil
from importlib.util import find_spec

import pytest

from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests import tiny_vocabulary
from tests.peers import random_texts
from tests.recorded.tokenizer_folders import SPECIAL, WORD_PIECES, texts

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers"),
]


def check(folder, tokenizer):
    ours = PieceTokenizer.load(folder)
    made = [*texts(), *random_texts.texts(1_000, 7), *random_texts.prose(200, 7)]
    for text in (text for text in made if not any(name in text for name in SPECIAL)):
        assert ours.encode(text).ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"], text
    assert [ours.cls_id, ours.sep_id] == tokenizer("")["input_ids"]


@pytest.mark.parametrize("options", [{}, {"do_lower_case": False, "keep_accents": True}])
def test_a_unigram_tokenizer_json_alone(tmp_path, options):
    from transformers import AlbertTokenizer

    tiny_vocabulary.write(tmp_path / "source")
    AlbertTokenizer.from_pretrained(tmp_path / "source", **options).save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "spiece.model").unlink(missing_ok=True)
    check(tmp_path / "saved", AlbertTokenizer.from_pretrained(tmp_path / "saved"))


@pytest.mark.parametrize("name", WORD_PIECES)
def test_word_pieces_and_the_tokenizer_json_made_of_them(tmp_path, name):
    from transformers import BertTokenizer

    source, saved = tmp_path / "source", tmp_path / "saved"
    source.mkdir()
    WORD_PIECES[name](source)
    tokenizer = BertTokenizer.from_pretrained(source)
    check(source, tokenizer)
    tokenizer.save_pretrained(saved)
    (saved / "vocab.txt").unlink(missing_ok=True)
    check(saved, tokenizer)
    shutil.rmtree(saved)
