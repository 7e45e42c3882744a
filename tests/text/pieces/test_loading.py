"""The files of a tokenizer decide together, and are refused if they contradict each other."""

import json

import pytest

from sparkalbert.errors import CheckpointError, ConfigError, ParamError
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests.recorded.tokenizer_folders import WORD_PIECES
from tests.text.pieces.programs import UNIGRAM, bert_document, document, load

BERT = {"tokenizer_class": "BertTokenizer"}


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


def test_a_vocabulary_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"[CLS]\n\xff\n")
    with pytest.raises(CheckpointError, match=r"vocab\.txt is not UTF-8"):
        PieceTokenizer.load(tmp_path)


def test_a_vocabulary_of_implausibly_many_lines_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"\n" * 4_000_001)
    with pytest.raises(CheckpointError, match=r"vocab\.txt has more than 2,000,000 lines, expected one piece in each"):
        PieceTokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"do_lower_case": False}, ["The", "café", "日", "本"]),
        ({"do_lower_case": False, "strip_accents": True}, ["The", "cafe", "日", "本"]),
        ({"do_lower_case": False, "tokenize_chinese_chars": False}, ["The", "café", "日本"]),
        ({}, ["the", "cafe", "日", "本"]),
    ],
)
@pytest.mark.parametrize("lowercase", [True, False])
def test_berts_class_has_its_options_from_its_configuration(tmp_path, stated, expected, lowercase):
    """In all classes of transformers 4 and 5, whatever the tokenizer.json beside it contains."""
    values = bert_document(tmp_path, lowercase=lowercase, strip_accents=None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(BERT | stated))
    tokenizer = load(tmp_path, values)
    assert tokenizer.encode("The café 日本").pieces == expected
    origin = "tokenizer_config.json" if "do_lower_case" in stated else "default"
    assert tokenizer.record.origins["do_lower_case"] == origin
    assert PieceTokenizer.load(tmp_path, do_lower_case=True, keep_accents=False).encode("The café").pieces == [
        "the", "cafe",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "given"),
    [
        ({"do_lower_case": True}, {"do_lower_case": True}),
        ({"strip_accents": True}, {"keep_accents": False}),
        ({"tokenize_chinese_chars": False}, None),
    ],
)
def test_files_that_contradict_each_other_are_refused_before_a_conversion(tmp_path, caplog, stated, given):
    values = bert_document(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps(stated))
    (name,) = given or {"the file": None}
    with pytest.raises(ConfigError, match=rf"states \w+=\w+, but .*(Pass {name} to decide|Correct {name})"):
        load(tmp_path, values, check_vocabulary=True)
    if given:
        load(tmp_path, values, check_vocabulary=True, **given)
    assert caplog.text == ""
    config.write_text(json.dumps(stated | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    load(tmp_path, values, check_vocabulary=True)
    assert "which is used" in caplog.text


def test_a_vocabulary_that_was_edited_beside_its_tokenizer_json_is_refused(tmp_path):
    WORD_PIECES["words"](tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(PieceTokenizer.load(tmp_path)._encoder.serialized())
    PieceTokenizer.load(tmp_path)
    path = tmp_path / "vocab.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("\nriver\n", "\nstream\n"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"different vocabularies: 'river', 'stream' differ\. Remove the file"):
        PieceTokenizer.load(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    assert PieceTokenizer.load(tmp_path).encode("river").pieces == ["river"]  # no class reads vocab.txt


def test_a_file_that_adds_no_special_tokens_is_refused_if_its_class_adds_none(tmp_path):
    values = document(post_processor=None)
    load(tmp_path, values)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(CheckpointError, match="PreTrainedTokenizerFast puts no special tokens around a text"):
        load(tmp_path, values)


@pytest.mark.parametrize("tokenizer_class", ["", "AlbertTokenizer", "AlbertTokenizerFast"])
def test_a_file_without_special_tokens_is_read_again_from_a_bundle(tmp_path, tokenizer_class):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class}))
    tokenizer = load(tmp_path, document(post_processor=None))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    tokenizer.save(bundle)
    program = json.loads((bundle / "tokenizer.json").read_text(encoding="utf-8"))
    assert "post_processor" not in program
    again = load(bundle, {**program, "post_processor": None})  # as earlier versions wrote it
    for found in (PieceTokenizer.load(bundle), again):
        assert (found.cls_id, found.sep_id) == (2, 3)
        assert found.encode("The river").ids.tolist() == tokenizer.encode("The river").ids.tolist()


@pytest.mark.parametrize("has_program", [True, False])
def test_a_default_of_berts_class_is_doubted_if_another_option_is_given(tmp_path, has_program):
    """Its tokenizer.json is not where the default comes from."""
    values = bert_document(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(BERT))
    assert values["normalizer"]["lowercase"] is False
    if has_program:
        (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    tokenizer = PieceTokenizer.load(tmp_path, keep_accents=True, check_vocabulary=True)
    assert tokenizer.record.origins["do_lower_case"] == "default"
    assert tokenizer.options.do_lower_case
    assert "Pass do_lower_case=False" in tokenizer.doubt


@pytest.mark.parametrize(
    ("stated", "advice"),
    [({"strip_accents": True}, "Pass keep_accents to decide"), ({"tokenize_chinese_chars": False}, "Correct the file")],
)
def test_a_contradiction_is_found_if_another_option_is_given(tmp_path, caplog, stated, advice):
    """The advice names only options that exist."""
    values = bert_document(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps(stated))
    with pytest.raises(ConfigError, match=advice):
        load(tmp_path, values, check_vocabulary=True, do_lower_case=False)
    config.write_text(json.dumps(stated | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    load(tmp_path, values, do_lower_case=False)
    assert advice in caplog.text


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ({"do_basic_tokenize": False}, "do_basic_tokenize is False, which sparkalbert does not support"),
        ({"never_split": ["[E1]"]}, r"never_split is \['\[E1\]'\], which"),
    ],
)
def test_options_of_berts_slow_class_are_refused_by_name(tmp_path, stated, shown):
    WORD_PIECES["words"](tmp_path)
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps(BERT | {"do_basic_tokenize": True, "never_split": None}))
    program = PieceTokenizer.load(tmp_path)._encoder.serialized()
    config.write_text(json.dumps(BERT | stated))
    with pytest.raises(ConfigError, match=shown):
        PieceTokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(program)
    with pytest.raises(ConfigError, match=shown):
        PieceTokenizer.load(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    PieceTokenizer.load(tmp_path)  # no class that reads a tokenizer.json has these options


def test_berts_names_are_the_defaults_of_its_tokenizer_json(tmp_path):
    values = bert_document(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    tokenizer = load(tmp_path, values)
    assert tokenizer.piece(tokenizer.pad_id) == "[PAD]"
    assert len(tokenizer.encode("[UNK]")) > 1
