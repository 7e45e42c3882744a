"""What is told before a model is converted, of folders and of repositories of an imitated Hub."""

import json
import shutil
import sys

import pytest

from sparkalbert.bundle import Bundle
from sparkalbert.models import Inspection, find_model, inspect_model
from tests import child_processes, tiny_bundle
from tests.models.hub_server import COMMIT, files_of, running_hub

USES = {"config.json": "configuration", "model.safetensors": "weights", "spiece.model": "vocabulary"}
DEFAULT = "default"


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of a real tiny checkpoint, and a file that is not part of it."""
    folder = shutil.copytree(tiny_bundle.checkpoint(), tmp_path / "albert")
    (folder / "README.md").write_text("not a part of the model")
    return folder


class TestFolder:
    def test_a_checkpoint_is_not_converted(self, checkpoint, home):
        found = inspect_model(checkpoint)
        assert found.contents.uses == USES
        assert found.contents.config.hidden_size == 32
        assert found.contents.problems == ()
        assert found.ignored == {"README.md": 23}
        assert found.used_bytes == sum((checkpoint / name).stat().st_size for name in USES)
        assert not home.exists()

    def test_options_name_their_source(self, checkpoint):
        assert set(inspect_model(checkpoint).contents.options.values()) == {(True, DEFAULT), (False, DEFAULT)}
        (checkpoint / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "model_max_length": 512}))
        options = inspect_model(checkpoint).contents.options
        assert options["do_lower_case"] == (False, "tokenizer_config.json")
        assert options["remove_space"] == (True, DEFAULT)
        assert inspect_model(checkpoint).contents.uses["tokenizer_config.json"] == "tokenizer"

    def test_every_problem_is_listed(self, checkpoint):
        (checkpoint / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 7}))
        (checkpoint / "spiece.model").write_bytes(b"nonsense")
        (checkpoint / "model.safetensors").unlink()
        found = inspect_model(checkpoint).contents
        assert found.config is None
        assert found.options == {}
        assert [problem for problem in found.problems if "model_type is 'bert'" in problem]
        assert [problem for problem in found.problems if "spiece.model" in problem]
        assert [problem for problem in found.problems if "model.safetensors is missing" in problem]

    def test_options_that_the_vocabulary_contradicts(self, checkpoint, monkeypatch):
        (checkpoint / "spiece.model").unlink()
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Paris", "Berlin", "river"]
        (checkpoint / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "tokenizers", None)  # as on a machine where it is not installed
            (problem,) = inspect_model(checkpoint).contents.problems
            assert "pip install 'sparkalbert[tokenizers]'" in problem
        pytest.importorskip("tokenizers")
        found = inspect_model(checkpoint).contents
        assert found.uses["vocab.txt"] == "vocabulary"
        assert found.options["do_lower_case"] == (True, DEFAULT)
        (problem,) = found.problems
        assert "Pass do_lower_case=False" in problem

    def test_a_contradiction_that_transformers_ignores_is_a_warning(self, checkpoint):
        """A tokenizer_config.json that states nothing leaves the options to the defaults of its class."""
        pytest.importorskip("tokenizers")
        (checkpoint / "spiece.model").unlink()
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Paris", "Berlin", "river"]
        (checkpoint / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
        (checkpoint / "tokenizer_config.json").write_text('{"model_max_length": 512}')
        found = inspect_model(checkpoint).contents
        assert found.problems == ()
        (warning,) = found.warnings
        assert "'Paris'" in warning
        assert "Pass do_lower_case=False" in warning

    def test_a_vocabulary_that_is_not_read_is_ignored(self, checkpoint):
        (checkpoint / "30k-clean.model").write_bytes((checkpoint / "spiece.model").read_bytes())
        (checkpoint / "vocab.txt").write_text("not read")
        found = inspect_model(checkpoint)
        assert found.contents.uses == USES
        assert {"30k-clean.model", "vocab.txt"} < set(found.ignored)

    def test_files_of_a_tokenizer_that_does_not_load_are_not_ignored(self, checkpoint):
        (checkpoint / "tokenizer_config.json").write_text('{"sp_model_kwargs": {"enable_sampling": true}}')
        found = inspect_model(checkpoint)
        assert found.contents.problems
        assert found.contents.uses["spiece.model"] == found.contents.uses["tokenizer_config.json"] == "tokenizer"
        assert not {"spiece.model", "tokenizer_config.json"} & set(found.ignored)

    def test_weights_are_not_read(self, checkpoint):
        (checkpoint / "model.safetensors").write_bytes(b"")
        assert inspect_model(checkpoint).contents.problems == ()

    def test_a_bundle_is_itself(self, tiny):
        assert inspect_model(tiny.path).digest == tiny.digest
        assert isinstance(inspect_model("albert_mini_en"), Bundle)


@pytest.fixture(scope="module")
def hub():
    """A server with all repositories."""
    files = files_of(tiny_bundle.checkpoint())
    only_flax = {name: data for name, data in files.items() if name not in {"model.safetensors", "tf_model.h5"}}
    repositories = {
        "acme/plain": {**files, "tokenizer_config.json": b'{"do_lower_case": false}'},
        "acme/again": files,
        "acme/flax": {**only_flax, "flax_model.msgpack": b"\x80"},
        "acme/flax@refs/pr/1": files,
        "acme/secretive": {**only_flax, "pytorch_model.bin": b"weights"},
        "acme/secretive-flax": {**only_flax, "flax_model.msgpack": b"\x80"},
        "acme/odd": {**files, "../outside": b"", "a/b/model.safetensors": b""},
        "ai4bharat/indic-bert": files,
        "acme/large": {**files, "tokenizer.json": bytes((64 << 20) + 1)},
    }
    with running_hub(repositories) as hub:
        yield hub


@pytest.fixture(scope="module")
def online(hub, tmp_path_factory):
    """A process that sees the Hub."""
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path_factory.mktemp("hf"))}
    with child_processes.processes(environment) as pool:
        yield pool


@pytest.fixture
def inspect(hub, online, home):
    """Inspect a model in that process, with an empty cache of bundles."""
    hub.requests.clear()
    return lambda model: online.submit(child_processes.inspect, model, str(home)).result()[1]


class TestRepository:
    def test_no_weights_are_downloaded(self, hub, inspect):
        found = inspect("acme/plain")
        assert isinstance(found, Inspection)
        assert (found.source, found.commit, found.licence) == ("acme/plain@main", COMMIT, "mit")
        assert found.contents.uses == USES | {"tokenizer_config.json": "tokenizer"}
        assert found.contents.options["do_lower_case"] == (False, "tokenizer_config.json")
        assert found.contents.problems == ()
        assert found.mends == ()
        assert set(found.ignored) == {"README.md", "tf_model.h5"}
        assert found.sizes["model.safetensors"] == (tiny_bundle.checkpoint() / "model.safetensors").stat().st_size
        requested = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
        assert requested == {"config.json", "spiece.model", "tokenizer_config.json"}

    def test_what_is_missing_and_the_mend(self, inspect):
        found = inspect("acme/flax")
        assert len(found.contents.problems) == 1
        assert found.mends == ("A pull request adds model.safetensors: pass acme/flax@refs/pr/1",)
        again = inspect("acme/flax@refs/pr/1")
        assert again.contents.problems == again.mends == ()

    def test_pull_requests_are_listed_only_for_a_mend(self, hub, inspect):
        found = inspect("acme/secretive")
        assert found.contents.problems == found.mends == ()
        assert [request for request in hub.requests if request.endswith("/refs")] == []
        found = inspect("acme/secretive-flax")
        assert len(found.contents.problems) == 1
        assert found.mends == ()
        assert [request for request in hub.requests if request.endswith("/refs")] != []

    def test_a_file_that_is_too_large_is_not_downloaded(self, hub, inspect):
        (problem,) = inspect("acme/large").contents.problems
        assert "tokenizer.json has 67,108,865 bytes, expected at most 67,108,864" in problem
        assert not any(request.endswith("tokenizer.json") for request in hub.requests)

    def test_a_known_name(self, inspect):
        assert inspect("xx.embed.albert.indic").source == "ai4bharat/indic-bert@main"

    def test_names_of_files_that_lead_elsewhere(self, inspect):
        found = inspect("acme/odd")
        assert found.contents.uses == USES
        assert "../outside" not in found.sizes
        assert "a/b/model.safetensors" in found.ignored

    def test_a_converted_model_needs_no_network(self, hub, online, inspect, home):
        kind, path = online.submit(child_processes.find, "acme/again", str(home), precision="int8").result()
        assert kind == ""
        hub.requests.clear()
        assert inspect("acme/again") == path
        assert hub.requests == []

    def test_without_a_network(self, hub, tmp_path):
        environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
        with child_processes.processes(environment) as pool:
            kind, text = pool.submit(child_processes.inspect, "acme/plain", str(tmp_path / "home")).result()
        assert kind == "DownloadError"
        assert text.startswith("acme/plain@main cannot be listed: HF_HUB_OFFLINE is set. Without a network: ")


def test_an_onnx_export_shows_what_was_imported(tmp_path, home):
    from sparkalbert.convert import export_spark_nlp

    folder = export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "export")
    found = inspect_model(folder)
    assert isinstance(found, Bundle)
    assert found.path.parent == home / "bundles"
    assert found.path == find_model(folder).path
