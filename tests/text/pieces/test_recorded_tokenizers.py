"""Ids of folders whose tokenizers lie in files of every kind, against what Hugging Face's classes made of them."""

import json
from functools import cache

import pytest

from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests.recorded.tokenizer_folders import FOLDER, SENTENCE_PIECES, WORD_PIECES
from tests.text.pieces.offsets import check_offsets


@cache
def recorded(version):
    with (FOLDER / f"transformers{version}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def check(tokenizer, rows, name):
    differing = [row["text"] for row in rows if tokenizer.encode(row["text"]).ids.tolist() != row[name]]
    assert differing == []
    assert any(row[name] for row in rows)
    for row in rows:
        check_offsets(row["text"], tokenizer.encode(row["text"]))


@pytest.mark.parametrize("name", SENTENCE_PIECES)
def test_ids_of_added_tokens_are_those_of_the_slow_tokenizer(tmp_path, name):
    SENTENCE_PIECES[name](tmp_path)
    tokenizer = PieceTokenizer.load(tmp_path)
    check(tokenizer, recorded(4), name)
    assert any(30_000 in row[name] for row in recorded(4))


@pytest.mark.parametrize("name", WORD_PIECES)
def test_ids_of_word_pieces_are_those_of_bert_tokenizer(tmp_path, name):
    WORD_PIECES[name](tmp_path)
    check(PieceTokenizer.load(tmp_path), recorded(5), name)


@pytest.mark.parametrize("version", [4, 5])
def test_ids_of_a_tokenizer_json_alone_are_those_of_the_version_that_wrote_it(version):
    check(PieceTokenizer.load(FOLDER / f"unigram{version}"), recorded(version), "unigram")


@pytest.mark.parametrize("name", [*SENTENCE_PIECES, *WORD_PIECES])
def test_a_bundle_gives_the_same_ids_and_offsets(tmp_path, name):
    folder, bundle = tmp_path / "folder", tmp_path / "bundle"
    folder.mkdir()
    bundle.mkdir()
    (SENTENCE_PIECES | WORD_PIECES)[name](folder)
    first = PieceTokenizer.load(folder)
    first.save(bundle)
    second = PieceTokenizer.load(bundle)
    assert second.options == first.options
    assert (second.cls_id, second.sep_id, second.pad_id) == (first.cls_id, first.sep_id, first.pad_id)
    for row in recorded(4)[:40]:
        one, other = first.encode(row["text"]), second.encode(row["text"])
        assert one.ids.tolist() == other.ids.tolist()
        assert one.offsets.tolist() == other.offsets.tolist()
