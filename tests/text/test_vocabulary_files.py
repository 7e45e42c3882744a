"""Which SentencePiece models are vocabularies of an ALBERT, and how others are refused."""

import pytest
import sentencepiece

from sparkalbert.errors import CheckpointError
from sparkalbert.text.pieces import PieceTokenizer
from tests import tiny_vocabulary
from tests.text.offsets import check_offsets


def train(**settings_of_a_vocabulary):
    class Sink:
        data = b""

        def write(self, data):
            self.data += data

    sink = Sink()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(tiny_vocabulary.TEXT.lower().splitlines()),
        model_writer=sink,
        vocab_size=400,
        hard_vocab_limit=False,
        minloglevel=3,
        num_threads=1,
        **settings_of_a_vocabulary,
    )
    return sink.data


SPECIALS = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]"]}


def test_a_vocabulary_that_keeps_spaces_at_the_end_works_too():
    tokenizer = PieceTokenizer(train(treat_whitespace_as_suffix=True, **SPECIALS))
    text = "The  river was (high)"
    pieces = tokenizer.encode(text)
    check_offsets(text, pieces)
    shown = [
        (piece, text[begin:end]) for piece, (begin, end) in zip(pieces.pieces, pieces.offsets, strict=True)
    ]
    assert [stretch.lower() for _, stretch in shown] == [piece.strip("▁") for piece, _ in shown]
    assert not tokenizer._vocabulary.keeps_ascii


def test_a_vocabulary_without_alberts_special_pieces_is_refused():
    with pytest.raises(CheckpointError, match=r"(?s)tokens\.model.*2 problems.*\[CLS\] is missing.*\[SEP\]"):
        PieceTokenizer(train(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1), source="tokens.model")


def test_a_vocabulary_of_bytes_is_refused():
    with pytest.raises(CheckpointError, match="spells unknown characters in bytes"):
        PieceTokenizer(train(byte_fallback=True, **SPECIALS))


@pytest.mark.parametrize("content", [b"", b"no model at all", b"version https://git-lfs.github.com/spec/v1"])
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, content):
    path = tmp_path / "spiece.model"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"spiece\.model is no SentencePiece model"):
        PieceTokenizer.load(path)
