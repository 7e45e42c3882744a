import json

import pytest

from sparkalbert.errors import CheckpointError, ConfigError, ModelNotFoundError
from sparkalbert.text.pieces.files import read_options, vocabulary_path
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests import tiny_vocabulary

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
    write_config(tmp_path, model_max_length=512, tokenizer_class="AlbertTokenizer", replace_quotes=False)
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


def test_a_wordpiece_checkpoint_is_refused_with_a_clear_message(tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("[PAD]\n", encoding="utf-8")
    for path in (tmp_path, vocabulary):
        with pytest.raises(
            CheckpointError,
            match=r"Expected .*spiece\.model.*vocab\.txt is a WordPiece vocabulary, which sparkalbert does not support",
        ):
            PieceTokenizer.load(path)
    tiny_vocabulary.write(tmp_path)
    assert PieceTokenizer.load(tmp_path).vocabulary_size == tiny_vocabulary.VOCABULARY_SIZE


def test_a_missing_vocabulary_is_named(tmp_path):
    with pytest.raises(ModelNotFoundError, match="there is no such file or folder"):
        PieceTokenizer.load(tmp_path / "nowhere")
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelNotFoundError, match=r"the folder contains neither.*tokenizer\.json is not enough"):
        PieceTokenizer.load(tmp_path)


def test_wrong_types_are_listed_together(tmp_path):
    write_config(tmp_path, do_lower_case="yes", keep_accents=0, remove_space=True)
    with pytest.raises(
        ConfigError, match=r"(?s)2 problems.*do_lower_case must be true or false, got 'yes'.*keep_accents .* got 0"
    ):
        read_options(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not valid JSON"), ("[]", "must contain a JSON object, got a list")]
)
def test_a_broken_configuration_is_refused(tmp_path, content, message):
    (tmp_path / "tokenizer_config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_options(tmp_path)
