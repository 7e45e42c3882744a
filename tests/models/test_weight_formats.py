"""Models whose weights are not in safetensors, by the path of their folder."""

import json
import shutil

import numpy as np
import pytest

from sparkalbert.models import find_model
from tests import tiny_checkpoint, tiny_vocabulary
from tests.recorded import record_weights

FILES = {
    "zip.bin": "pytorch_model.bin",
    "legacy.bin": "pytorch_model.bin",
    "tf_model.h5": "tf_model.h5",
    "model.ckpt.data-00000-of-00001": "model.ckpt.data-00000-of-00001",
}


def write(folder, recorded, *, config="config.json"):
    """Write a folder with recorded weights and return the file that holds the numbers."""
    folder.mkdir(parents=True)
    (folder / config).write_text(json.dumps(record_weights.CONFIG.to_dict()))
    tiny_vocabulary.write(folder)
    if recorded.startswith("model.ckpt"):
        shutil.copyfile(record_weights.FOLDER / "model.ckpt.index", folder / "model.ckpt.index")
    return shutil.copyfile(record_weights.FOLDER / recorded, folder / FILES[recorded])


def bytes_of_a_weight():
    name = "encoder.albert_layer_groups.1.albert_layers.0.ffn.bias"
    return tiny_checkpoint.random_tensors(record_weights.CONFIG, seed=record_weights.SEED)[name].tobytes()


@pytest.mark.parametrize("recorded", FILES)
def test_a_changed_weight_is_converted_again(tmp_path, recorded):
    weights = write(tmp_path / "model", recorded)
    first = find_model(tmp_path / "model")
    assert find_model(tmp_path / "model").path == first.path
    content = weights.read_bytes()
    known = bytes_of_a_weight()
    assert content.count(known) == 1
    weights.write_bytes(content.replace(known, np.flip(np.frombuffer(known, dtype="<f4")).tobytes()))
    assert find_model(tmp_path / "model").digest != first.digest


def test_the_same_weights_give_the_same_bundle_in_every_format(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "safetensors", seed=record_weights.SEED, **record_weights.SHAPE)
    write(tmp_path / "h5", "tf_model.h5")
    write(tmp_path / "ckpt", "model.ckpt.data-00000-of-00001", config="albert_config.json")
    digests = {find_model(folder).digest for folder in (source, tmp_path / "h5", tmp_path / "ckpt")}
    assert len(digests) == 1


def test_a_checkpoint_is_preferred_to_an_export_beside_it(tmp_path):
    write(tmp_path / "model", "zip.bin")
    (tmp_path / "model" / "model.onnx").write_bytes(b"not read")
    assert find_model(tmp_path / "model").manifest.weights == "pytorch_model.bin"
