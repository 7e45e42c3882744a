"""Options that nobody states are compared with the vocabulary."""

import io

import pytest
import sentencepiece

from sparkalbert.errors import ConfigError
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests import tiny_vocabulary
from tests.recorded.recordings import VOCABULARY
from tests.recorded.tokenizer_folders import PIECES

WORDS = ["Paris", "École", "Ärger", "Straße", "Mädchen", "Señor", "Ça", "Forêt", "Fenêtre", "Garçon", "Leçon"]


@pytest.fixture(scope="module")
def cased():
    model = io.BytesIO()
    lines = [line.title() for line in tiny_vocabulary.TEXT.strip().splitlines()] + WORDS * 3
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(2 * lines), model_writer=model, vocab_size=400, hard_vocab_limit=False,
        character_coverage=1.0, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]"],
        num_threads=1, minloglevel=3,
    )  # fmt: skip
    return model.getvalue()


def test_alberts_own_vocabulary_agrees_with_the_defaults():
    PieceTokenizer.load(VOCABULARY, check_vocabulary=True)


def test_a_cased_vocabulary_contradicts_them(tmp_path, cased):
    (tmp_path / "spiece.model").write_bytes(cased)
    with pytest.raises(
        ConfigError,
        match=r"No file states do_lower_case and keep_accents of .*spiece\.model.*can never be produced.*"
        r"Pass do_lower_case=False, keep_accents=True if .*do_lower_case=True, keep_accents=False to embed as",
    ):
        PieceTokenizer.load(tmp_path, check_vocabulary=True)
    PieceTokenizer.load(tmp_path)  # checked by conversions only


def test_a_configuration_that_leaves_them_to_its_class_is_followed_with_a_warning(tmp_path, cased, caplog):
    """transformers embeds with its defaults then, and so did whoever trained the model with it."""
    (tmp_path / "spiece.model").write_bytes(cased)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "AlbertTokenizer"}')
    options = PieceTokenizer.load(tmp_path, check_vocabulary=True).options
    assert (options.do_lower_case, options.keep_accents) == (True, False)
    assert "No file states do_lower_case and keep_accents" in caplog.text
    assert "Pass do_lower_case=False, keep_accents=True if" in caplog.text


def test_a_stated_option_is_not_questioned(tmp_path, cased):
    (tmp_path / "spiece.model").write_bytes(cased)
    PieceTokenizer.load(tmp_path, check_vocabulary=True, do_lower_case=False, keep_accents=True)
    PieceTokenizer.load(tmp_path, check_vocabulary=True, do_lower_case=True, keep_accents=False)
    with pytest.raises(ConfigError, match="No file states keep_accents of"):
        PieceTokenizer.load(tmp_path, check_vocabulary=True, do_lower_case=False)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true, "keep_accents": false}')
    PieceTokenizer.load(tmp_path, check_vocabulary=True)


def test_hangul_that_the_vocabulary_composes_again_is_no_contradiction(tmp_path):
    model = io.BytesIO()
    words = ["한국어", "사람", "나라", "말씀", "바다", "하늘", "구름", "바람", "노래", "사랑", "마음", "생각", "시간"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words * 20), model_writer=model, vocab_size=80, hard_vocab_limit=False, pad_id=0,
        unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]"], num_threads=1, minloglevel=3,
    )  # fmt: skip
    (tmp_path / "spiece.model").write_bytes(model.getvalue())
    PieceTokenizer.load(tmp_path, check_vocabulary=True)


def test_word_pieces_are_asked_too(tmp_path):
    pieces = [piece for piece in PIECES if piece not in {"が", "한"}]
    upper = [f"Word{index}" for index in range(20)]
    (tmp_path / "vocab.txt").write_text("\n".join([*pieces, *upper]))
    with pytest.raises(ConfigError, match=r"do_lower_case of .*vocab\.txt.* 20 of its .*'Word0'"):
        PieceTokenizer.load(tmp_path, check_vocabulary=True)
    assert PieceTokenizer.load(tmp_path, check_vocabulary=True, do_lower_case=False).options.keep_accents
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    PieceTokenizer.load(tmp_path, check_vocabulary=True)
