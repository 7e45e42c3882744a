import json
import pickle

import pytest

from sparkalbert.errors import CheckpointError, ConfigError, ModelNotFoundError
from sparkalbert.text.pieces.files import find_tokenizer, vocabulary_path
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests import tiny_vocabulary
from tests.storage.unreadable import make_unreadable

TEXT = "The café  of THE river"


def write_config(folder, **values):
    (folder / "tokenizer_config.json").write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize("place", [".", "assets"])
def test_the_vocabulary_of_a_folder_is_found(tmp_path, place):
    written = tiny_vocabulary.write(tmp_path / place)
    assert vocabulary_path(tmp_path) == written
    assert PieceTokenizer.load(tmp_path).encode(TEXT).pieces == PieceTokenizer.load(str(written)).encode(TEXT).pieces


def test_a_file_of_any_name_is_a_vocabulary(tmp_path):
    renamed = tiny_vocabulary.write(tmp_path).rename(tmp_path / "albert_spp")
    assert PieceTokenizer.load(renamed).vocabulary_size == tiny_vocabulary.VOCABULARY_SIZE


def test_without_a_configuration_the_options_are_the_defaults(tmp_path):
    tiny_vocabulary.write(tmp_path)
    assert PieceTokenizer.load(tmp_path).options == NormalizationOptions()
    write_config(tmp_path, model_max_length=512, tokenizer_class="AlbertTokenizer", do_basic_tokenize=False)
    assert PieceTokenizer.load(tmp_path).options == NormalizationOptions()


@pytest.mark.parametrize("place", [".", "assets"])
def test_the_configuration_beside_the_vocabulary_or_in_the_folder_is_used(tmp_path, place):
    tiny_vocabulary.write(tmp_path / "assets")
    write_config(tmp_path / place, do_lower_case=False, keep_accents=True)
    expected = NormalizationOptions(do_lower_case=False, keep_accents=True)
    assert PieceTokenizer.load(tmp_path).options == expected


def test_arguments_override_the_file(tmp_path):
    tiny_vocabulary.write(tmp_path)
    write_config(tmp_path, do_lower_case=False, keep_accents=True, remove_space=False)
    loaded = PieceTokenizer.load(tmp_path, do_lower_case=True, keep_accents=False)
    assert loaded.options == NormalizationOptions(remove_space=False)
    assert PieceTokenizer.load(tmp_path, remove_space=True).options == NormalizationOptions(
        do_lower_case=False, keep_accents=True
    )


def test_options_change_the_pieces(tmp_path):
    tiny_vocabulary.write(tmp_path)
    assert PieceTokenizer.load(tmp_path).encode("The").pieces == ["▁the"]
    assert PieceTokenizer.load(tmp_path, do_lower_case=False).encode("The").pieces != ["▁the"]
    assert 1 in PieceTokenizer.load(tmp_path, keep_accents=True).encode("é").ids
    assert 1 not in PieceTokenizer.load(tmp_path).encode("é").ids


@pytest.mark.parametrize(
    "name",
    ["spiece.model", "30k-clean.model", "vocabulary.spm", "sentencepiece.bpe.model", "assets/tokenizer/vocabulary.spm"],
)
def test_the_vocabulary_may_have_other_names(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tiny_vocabulary.model_bytes())
    assert "".join(PieceTokenizer.load(tmp_path).encode(TEXT).pieces) == "▁the▁cafe▁of▁the▁river"


def test_googles_own_file_follows_googles_rule_for_quotes(tmp_path):
    tiny_vocabulary.write(tmp_path).rename(tmp_path / "30k-clean.model")
    assert not PieceTokenizer.load(tmp_path).options.replace_quotes


def test_a_missing_vocabulary_is_named(tmp_path):
    with pytest.raises(ModelNotFoundError, match="that path does not exist"):
        PieceTokenizer.load(tmp_path / "nowhere")
    with pytest.raises(
        ModelNotFoundError, match=r"spiece\.model.*tokenizer\.json or vocab\.txt.*the folder contains none"
    ):
        PieceTokenizer.load(tmp_path)


def write_json(folder, name, values):
    (folder / name).write_text(json.dumps(values), encoding="utf-8")


def unigram_json(**more):
    """A tokenizer.json with the pieces of the tiny vocabulary."""
    pieces = PieceTokenizer(tiny_vocabulary.model_bytes())
    vocab = [[pieces.piece(index), -1.0] for index in range(pieces.vocabulary_size)]
    return {"model": {"type": "Unigram", "unk_id": 1, "vocab": vocab}, **more}


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ({}, "sentencepiece"),
        ({"tokenizer_class": "AlbertTokenizer"}, "sentencepiece"),
        ({"tokenizer_class": "AlbertTokenizer", "backend": "tokenizers"}, "tokenizers"),
        ({"tokenizer_class": "AlbertTokenizerFast"}, "tokenizers"),
        ({"tokenizer_class": "PreTrainedTokenizerFast"}, "tokenizers"),
        ({"tokenizer_class": "DebertaV2Tokenizer"}, "tokenizers"),
        ({"tokenizer_class": "BertTokenizer"}, "wordpiece"),
    ],
)
def test_of_several_vocabularies_the_one_is_taken_that_the_files_state(tmp_path, stated, kind):
    tiny_vocabulary.write(tmp_path)
    write_config(tmp_path, **stated)
    if kind == "wordpiece":
        (tmp_path / "vocab.txt").write_text("[CLS]\n[SEP]\n")
    else:
        write_json(tmp_path, "tokenizer.json", unigram_json())
    assert find_tokenizer(tmp_path).kind == kind


@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
def test_a_tokenizer_that_is_not_ours_is_refused_by_name(tmp_path, file):
    (tmp_path / "vocab.txt").write_text("[CLS]\n[SEP]\n")
    write_json(tmp_path, file, {"tokenizer_class": "BertJapaneseTokenizer"})
    with pytest.raises(
        CheckpointError, match=r"vocab\.txt name the tokenizer class BertJapaneseTokenizer, expected Bert"
    ):
        find_tokenizer(tmp_path)


def test_two_different_vocabularies_are_refused(tmp_path):
    tiny_vocabulary.write(tmp_path)
    program = unigram_json()
    program["model"]["vocab"].append(["▁extra", -2.0])
    write_json(tmp_path, "tokenizer.json", program)
    with pytest.raises(
        CheckpointError, match=r"spiece\.model \(300 pieces\) and tokenizer\.json \(301\).*Remove the file"
    ):
        PieceTokenizer.load(tmp_path)


FRAC = {
    "content": "\\frac",
    "lstrip": False,
    "rstrip": False,
    "single_word": False,
    "normalized": True,
    "special": False,
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("added_tokens.json", {"\\frac": 300}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"300": FRAC}}),
        ("tokenizer.json", unigram_json(added_tokens=[{"id": 300, **FRAC}])),
    ],
)
def test_an_added_token_has_its_id_and_its_place(tmp_path, name, content):
    tiny_vocabulary.write(tmp_path)
    write_json(tmp_path, name, content)
    text = "The \\frac of\\FRAC In"
    pieces = PieceTokenizer.load(tmp_path).encode(text)
    assert pieces.pieces == ["▁the", "\\frac", "▁of", "\\frac", "▁in"]
    assert pieces.ids[[1, 3]].tolist() == [300, 300]
    shown = [text[start:stop] for start, stop in pieces.offsets.tolist()]
    assert shown == ["The", "\\frac", "of", "\\FRAC", "In"]
    assert PieceTokenizer.load(tmp_path).vocabulary_size == 301


def test_special_tokens_may_have_other_names_and_lie_outside_the_vocabulary(tmp_path):
    tiny_vocabulary.write(tmp_path)
    write_json(
        tmp_path, "special_tokens_map.json", {"cls_token": "<s>", "sep_token": {"content": "</s>"}, "pad_token": "<p>"}
    )
    write_json(tmp_path, "added_tokens.json", {"<s>": 300, "</s>": 301, "<p>": 302})
    tokenizer = PieceTokenizer.load(tmp_path)
    assert (tokenizer.cls_id, tokenizer.sep_id) == (300, 301)
    assert tokenizer.vocabulary_size == 302  # padding is masked, so its row is not needed
    assert tokenizer.pad_id == tokenizer.unk_id == 1
    assert not set(tokenizer.encode("<s> the </s> <p>").ids.tolist()) & {300, 301, 302}


def test_a_special_token_without_an_id_is_named(tmp_path):
    tiny_vocabulary.write(tmp_path)
    write_json(tmp_path, "special_tokens_map.json", {"cls_token": "<s>"})
    with pytest.raises(CheckpointError, match=r"spiece\.model has 1 problem:\n  - the piece <s> is missing"):
        PieceTokenizer.load(tmp_path)


@pytest.mark.parametrize("token_id", [-1, 10**12, "x", None, True, 3.5])
def test_an_added_token_with_an_absurd_id_is_refused(tmp_path, token_id):
    tiny_vocabulary.write(tmp_path)
    write_json(tmp_path, "added_tokens.json", {"\\frac": token_id})
    with pytest.raises(ConfigError, match=r"added_tokens\.json has the id .*, expected an integer from 0 to"):
        PieceTokenizer.load(tmp_path)


@pytest.mark.parametrize("name", ["spiece.model", "tokenizer.json", "vocab.txt", "tokenizer_config.json"])
def test_a_file_of_a_gigabyte_is_refused_unread(tmp_path, name):
    if name == "tokenizer_config.json":
        tiny_vocabulary.write(tmp_path)
    with (tmp_path / name).open("wb") as file:
        file.truncate(1 << 30)  # sparse: it takes no room
    with pytest.raises(CheckpointError, match=rf"{name} has 1,073,741,824 bytes, expected at most"):
        PieceTokenizer.load(tmp_path)


def test_a_deeply_nested_configuration_is_refused(tmp_path):
    tiny_vocabulary.write(tmp_path)
    for name in ("tokenizer_config.json", "added_tokens.json"):
        (tmp_path / name).write_text("[" * 200_000)
        with pytest.raises(ConfigError, match=rf"{name} is not valid JSON: .*recursion"):
            PieceTokenizer.load(tmp_path)
        (tmp_path / name).unlink()


@pytest.mark.parametrize("given", [{}, {"do_lower_case": False, "keep_accents": True}])
def test_a_saved_tokenizer_is_the_same_and_states_everything(tmp_path, given):
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    tiny_vocabulary.write(source)
    write_json(source, "added_tokens.json", {"\\frac": 300, "<s>": 301})
    write_json(source, "special_tokens_map.json", {"cls_token": "<s>"})
    first = PieceTokenizer.load(source, **given)
    first.save(target)
    second = PieceTokenizer.load(target)
    text = "The ''café'' \\frac 9, of THE river"
    assert second.options == first.options
    assert set(second.record.origins.values()) == {"tokenizer_config.json"}
    assert (second.cls_id, second.vocabulary_size) == (first.cls_id, first.vocabulary_size) == (301, 302)
    for other in (second, pickle.loads(pickle.dumps(first))):
        assert other.encode(text).ids.tolist() == first.encode(text).ids.tolist()
        assert other.record.options == first.record.options


def test_the_record_tells_the_origin_of_each_option(tmp_path):
    tiny_vocabulary.write(tmp_path).rename(tmp_path / "vocabulary.spm")
    write_config(tmp_path, keep_accents=True)
    record = PieceTokenizer.load(tmp_path, do_lower_case=False).record
    assert (record.kind, record.file, record.source) == ("sentencepiece", "spiece.model", "vocabulary.spm")
    assert record.origins == {
        "do_lower_case": "given",
        "keep_accents": "tokenizer_config.json",
        "remove_space": "default",
        "replace_quotes": "default",
    }


def test_wrong_types_are_listed_together(tmp_path):
    tiny_vocabulary.write(tmp_path)
    write_config(tmp_path, do_lower_case="yes", keep_accents=0, remove_space=True)
    with pytest.raises(
        ConfigError, match=r"(?s)2 problems.*do_lower_case must be true or false, got 'yes'.*keep_accents .* got 0"
    ):
        find_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not valid JSON"), ("[]", "must contain a JSON object, got a list")]
)
def test_a_broken_configuration_is_refused(tmp_path, content, message):
    tiny_vocabulary.write(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        find_tokenizer(tmp_path)


def test_the_flags_of_a_tokenizer_json_replace_those_of_added_tokens(tmp_path):
    tiny_vocabulary.write(tmp_path)
    write_json(tmp_path, "added_tokens.json", {"\\frac": 300})
    write_json(tmp_path, "tokenizer.json", unigram_json(added_tokens=[{"id": 300, **FRAC, "single_word": True}]))
    tokenizer = PieceTokenizer.load(tmp_path)
    assert 300 in tokenizer.encode("the \\frac").ids
    assert 300 not in tokenizer.encode("the\\frac").ids


def test_options_that_would_change_the_ids_are_refused_by_name(tmp_path):
    tiny_vocabulary.write(tmp_path)
    write_config(tmp_path, sp_model_kwargs={}, split_special_tokens=True)
    PieceTokenizer.load(tmp_path)  # there is no token to split
    write_json(tmp_path, "added_tokens.json", {"\\frac": 300})
    write_config(tmp_path, sp_model_kwargs={"enable_sampling": True}, split_special_tokens=True)
    with pytest.raises(
        ConfigError, match=r"(?s)2 problems.*sp_model_kwargs is .*which sparkalbert does .*split_special_tokens is True"
    ):
        PieceTokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "known"), [("vocab_chinese.txt", "vocab.txt"), ("spm.model", "spiece.model"), ("a.spm", "spiece.model")]
)
def test_a_vocabulary_of_another_name_is_suggested(tmp_path, name, known):
    (tmp_path / name).touch()
    with pytest.raises(ModelNotFoundError, match=f"If {name} is the vocabulary of the model, rename it to {known}"):
        PieceTokenizer.load(tmp_path)


@pytest.mark.parametrize("name", ["spiece.model", "tokenizer.json", "vocab.txt", "tokenizer_config.json"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    if name == "tokenizer_config.json":
        tiny_vocabulary.write(tmp_path)
    make_unreadable(tmp_path / name)
    with pytest.raises(CheckpointError) as caught:
        PieceTokenizer.load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / name} cannot be read (Input/output error). Check that this user may read it."
    )


def test_a_path_that_no_file_system_has_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"a{300} cannot be read \(File name too long\)"):
        PieceTokenizer.load(tmp_path / ("a" * 300))


@pytest.mark.parametrize("name", ["spiece.model", "tokenizer.json", "vocab.txt"])
def test_a_pointer_of_git_lfs_is_named(tmp_path, name):
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(CheckpointError, match=rf"{name} is a pointer of Git LFS, expected the file itself"):
        PieceTokenizer.load(tmp_path)
