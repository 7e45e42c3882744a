import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

from sparkalbert.errors import (
    BundleError,
    CheckpointError,
    ModelNotFoundError,
    OutputError,
    ParamError,
    ParamTypeError,
)
from sparkalbert.models import embedded_models, find, find_model
from sparkalbert.models.names import HubModel
from tests import child_processes, tiny_bundle, tiny_checkpoint, tiny_vocabulary

KNOWN = "albert_base_uncased, albert_large_uncased, albert_xlarge_uncased, albert_xxlarge_uncased"


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of a real tiny checkpoint."""
    return shutil.copytree(tiny_bundle.checkpoint(), tmp_path / "my albert")


@pytest.fixture
def embedded(tmp_path, tiny, monkeypatch):
    """A package whose only embedded model is a tiny bundle."""
    folder = tmp_path / "models"
    (folder / "not-a-model").mkdir(parents=True)
    shutil.copytree(tiny.path, folder / "albert_tiny_en")
    monkeypatch.setattr(find, "_EMBEDDED", folder)
    return folder


def not_found(model, **options):
    with pytest.raises(ModelNotFoundError) as caught:
        find_model(model, **options)
    return str(caught.value)


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
            earlier.setattr(find, "_CONVERSION", b"2")
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
        assert not_found(checkpoint).startswith(f"There is no folder {checkpoint}.")
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

    def test_weights_that_cannot_be_read(self, checkpoint, monkeypatch):
        def refused(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(find, "sha256_of", refused)
        with pytest.raises(
            CheckpointError, match=r"cannot be read \(Permission denied\)\. Check that this user may read"
        ):
            find_model(checkpoint)

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
        assert find.folder_kind(sharded) == "checkpoint"


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

    def test_without_vocabulary(self, export, home):
        (export / "assets" / "spiece.model").unlink()
        with pytest.raises(CheckpointError, match=r"spiece\.model"):
            find_model(export)
        assert not (home / "bundles").exists() or cached(home) == []


class TestNames:
    def test_an_embedded_model(self, embedded, home, tiny):
        assert embedded_models() == ("albert_tiny_en",)
        found = find_model("albert_tiny_en", allow_download=False)
        assert found.path == embedded / "albert_tiny_en"
        assert found.digest == tiny.digest
        assert not home.exists()

    @pytest.mark.usefixtures("embedded")
    def test_an_embedded_model_has_one_revision(self):
        with pytest.raises(ParamError) as caught:
            find_model("albert_tiny_en", revision="no-such-revision")
        assert str(caught.value) == (
            "revision is 'no-such-revision', but albert_tiny_en is part of this package, which has one revision. "
            "Leave it out."
        )

    def test_embedded_models_of_this_package_open(self):
        for name in embedded_models():
            assert find_model(name, allow_download=False).verify().path.name == name

    @pytest.mark.usefixtures("embedded")
    def test_an_unknown_name_lists_the_known_ones(self):
        assert not_found("albert_xlarge_uncase") == (
            "There is no model 'albert_xlarge_uncase'. Did you mean 'albert_xlarge_uncased' or "
            "'albert_xxlarge_uncased' or 'albert_large_uncased'? Known names: "
            f"{KNOWN}, and 35 more, see `sparkalbert models --all`. Part of this package: albert_tiny_en. "
            "Or pass the path of a model folder, or owner/name of a repository on the Hugging Face Hub. "
            "If Spark NLP lists it, look up its repository under References in Spark NLP's model card, and pass it as "
            "owner/name."
        )
        assert "Did you mean 'albert_tiny_en'" in not_found("albert_tiny")

    @pytest.mark.parametrize("name", ["glove", "", " ", "x\0y", "a" * 300])
    def test_nothing_like_a_name(self, name):
        message = not_found(name)
        assert message.startswith(f"There is no model {name!r}. Known names: {KNOWN}")

    @pytest.mark.usefixtures("embedded")
    def test_the_language_of_an_embedded_model(self):
        find.check_language("albert_tiny_en", "en")
        find.check_language("albert_tiny_en", None)
        with pytest.raises(ModelNotFoundError, match="no model 'albert_tiny_en' for lang 'fr'"):
            find.check_language("albert_tiny_en", "fr")
        with pytest.raises(ModelNotFoundError, match="for lang 'en': it is listed for 'fr'"):
            find.check_language("albert_embeddings_fralbert_base", "en")

    def test_a_folder_that_happens_to_have_the_name(self, tmp_path, monkeypatch, embedded):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "albert_tiny_en").mkdir()
        assert find_model("albert_tiny_en").path == embedded / "albert_tiny_en"

    @pytest.mark.parametrize("precision", ["fp64", "", "FP32"])
    def test_an_unknown_precision(self, precision):
        with pytest.raises(ParamError, match=f"precision is '{precision}', expected one of fp32, fp16, int8"):
            find_model("albert_base_uncased", precision=precision)


class TestRecordOfACommit:
    MODEL = HubModel("albert", "acme/albert")
    COMMIT = "c0ffee" + "0" * 34

    def test_two_threads_write_it(self, monkeypatch):
        barrier, write_text = threading.Barrier(2), Path.write_text

        def write_together(path, *arguments, **options):
            write_text(path, *arguments, **options)
            barrier.wait(60)

        monkeypatch.setattr(Path, "write_text", write_together)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(find._record_commit, [self.MODEL] * 2, [self.COMMIT] * 2))
        assert find._commit_of(self.MODEL) == self.COMMIT

    def test_a_cache_without_room(self, home):
        home.mkdir()
        (home / "refs").write_text("a file in its place")
        with pytest.raises(
            OutputError, match=r"refs/acme--albert@main cannot be written \(.*\)\. Free space there, or"
        ):
            find._record_commit(self.MODEL, self.COMMIT)


class TestWrongPath:
    @pytest.mark.parametrize("path", ["./nowhere", "/no/where", "../no-where", "nowhere/", "a/b/c", "file:/no"])
    def test_it_is_not_there(self, tmp_path, monkeypatch, path):
        monkeypatch.chdir(tmp_path)
        expected = Path(path.removeprefix("file:"))
        message = not_found(path)
        assert message.startswith(f"There is no folder {expected}. Known names: {KNOWN}")

    @pytest.mark.parametrize("path", ["./" + "a" * 300, "file:/" + "a" * 300, "file://[x"])
    def test_a_path_that_no_file_system_has(self, path):
        assert not_found(path).startswith("There is no folder ")

    def test_a_path_object_is_never_a_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert not_found(Path("albert_base_uncased")).startswith("There is no folder albert_base_uncased.")

    @pytest.mark.parametrize("spelling", [Path, str])
    def test_a_folder_without_model(self, tmp_path, spelling):
        assert not_found(spelling(tmp_path)) == (
            f"The folder {tmp_path} does not hold a model. Expected a bundle (manifest.json), a Hugging Face "
            "checkpoint (config.json, model.safetensors, spiece.model), a Spark NLP import folder "
            "(model.onnx, assets/spiece.model) or a saved Spark NLP model (albert_onnx, albert_spp)."
        )

    def test_a_bare_name_of_a_folder_without_model(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine").mkdir()
        assert not_found("mine").startswith("The folder mine does not hold a model.")

    def test_a_file(self, tiny):
        path = tiny.path / "model.onnx"
        assert not_found(path) == f"{path} is a file, expected a model folder."

    def test_a_user_that_is_not_there(self):
        assert not_found("~no-such-user/model").startswith("~no-such-user/model is not a valid path: ")

    @pytest.mark.parametrize("uri", ["s3://bucket/model", "hdfs://host/model", "dbfs:/models/albert"])
    def test_a_path_of_another_machine(self, uri):
        assert not_found(uri) == (
            f"{uri} is not a path of this machine. Copy the folder to a local disk, or give the path "
            "where it is mounted (on Databricks /Volumes/... or /dbfs/...)."
        )


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
