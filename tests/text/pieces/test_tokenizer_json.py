"""What a tokenizer.json specifies is read, checked and replaced."""

import json
import pickle

import pytest

from sparkalbert.errors import CheckpointError, ConfigError, ParamError
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests.recorded.tokenizer_folders import WORD_PIECES
from tests.text.pieces.programs import UNIGRAM, bert_document, document, load


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


def test_white_space_is_left_to_the_file():
    with pytest.raises(ParamError, match=r"remove_space is False, but the tokenizer\.json of this model decides"):
        PieceTokenizer.load(UNIGRAM, remove_space=False)


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
        ({"model": {"vocab": {"a": "b"}}}, "the token 'a' has the id 'b', expected an integer from 0 to 1,999,999"),
        ({"model": {"vocab": {"a": None}}}, "the token 'a' has the id None, expected an integer"),
        ({"model": {"vocab": {"a": 2_000_000}}}, "the token 'a' has the id 2000000, expected an integer"),
        ({"model": {"vocab": {"a": 2_000_000_000}}}, "the token 'a' has the id 2000000000, expected an integer"),
        ({"model": {"vocab": [[7, 0.0]]}}, "the token with the id 0 has the content 7, expected a string"),
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


def pair_model(**changes):
    """Return a BPE model without merges, which has the pieces of the file of the tests."""
    vocab = {piece: index for index, (piece, _) in enumerate(document()["model"]["vocab"])}
    return {"type": "BPE", "unk_token": "<unk>", "vocab": vocab, "merges": [], **changes}


def test_pieces_that_are_drawn_at_random_are_refused(tmp_path):
    """The same text would get other vectors each time."""
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path, document(model=pair_model(dropout=0.1)))
    assert str(caught.value) == (
        f"Expected a tokenizer that gives a text the same pieces each time, but {tmp_path / 'tokenizer.json'} draws "
        "them at random (dropout is 0.1 in its model), which is for training. Set it to null in the file."
    )


@pytest.mark.parametrize("dropout", [None, 0, 0.0])
def test_pairs_that_are_always_merged_are_read(tmp_path, dropout):
    tokenizer = load(tmp_path, document(model=pair_model(dropout=dropout)))
    assert len({tuple(tokenizer.encode("the river").ids.tolist()) for _ in range(20)}) == 1


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
