"""What is ours around the tokenizers library: options, special tokens, offsets, errors."""

import json
import pickle
import sys

import pytest

from sparkalbert.errors import CheckpointError, ConfigError, MissingDependencyError, ParamError, TextError
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests.recorded.tokenizer_folders import FOLDER, WORD_PIECES, token

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
    (folder / "tokenizer_config.json").unlink()
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
        ({"model": {"vocab": [1, 2]}}, r"is not a tokenizer\.json \(TypeError: "),
        ({"model": {"vocab": {"a": "b"}}}, "the token 'a' has the id 'b', expected an integer from 0 to 2,000,000"),
        ({"model": {"vocab": {"a": None}}}, "the token 'a' has the id None, expected an integer"),
        ({"model": {"vocab": {"a": 2_000_000_000}}}, "the token 'a' has the id 2000000000, expected an integer"),
        ({"model": {"vocab": [["a", 0.0]], "unk_id": "x"}}, r"is not a tokenizer\.json \(ValueError: "),
        ({"added_tokens": {"a": 1}}, r"is not a tokenizer\.json \(TypeError: "),
        ({"post_processor": "x"}, r"is not a tokenizer\.json \(AttributeError: "),
        ({"normalizer": {"type": "Replace", "pattern": "x", "content": ""}}, r"is not a tokenizer\.json \(Attr"),
        ({"post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 9_000], "sep": ["[SEP]", 3]}},
            "puts the id 9000 around texts, which no token has"),
        ({"model": {"type": "Unigram", "unk_id": None, "vocab": document()["model"]["vocab"]}},
            r"Expected a vocabulary with a token for unknown words, but .*tokenizer\.json names none"),
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


@pytest.mark.parametrize("entry", [{"content": "x"}, {"content": "x", "id": 4_000_000_000}, {"id": 300}])
def test_an_added_token_without_a_plausible_id_or_content_is_refused(tmp_path, entry):
    with pytest.raises(ConfigError, match=r"tokenizer\.json has (the id|a token)"):
        load(tmp_path, document(added_tokens=[entry]))
    (tmp_path / "tokenizer_config.json").write_text('{"added_tokens_decoder": {}}')
    with pytest.raises(CheckpointError, match=r"is not a tokenizer\.json"):
        load(tmp_path, document(added_tokens=[entry]))


def test_a_vocabulary_without_its_unknown_token_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("<unk>\n[CLS]\n[SEP]\nriver\n")
    with pytest.raises(CheckpointError, match=r"vocab\.txt does not contain \[UNK\].*state it as unk_token"):
        PieceTokenizer.load(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"unk_token": "<unk>"}')
    assert PieceTokenizer.load(tmp_path).encode("river town").ids.tolist() == [3, 0]


def test_a_vocabulary_of_implausibly_many_lines_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"\n" * 4_000_001)
    with pytest.raises(CheckpointError, match=r"vocab\.txt has more than 2,000,000 lines, expected one piece in each"):
        PieceTokenizer.load(tmp_path)


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


BERT = {"tokenizer_class": "BertTokenizer"}


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


@pytest.mark.parametrize("name", ["cls", "sep"])
@pytest.mark.parametrize("index", ["4000000000", "-1", "1e999", "true", '"2"', "2.0"])
def test_ids_around_a_text_are_checked_before_memory_for_them_is_needed(tmp_path, name, index):
    ids = {"cls": 2, "sep": 3, name: json.loads(index)}
    bert = {"type": "BertProcessing", "cls": ["[CLS]", ids["cls"]], "sep": ["[SEP]", ids["sep"]]}
    template = document()["post_processor"]
    template["special_tokens"][f"[{name.upper()}]"]["ids"] = [ids[name]]
    for processor in (bert, template):
        with pytest.raises(CheckpointError, match="expected one token before a text and one after it"):
            load(tmp_path, document(post_processor=processor))


def test_an_id_that_no_integer_can_be_is_refused(tmp_path):
    model = {**document()["model"], "unk_id": float("inf")}
    with pytest.raises(CheckpointError, match=r"is not a tokenizer\.json \(OverflowError: "):
        load(tmp_path, document(model=model))


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


def test_the_unknown_token_can_be_named_where_the_message_says(tmp_path):
    WORD_PIECES["words"](tmp_path)
    path = tmp_path / "vocab.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("[UNK]", "<x>"), encoding="utf-8")
    with pytest.raises(
        CheckpointError, match=r"state it as unk_token: for a vocab\.txt in tokenizer_config\.json, for a"
    ):
        PieceTokenizer.load(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"unk_token": "<x>"}')
    expected = PieceTokenizer.load(tmp_path).unk_id
    values = json.loads(PieceTokenizer.load(tmp_path)._encoder.serialized())
    path.unlink()
    assert load(tmp_path, values).unk_id == expected
    values["model"]["unk_token"] = "[UNK]"  # noqa: S105 - a piece
    with pytest.raises(CheckpointError, match=r"for a tokenizer\.json in its model"):
        load(tmp_path, values)


def test_berts_names_are_the_defaults_of_its_tokenizer_json(tmp_path):
    values = bert_document(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    tokenizer = load(tmp_path, values)
    assert tokenizer.piece(tokenizer.pad_id) == "[PAD]"
    assert len(tokenizer.encode("[UNK]")) > 1
