import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.weights.names import checkpoint_shapes
from sparkalbert.errors import CheckpointError
from tests import tiny_checkpoint
from tests.convert.checkpoint.weight_writers import DATA, write_tensorflow
from tests.storage.unreadable import make_unreadable

QUERY = "encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"
WORDS = "embeddings.word_embeddings.weight"


@pytest.fixture
def folder(tmp_path) -> Path:
    return tiny_checkpoint.write(tmp_path / "tiny")


def rewrite(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def reconfigure(folder: Path, **values) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(folder).check_values()
    return str(caught.value)


def write_raw(folder: Path, dtype: str, encode) -> None:
    """Write a safetensors file by hand, because NumPy and so save_file lack bfloat16."""
    header, body = {}, b""
    for name, values in load_file(folder / "model.safetensors").items():
        data = encode(values)
        header[name] = {
            "dtype": dtype,
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)


PREFIXES = ["", "albert.", "bert.", "model.", "module.albert.", "0.auto_model.", "state_dict.encoder.encoder."]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_tensor_is_read_as_it_was_written(tmp_path, prefix):
    folder = tiny_checkpoint.write(tmp_path / "tiny", seed=4, prefix=prefix)
    checkpoint = Checkpoint.open(folder).check_values()
    tensors = tiny_checkpoint.random_tensors(checkpoint.config, seed=4)
    for name, values in tensors.items():
        if not name.startswith("pooler"):
            np.testing.assert_array_equal(checkpoint.tensor(name), values)


def test_heads_pooler_and_old_buffers_are_ignored(folder):
    def change(tensors):
        for name in ("pooler.weight", "pooler.bias"):
            del tensors[name]
        one = np.ones(3, dtype=np.float32)
        tensors["predictions.bias"] = one
        tensors["predictions.decoder.weight"] = one
        tensors["sop_classifier.classifier.weight"] = one
        tensors["embeddings.position_ids"] = np.arange(512)

    rewrite(folder, change)
    assert Checkpoint.open(folder).check_values().config.hidden_size == 32


@pytest.mark.parametrize(
    ("dtype", "encode", "decode"),
    [
        ("F16", lambda v: v.astype("<f2").tobytes(), lambda v: v.astype(np.float16).astype(np.float32)),
        (
            "BF16",
            lambda v: (v.view(np.uint32) >> 16).astype("<u2").tobytes(),
            lambda v: (v.view(np.uint32) & 0xFFFF0000).view(np.float32),
        ),
        ("F64", lambda v: v.astype("<f8").tobytes(), lambda v: v),
    ],
)
def test_other_number_formats_become_float32(folder, dtype, encode, decode):
    tensors = load_file(folder / "model.safetensors")
    write_raw(folder, dtype, encode)
    checkpoint = Checkpoint.open(folder).check_values()
    for name in (WORDS, QUERY):
        assert checkpoint.tensor(name).dtype == np.float32
        np.testing.assert_array_equal(checkpoint.tensor(name), decode(tensors[name]))


def test_integer_weights_are_refused(folder):
    rewrite(folder, lambda tensors: tensors.update({QUERY: np.ones((32, 32), dtype=np.int32)}))
    assert f"{QUERY} has dtype I32, expected one of F64, F32, F16, BF16" in refusal(folder)


def test_missing_surplus_and_misshapen_tensors_are_listed_at_once(folder):
    def change(tensors):
        del tensors["embeddings.LayerNorm.bias"]
        tensors["encoder.surplus.weight"] = np.ones((2, 3), dtype=np.float32)
        tensors[QUERY] = np.ones((32, 31), dtype=np.float32)

    rewrite(folder, change)
    message = refusal(folder)
    assert "has 3 problems:" in message
    assert "embeddings.LayerNorm.bias [16] is missing" in message
    assert "encoder.surplus.weight [2, 3] is not a tensor of the model that config.json describes" in message
    assert f"{QUERY} has shape [32, 31], config.json requires [32, 32]" in message


def test_all_kinds_of_problems_are_listed_at_once(folder):
    reconfigure(folder, hidden_act="swish", intermediate_size=0)
    (folder / "spiece.model").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n")
    (folder / "model.safetensors").rename(folder / "flax_model.msgpack")
    message = refusal(folder)
    assert "has 4 problems:" in message
    assert "hidden_act is 'swish'" in message
    assert "intermediate_size is 0, expected 1 to 262144" in message
    assert "vocab.txt has no token [CLS] and no token [SEP]" in message
    assert "flax_model.msgpack is not read: save it again with transformers 4" in message


def test_tensors_under_two_prefixes_are_ambiguous(folder):
    rewrite(folder, lambda tensors: tensors.update({f"albert.{WORDS}": tensors[WORDS].copy()}))
    message = refusal(folder)
    assert "tensors of an ALBERT appear under the prefixes 'albert.' (1 of 23) and '' (23 of 23)" in message


def test_a_file_with_task_heads_only_is_refused(folder):
    save_file({"predictions.bias": np.ones(3, dtype=np.float32)}, folder / "model.safetensors")
    assert refusal(folder).endswith(
        f"\n  - no tensor, task heads left out, has the name of an ALBERT's tensor; expected {WORDS} and 22 more, with "
        "or without a prefix"
    )


def test_a_part_that_cannot_be_read_is_the_only_problem_of_the_weights(folder):
    shard(folder)
    (folder / "two.safetensors").write_bytes(b"")
    assert "has 1 problem:\n  - two.safetensors is not a complete safetensors file" in refusal(folder)


def test_names_of_2019_are_read(folder):
    expected = load_file(folder / "model.safetensors")

    def change(tensors):
        for name in [name for name in tensors if "LayerNorm" in name]:
            tensors[name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta")] = (
                tensors.pop(name)
            )

    rewrite(folder, change)
    checkpoint = Checkpoint.open(folder)
    for name in ("embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"):
        np.testing.assert_array_equal(checkpoint.tensor(name), expected[name])


def test_a_head_of_any_name_beside_the_model_is_ignored(tmp_path):
    folder = tiny_checkpoint.write(tmp_path / "tiny", prefix="albert.")
    rewrite(folder, lambda tensors: tensors.update({"lstm.0.encoder.weight": np.ones((2, 2), dtype=np.float32)}))
    assert Checkpoint.open(folder).tensor(WORDS).shape == (300, 16)


def test_the_tensors_of_another_architecture_are_named_briefly(folder):
    def change(tensors):
        layers = [name for name in tensors if name.startswith("encoder.")]
        for number, name in enumerate(layers):
            del tensors[name]
            tensors[f"bert.encoder.layer.{number}.output.dense.weight"] = np.ones((2, 2), dtype=np.float32)
        for name in [name for name in tensors if name.startswith("embeddings.")]:
            tensors[f"bert.{name}"] = tensors.pop(name)

    rewrite(folder, change)
    message = refusal(folder)
    assert "bert.encoder.embedding_hidden_mapping_in.weight [32, 16] is missing" in message
    assert "... and 15 more of this kind; 5 of 23 tensors were found, with the prefix 'bert.'" in message
    assert len(message.splitlines()) == 9


def test_tensors_of_something_else_are_named(folder):
    save_file({"layer.0": np.ones(2, dtype=np.float32)}, folder / "model.safetensors")
    message = refusal(folder)
    assert "none of its 1 tensors (layer.0 ...) has the name of an ALBERT's tensor" in message
    assert "expected embeddings.word_embeddings.weight and 22 more, with or without a prefix" in message


@pytest.mark.parametrize("name", ["model.pt", "last.ckpt", "albert.pth", "weights.bin"])
def test_weights_under_another_name_are_named(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    assert f"{name} is not read under this name: if it holds the weights as torch.save writes" in refusal(folder)


def test_a_folder_without_weights_is_refused(folder):
    (folder / "model.safetensors").unlink()
    assert "model.safetensors is missing, and so is any other file of weights (model.safetensors, py" in refusal(folder)


def test_a_pointer_of_git_lfs_is_named(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "model.safetensors is a pointer of Git LFS" in refusal(folder)


def test_an_adapter_inside_the_model_is_refused(folder):
    name = QUERY.replace("query.weight", "query.lora_A.weight")
    rewrite(folder, lambda tensors: tensors.update({name: np.ones((2, 2), dtype=np.float32)}))
    assert f"{name} [2, 2] is not a tensor of the model that config.json describes" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_all_tensors_that_are_not_finite_are_named(folder, value):
    def change(tensors):
        tensors[QUERY][3, 4] = value
        tensors[WORDS][-1, -1] = value

    rewrite(folder, change)
    message = refusal(folder)
    assert "has 2 problems:" in message
    assert f"{QUERY}: it holds NaN or infinity" in message
    assert f"{WORDS}: it holds NaN or infinity" in message
    with pytest.raises(CheckpointError, match="it holds NaN or infinity"):
        Checkpoint.open(folder).tensor(QUERY)


@pytest.mark.parametrize("kept_bytes", [0, 4, 9, 500, -1, -4096])
def test_a_truncated_file_is_refused(folder, kept_bytes):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept_bytes])
    assert "model.safetensors is not a complete safetensors file" in refusal(folder)


def test_a_file_that_shrinks_after_it_was_opened_is_refused(folder):
    checkpoint = Checkpoint.open(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(CheckpointError, match="became shorter while it was read"):
        checkpoint.check_values()


def overwrite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))


def replace(path: Path) -> None:
    """Replace a file as a trainer does that saves in one step."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.rename(path)


@pytest.mark.parametrize("change", [overwrite, replace])
@pytest.mark.parametrize("name", ["model.safetensors", "two.safetensors", DATA])
def test_a_file_that_changes_after_it_was_opened_is_refused(folder, name, change):
    """Otherwise the tensors would be those of two models of one shape."""
    if name == DATA:
        write_tensorflow(folder, load_file(folder / "model.safetensors"))
        (folder / "model.safetensors").unlink()
    elif name != "model.safetensors":
        shard(folder)
    path = folder / name
    os.utime(path, ns=(0, 0))  # so that any write shows, however soon
    checkpoint = Checkpoint.open(folder).check_values()
    change(path)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.check_values()
    assert str(caught.value) == (
        f"{path} changed after the checkpoint was opened, expected one file for all of its tensors. Convert or verify "
        "the checkpoint again when nothing writes to it."
    )
    with pytest.raises(CheckpointError, match="changed after the checkpoint was opened"):
        [checkpoint.tensor(tensor) for tensor in checkpoint_shapes(checkpoint.config)]
    Checkpoint.open(folder).check_values()


def test_a_file_that_is_gone_is_named(folder):
    checkpoint = Checkpoint.open(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read \(No such file or directory\)"):
        checkpoint.check_values()


def test_files_that_cannot_be_read_are_listed_at_once(folder):
    make_unreadable(folder / "model.safetensors")
    make_unreadable(folder / "spiece.model")
    message = refusal(folder)
    assert "has 2 problems:" in message
    for name in ("model.safetensors", "spiece.model"):
        assert f"{folder / name} cannot be read (Input/output error). Check that this user may read it." in message


def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert refusal(folder) == f"{folder} cannot be read (Permission denied). Check that this user may read it."


@pytest.mark.parametrize(
    "header",
    [
        b"\xff" * 8,
        struct.pack("<Q", 1 << 40) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,99999999]}}'[:60],
        struct.pack("<Q", 5000) + b"[" * 5000,
    ],
    ids=["length", "huge", "list", "offsets", "nesting"],
)
def test_a_hostile_header_is_refused(folder, header):
    (folder / "model.safetensors").write_bytes(header)
    assert "model.safetensors is not a complete safetensors file" in refusal(folder)


def test_an_absurd_config_is_refused_without_reading_weights(folder):
    reconfigure(folder, vocab_size=10**15, hidden_size="wide", num_attention_heads=-3)
    message = refusal(folder)
    assert "hidden_size is 'wide', expected an integer" in message


@pytest.mark.parametrize("text", ["", "[]", "{", '{"hidden_size": NaN}'])
def test_a_config_that_is_not_an_object_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    refusal(folder)


def test_a_vocabulary_of_another_model_is_refused(tmp_path):
    folder = tiny_checkpoint.write(tmp_path / "tiny", vocab_size=200)
    assert "pieces, but config.json has vocab_size 200; they belong to different models" in refusal(folder)


def test_a_vocabulary_that_was_never_downloaded_is_refused(folder):
    (folder / "spiece.model").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "spiece.model is a pointer of Git LFS, expected the file itself" in refusal(folder)


@pytest.mark.parametrize("name", ["nowhere", "a" * 300])
def test_a_missing_folder_is_refused(tmp_path, name):
    assert "is not a folder" in refusal(tmp_path / name)


def shard(folder: Path, **files) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    weight_map = {name: file for file, part in parts.items() for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {**weight_map, **files}}))


def test_shards_are_read_as_one_checkpoint(folder):
    tensors = load_file(folder / "model.safetensors")
    shard(folder)
    checkpoint = Checkpoint.open(folder).check_values()
    np.testing.assert_array_equal(checkpoint.tensor(QUERY), tensors[QUERY])
    np.testing.assert_array_equal(checkpoint.tensor(WORDS), tensors[WORDS])


def test_a_missing_shard_and_one_outside_the_folder_are_refused(folder):
    too_long = "a" * 300
    shard(folder, a="three.safetensors", b="../elsewhere.safetensors", c=too_long)
    message = refusal(folder)
    assert "the shard three.safetensors is missing" in message
    assert f"the shard {too_long} is missing" in message
    assert "'../elsewhere.safetensors', which is outside the folder" in message


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', "{"])
def test_a_malformed_shard_index_is_refused(folder, text):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(text)
    assert "model.safetensors.index.json is malformed" in refusal(folder)
