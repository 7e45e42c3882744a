"""The same tensors as torch and TensorFlow write them."""

import json
import shutil
import sys

import numpy as np
import pytest

from sparkalbert.convert.checkpoint.files import checkpoint_files
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.errors import CheckpointError, MissingDependencyError
from tests import tiny_vocabulary
from tests.recorded import record_weights

TORCH = {"zip.bin": "pytorch_model.bin", "legacy.bin": "pytorch_model.bin"}
TENSORFLOW = {name: name for name in ("tf_model.h5", "model.ckpt.index", "model.ckpt.data-00000-of-00001")}


def folder_with(folder, files, *, config="config.json"):
    """Write a checkpoint folder with recorded weights: their names, and those that they get in the folder."""
    folder.mkdir()
    (folder / config).write_text(json.dumps(record_weights.CONFIG.to_dict()))
    tiny_vocabulary.write(folder)
    for recorded, name in files.items():
        shutil.copyfile(record_weights.FOLDER / recorded, folder / name)
    return folder


def ckpt(**renamed):
    return {name: name.replace("model.ckpt", renamed.get("to", "model.ckpt")) for name in [*TENSORFLOW][1:]}


def check(folder, *, rounded=False):
    checkpoint = Checkpoint.open(folder).check_values()
    for name, values in record_weights.tensors(rounded=rounded).items():
        if not name.startswith("pooler."):
            np.testing.assert_array_equal(checkpoint.tensor(name), values, err_msg=name)
    return checkpoint


@pytest.mark.parametrize("recorded", TORCH)
def test_every_kind_of_storage_of_torch_is_read(tmp_path, recorded):
    folder = folder_with(tmp_path / "model", {recorded: "pytorch_model.bin"})
    assert check(folder, rounded=True).weights == "pytorch_model.bin"
    assert folder / "pytorch_model.bin" in checkpoint_files(folder)


def test_keras_names_of_hugging_face_are_read(tmp_path):
    folder = folder_with(tmp_path / "model", {"tf_model.h5": "tf_model.h5"})
    assert check(folder).weights == "tf_model.h5"


@pytest.mark.parametrize("prefix", ["model.ckpt", "model.ckpt-best", "bert_model.ckpt-125000"])
def test_a_checkpoint_of_google_is_read(tmp_path, prefix):
    folder = folder_with(tmp_path / "model", ckpt(to=prefix), config="albert_config.json")
    assert check(folder).weights == f"{prefix}.index"
    names = {path.name for path in checkpoint_files(folder)}
    assert {"albert_config.json", f"{prefix}.index", f"{prefix}.data-00000-of-00001"} <= names


@pytest.mark.parametrize(("config", "meant"), [("albert_config.json", "gelu_new"), ("config.json", "gelu")])
def test_gelu_is_the_tanh_approximation_in_googles_code(tmp_path, config, meant):
    folder = folder_with(tmp_path / "model", ckpt(), config=config)
    values = json.loads((folder / config).read_text())
    (folder / config).write_text(json.dumps({**values, "hidden_act": "gelu"}))
    assert Checkpoint.open(folder).config.hidden_act == meant


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    folder = folder_with(tmp_path / "model", {"tf_model.h5": "tf_model.h5"})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"tf_model.h5 requires h5py: pip install 'sparkalbert\[hdf5\]'"):
        Checkpoint.open(folder)


def test_of_several_weights_the_first_by_the_rule_is_read(tmp_path):
    files = {"zip.bin": "pytorch_model.bin", **TENSORFLOW}
    folder = folder_with(tmp_path / "model", files)
    for name in ("pytorch_model.bin", "tf_model.h5", "model.ckpt.index"):
        assert Checkpoint.open(folder).weights == name
        (folder / name).unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        Checkpoint.open(folder)
