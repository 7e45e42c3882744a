"""Folders of models are recognized, and converted once into the cache."""

import json
import logging
import os
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

from sparkalbert.convert import convert_checkpoint, import_onnx
from sparkalbert.errors import BundleError, CheckpointError, ModelNotFoundError, ParamError, ParamTypeError
from sparkalbert.models import find_model, folders
from tests import child_processes, tiny_bundle, tiny_checkpoint, tiny_vocabulary
from tests.storage.unreadable import make_unreadable


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of a real tiny checkpoint."""
    return shutil.copytree(tiny_bundle.checkpoint(), tmp_path / "my albert")


def cached(home):
    return sorted(path.name for path in (home / "bundles").iterdir())


class TestBundleFolder:
    @pytest.mark.parametrize("spelling", [Path, str, lambda path: f"{path}/", lambda path: f"file:{path}"])
    def test_it_is_used_in_place(self, tiny, home, spelling):
        found = find_model(spelling(tiny.path))
        assert found.path == tiny.path
        assert found.manifest == tiny.manifest
        assert not home.exists()

    def test_relative_and_home_paths(self, tiny, monkeypatch):
        monkeypatch.chdir(tiny.path.parent)
        monkeypatch.setenv("HOME", str(tiny.path.parent))
        for spelling in (tiny.path.name, f"./{tiny.path.name}", f"~/{tiny.path.name}"):
            assert find_model(spelling).digest == tiny.digest

    def test_its_options_are_fixed(self, tiny):
        assert find_model(tiny.path, do_lower_case=True, keep_accents=False).digest == tiny.digest
        with pytest.raises(
            ParamError, match=r"do_lower_case is False, but the bundle .* was converted with do_lower_c"
        ):
            find_model(tiny.path, do_lower_case=False)
        with pytest.raises(ParamTypeError, match="keep_accents is 1, expected True, False or None"):
            find_model(tiny.path, keep_accents=1)

    def test_a_damaged_bundle_is_told(self, tiny):
        (tiny.path / "model.onnx").unlink()
        with pytest.raises(BundleError, match=r"model\.onnx is missing"):
            find_model(tiny.path)

    def test_its_precision_is_its_own(self, tiny):
        assert find_model(tiny.path, precision="fp32").digest == tiny.digest
        with pytest.raises(ParamError) as caught:
            find_model(tiny.path, precision="int8")
        assert str(caught.value) == (
            f"precision is 'int8', but the bundle {tiny.path} is 'fp32'. Leave precision out, or convert the "
            "checkpoint again."
        )

    def test_it_has_no_revision(self, tiny):
        with pytest.raises(ParamError, match=r"revision is 'main', but .* is a folder, which has no revisions"):
            find_model(tiny.path, revision="main")


class TestCheckpointFolder:
    def test_it_is_converted_once(self, checkpoint, home):
        first = find_model(checkpoint)
        assert first.path.parent == home / "bundles"
        assert first.path.name.startswith("my_albert-fp32-")
        assert first.manifest.name == first.manifest.source == "my albert"
        assert first.verify().digest == tiny_bundle.bundle().digest
        written = (first.path / "model.onnx").stat().st_ino
        assert find_model(checkpoint).path == first.path
        assert (first.path / "model.onnx").stat().st_ino == written
        assert sorted(path.name for path in home.iterdir()) == ["bundles", "locks"]
        assert cached(home) == [first.path.name]

    def test_the_key_is_the_content(self, checkpoint, home):
        first = find_model(checkpoint)
        tiny_checkpoint.write(checkpoint, seed=1)
        assert find_model(checkpoint).digest != first.digest
        (checkpoint / "tokenizer_config.json").write_text('{"do_lower_case": false}')
        find_model(checkpoint)
        (checkpoint / "README.md").write_text("not a part of the model")
        find_model(checkpoint)
        assert len(cached(home)) == 3

    def test_what_an_earlier_version_converted_is_not_used(self, checkpoint, monkeypatch):
        """Version 2 did not read the added tokens beside a tokenizer.json."""
        with monkeypatch.context() as earlier:
            earlier.setattr(folders, "CONVERSION", "2")
            before = find_model(checkpoint)
        assert find_model(checkpoint).path != before.path

    def test_options_that_are_given_are_part_of_the_key(self, checkpoint, home):
        plain = find_model(checkpoint)
        cased = find_model(checkpoint, do_lower_case=False, keep_accents=True)
        assert cased.digest != plain.digest
        assert cased.path.name == f"{plain.path.name}-do_lower_case=false-keep_accents=true"
        assert find_model(checkpoint, keep_accents=True, do_lower_case=False).path == cased.path
        assert find_model(checkpoint).path == plain.path
        assert cased.manifest.tokenizer.options["do_lower_case"] is False
        assert cased.manifest.tokenizer.origins["do_lower_case"] == "given"
        assert len(cached(home)) == 2

    def test_a_folder_that_moves_is_not_converted_again(self, checkpoint, home, tmp_path):
        first = find_model(checkpoint)
        (tmp_path / "other place").mkdir()
        moved = checkpoint.rename(tmp_path / "other place" / checkpoint.name)
        assert find_model(moved).path == first.path
        with pytest.raises(ModelNotFoundError, match=rf"^There is no folder {re.escape(str(checkpoint))}\."):
            find_model(checkpoint)
        assert len(cached(home)) == 1

    def test_another_model_in_the_same_place_is_converted(self, checkpoint):
        first = find_model(checkpoint)
        shutil.rmtree(checkpoint)
        tiny_checkpoint.write(checkpoint, seed=1)
        assert find_model(checkpoint).digest != first.digest

    def test_two_folders_of_one_name_and_configuration_do_not_collide(self, tmp_path):
        found = []
        for seed in (0, 1):
            folder = tiny_checkpoint.write(tmp_path / str(seed) / "albert", seed=seed)
            assert (folder / "config.json").read_bytes() == (tmp_path / "0" / "albert" / "config.json").read_bytes()
            found.append(find_model(folder))
        assert found[0].digest != found[1].digest
        assert find_model(tmp_path / "0" / "albert").digest == found[0].digest

    def test_a_weight_that_changes_within_one_modification_time(self, checkpoint):
        """Copying programs set the time of modification back; size and inode stay the same."""
        first = find_model(checkpoint)
        path = checkpoint / "model.safetensors"
        status = path.stat()
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\x3f")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert find_model(checkpoint).path != first.path

    def test_a_damaged_cache_is_repaired(self, checkpoint, home):
        first = find_model(checkpoint)
        path = first.path / "model.onnx.data"
        path.write_bytes(path.read_bytes()[:-1])
        again = find_model(checkpoint)
        assert again.path == first.path
        assert again.verify().digest == first.digest
        assert len(cached(home)) == 1

    def test_one_changed_byte_in_the_cache_is_repaired(self, checkpoint):
        first = find_model(checkpoint)
        for name in first.manifest.files:
            damaged = bytearray((first.path / name).read_bytes())
            damaged[len(damaged) // 2] ^= 1
            (first.path / name).write_bytes(damaged)
            assert find_model(checkpoint).verify().digest == first.digest

    def test_a_name_as_long_as_a_file_system_allows(self, checkpoint, tmp_path):
        options = {"do_lower_case": False, "keep_accents": True, "remove_space": False}
        found = find_model(checkpoint.rename(tmp_path / ("a" * 255)), **options)
        assert found.manifest.name == "a" * 255
        assert found.path.name.startswith("a" * 100 + "-fp32-")

    @pytest.mark.parametrize("name", ["model.safetensors", "spiece.model", "config.json"])
    def test_a_file_that_cannot_be_read(self, checkpoint, name):
        make_unreadable(checkpoint / name)
        with pytest.raises(CheckpointError) as caught:
            find_model(checkpoint)
        assert str(caught.value) == (
            f"{checkpoint / name} cannot be read (Input/output error). Check that this user may read it."
        )

    def test_a_model_that_runs_each_sequence_alone_is_warned_of(self, tmp_path, caplog):
        checkpoint = tiny_checkpoint.write(tmp_path / "wide", hidden_size=256, num_attention_heads=1)
        for _ in range(2):  # when it is converted, and when it is found in the cache
            caplog.clear()
            with caplog.at_level(logging.WARNING, logger="sparkalbert"):
                bundle = find_model(checkpoint)
            assert f"{bundle.path}: Its attention heads are wider than 128 numbers" in caplog.text

    def test_a_checkpoint_that_cannot_be_converted(self, checkpoint, home):
        (checkpoint / "model.safetensors").unlink()
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            find_model(checkpoint)
        assert not (home / "bundles").exists() or cached(home) == []

    def test_two_processes_convert_once(self, checkpoint, home, tmp_path):
        environment = {"SPARKALBERT_HOME": str(home), "RENAMES": str(tmp_path / "renames")}
        with child_processes.processes(environment, 2) as pool:
            list(pool.map(child_processes.meet, [(str(tmp_path / "met"), 2)] * 2, chunksize=1))
            found = list(pool.map(child_processes.find, [str(checkpoint)] * 2, [str(home)] * 2, chunksize=1))
        key = cached(home)[0]
        assert found == [("", str(home / "bundles" / key))] * 2
        published = [path.name for path in (tmp_path / "renames").iterdir() if path.name.startswith(key)]
        assert len(published) == 1


@pytest.fixture
def sharded(checkpoint):
    """A checkpoint whose weights are in two files."""
    tensors = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    weight_map = {name: f"model-{index % 2}.safetensors" for index, name in enumerate(tensors)}
    for shard in set(weight_map.values()):
        save_file({name: tensors[name] for name, file in weight_map.items() if file == shard}, checkpoint / shard)
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return checkpoint


class TestShardedCheckpoint:
    def test_it_gives_the_same_model_as_one_file(self, sharded):
        assert find_model(sharded).digest == tiny_bundle.bundle().digest

    def test_every_shard_is_in_the_key(self, sharded, home):
        first = find_model(sharded)
        assert find_model(sharded).path == first.path
        seen = {first.digest}
        for name in ("model-0.safetensors", "model-1.safetensors"):
            tensors = {name: values + np.float32(0.25) for name, values in load_file(sharded / name).items()}
            save_file(tensors, sharded / name)
            seen.add(find_model(sharded).digest)
        assert len(seen) == len(cached(home)) == 3

    def test_an_export_beside_it_does_not_hide_it(self, sharded):
        (sharded / "onnx").mkdir()
        (sharded / "onnx" / "model.onnx").write_bytes(b"not read")
        assert folders.folder_kind(sharded) == "checkpoint"


@pytest.fixture
def export(tmp_path):
    """A Spark NLP import folder: a graph that looks up a row per piece, and its vocabulary."""
    folder = tmp_path / "exported"
    vocabulary = tiny_vocabulary.write(folder / "assets")
    rows = np.random.default_rng(0).standard_normal((tiny_vocabulary.VOCABULARY_SIZE, 8), dtype=np.float32)
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "pieces"])
        for name in ("input_ids", "attention_mask")
    ]
    vectors = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "pieces", 8])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["rows", "input_ids"], ["last_hidden_state"])],
        "lookup",
        ids,
        [vectors],
        [numpy_helper.from_array(rows, "rows")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "model.onnx")
    assert vocabulary == folder / "assets" / "spiece.model"
    return folder


class TestImportFolder:
    def test_it_is_imported_once(self, export, home):
        first = find_model(export)
        assert first.path.parent == home / "bundles"
        assert first.path.name.startswith("exported-onnx-")
        assert (first.manifest.name, first.manifest.num_layers, first.manifest.dimension) == (
            "exported",
            0,
            8,
        )
        assert (first.path / "spiece.model").read_bytes() == (export / "assets" / "spiece.model").read_bytes()
        written = (first.path / "model.onnx").stat().st_ino
        assert find_model(str(export)).path == first.path
        assert (first.path / "model.onnx").stat().st_ino == written
        (export / "assets" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
        assert find_model(export).path != first.path
        assert len(cached(home)) == 2

    def test_its_number_format_stays(self, export):
        assert find_model(export, precision="fp32").manifest.precision == "fp32"
        with pytest.raises(ParamError, match=r"precision is 'int8', but the bundle .* is 'fp32'\."):
            find_model(export, precision="int8")

    def test_a_config_beside_it_makes_it_no_checkpoint(self, export):
        (export / "config.json").write_text(json.dumps(tiny_checkpoint.tiny_config(hidden_size=8).to_dict()))
        assert find_model(export).manifest.num_layers == 0

    @pytest.mark.parametrize("name", ["model.onnx", "assets/spiece.model"])
    def test_a_file_that_cannot_be_read(self, export, name, tmp_path):
        make_unreadable(export / name)
        with pytest.raises(CheckpointError, match=rf"{name} cannot be read \(Input/output error\)"):
            find_model(export)
        with pytest.raises(CheckpointError, match="Input/output error"):
            import_onnx(export, tmp_path / "out")

    def test_without_vocabulary(self, export, home):
        (export / "assets" / "spiece.model").unlink()
        with pytest.raises(CheckpointError, match=r"spiece\.model"):
            find_model(export)
        assert not (home / "bundles").exists() or cached(home) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["checkpoint", "export"])
def test_a_model_that_changes_while_it_is_converted(kind, when, home, request, tmp_path, monkeypatch):
    """Before: between the key and the conversion. A bundle of other files must not have that key."""
    folder = request.getfixturevalue(kind)
    name = {"checkpoint": "convert_folder", "export": "_import_onnx"}[kind]
    convert = getattr(folders, name)

    def change():
        if kind == "checkpoint":
            tiny_checkpoint.write(folder, seed=1)
        else:
            (folder / "assets" / "tokenizer_config.json").write_text('{"do_lower_case": false}')

    def convert_while_it_changes(*arguments, **options):
        if when == "before":
            change()
        bundle = convert(*arguments, **options)
        if when == "after":
            change()
        return bundle

    with monkeypatch.context() as patch:
        patch.setattr(folders, name, convert_while_it_changes)
        with pytest.raises(CheckpointError) as caught:
            find_model(folder)
    assert str(caught.value) == (
        f"The model {folder} changed while it was converted. Load it again when nothing writes to it."
    )
    assert cached(home) == []
    direct = convert_checkpoint if kind == "checkpoint" else import_onnx
    assert find_model(folder).digest == direct(folder, tmp_path / "direct").digest


@pytest.mark.parametrize("folder", ["checkpoint", "export"])
def test_a_conversion_without_its_packages(folder, home, request):
    script = (
        "import sys; sys.modules['onnx'] = None\n"  # as on a machine where onnx is not installed
        "from sparkalbert.models import find_model\n"
        f"find_model({str(request.getfixturevalue(folder))!r})"
    )
    error = child_processes.error_of(script, home)
    assert "MissingDependencyError: Converting a" in error
    assert "pip install 'sparkalbert[convert]'. Or convert it on another machine and pass the bundle folder." in error
