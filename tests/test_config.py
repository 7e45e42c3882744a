import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.config import AlbertConfig
from sparkalbert.errors import ConfigError

VALUES = {"vocab_size": 100, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}


def read(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        AlbertConfig.from_file(path)
    return str(caught.value).replace(str(path), "FILE")


def test_what_is_written_is_read(tmp_path):
    config = AlbertConfig(**VALUES, hidden_act="relu", layer_norm_eps=1e-5)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    assert AlbertConfig.from_file(tmp_path / "config.json") == config


def test_unknown_keys_are_ignored_and_missing_keys_take_the_defaults_of_hugging_face():
    config = AlbertConfig.from_dict({"hidden_size": 64, "num_attention_heads": 4, "classifier_dropout_prob": 0.1})
    assert (config.hidden_size, config.embedding_size, config.intermediate_size) == (64, 128, 16_384)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "FILE is not valid JSON: "),
        ("[" * 200_000, "FILE is not valid JSON: maximum recursion depth exceeded"),
        ("[]", "FILE holds a JSON list, expected an object with ALBERT's keys."),
        ('{"model_type": "bert"}', "FILE has 1 problem:\n  - model_type is 'bert', expected 'albert'"),
        ('{"hidden_size": true}', "FILE has 1 problem:\n  - hidden_size is True, expected an integer"),
        ('{"hidden_act": "swish"}', "FILE has 1 problem:\n  - hidden_act is 'swish', expected one of gelu, "),
        (
            '{"layer_norm_eps": NaN}',
            "FILE has 1 problem:\n  - layer_norm_eps is nan, expected a number between 0 and 1",
        ),
        ('{"position_embedding_type": "relative_key"}', "FILE has 1 problem:\n  - position_embedding_type is"),
    ],
)
def test_files_that_do_not_describe_an_albert(tmp_path, text, message):
    assert read(tmp_path, text).startswith(message)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file or directory\)"):
        AlbertConfig.from_file(tmp_path / "config.json")


def test_every_problem_is_listed():
    with pytest.raises(ConfigError) as caught:
        AlbertConfig(hidden_size=10, num_attention_heads=3, num_hidden_layers=1, num_hidden_groups=2, vocab_size=5)
    assert str(caught.value) == (
        "The ALBERT configuration has 3 problems:\n"
        "  - vocab_size is 5, expected 6 to 2000000\n"
        "  - hidden_size 10 is not a multiple of num_attention_heads 3\n"
        "  - num_hidden_groups 2 exceeds num_hidden_layers 1"
    )


@given(st.integers(1, 100), st.integers(1, 100))
def test_layers_are_divided_as_hugging_face_divides_them(layers, groups):
    """The formula of AlbertTransformer.forward, layer by layer."""
    if groups > layers:
        return
    config = AlbertConfig(**VALUES, num_hidden_layers=layers, num_hidden_groups=groups)
    expected = [int(layer / (layers / groups)) for layer in range(layers)]
    found = [group for group, count in enumerate(config.layers_of_groups()) for _ in range(count)]
    assert found == expected


def test_a_file_of_a_gigabyte_is_not_read_whole(tmp_path):
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # sparse: it takes no room
    with pytest.raises(ConfigError, match=r"config\.json has more than 16,777,216 bytes, expected ALBERT's keys only"):
        AlbertConfig.from_file(path)
