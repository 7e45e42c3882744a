"""Downloads from a real HTTP server that imitates the Hub; huggingface_hub is the real one.

It reads its environment when it is imported, so the calls run in a process that was started with that environment.
"""

import json

import pytest
import safetensors.numpy

from sparkalbert.bundle import Bundle
from sparkalbert.models.folders import CONVERSION
from tests import child_processes, tiny_bundle
from tests.models.hub_server import COMMIT, REQUEST_COMMIT, TOKEN, files_of, running_hub
from tests.recorded import record_weights

PLAIN = (
    "acme/first",
    "acme/plain",
    "acme/breaks-off",
    "acme/short",
    "acme/altered",
    "acme/needs-token",
    "acme/again",
)
CKPT = ("model.ckpt.index", "model.ckpt.data-00000-of-00001")
WITHOUT_NETWORK = "Without a network: on a machine that has one, run `sparkalbert convert CHECKPOINT BUNDLE`"
CONFIG, WEIGHTS, PIECES, OPTIONS = ("config.json", "model.safetensors", "spiece.model", "tokenizer_config.json")


def sharded(files, weights):
    """The files of a checkpoint whose weights are in two files, and an older copy of one of them."""
    tensors = safetensors.numpy.load(weights)
    weight_map = {name: f"model-{index % 2}.safetensors" for index, name in enumerate(tensors)}
    shards = {
        shard: safetensors.numpy.save({name: tensors[name] for name, file in weight_map.items() if file == shard})
        for shard in set(weight_map.values())
    }
    index = json.dumps({"weight_map": weight_map}).encode()
    return {**files, **shards, "model-9.safetensors": b"old", "model.safetensors.index.json": index}


@pytest.fixture(scope="module")
def hub():
    """A server with all repositories."""
    files = files_of(tiny_bundle.checkpoint())
    repositories = dict.fromkeys(PLAIN, files)
    without_weights = {name: data for name, data in files.items() if name != WEIGHTS}
    repositories["acme/wordpiece"] = {CONFIG: files[CONFIG], WEIGHTS: files[WEIGHTS], "vocab.txt": b"[PAD]\n"}
    del without_weights["tf_model.h5"]
    repositories["acme/flax"] = {**without_weights, "flax_model.msgpack": b"\x80"}
    repositories["acme/flax@refs/pr/1"] = files
    repositories["acme/secretive-flax"] = repositories["acme/flax"]
    repositories["acme/sharded"] = sharded(without_weights, files[WEIGHTS])
    recorded = {path.name: path.read_bytes() for path in record_weights.FOLDER.iterdir()}
    small = {PIECES: files[PIECES], CONFIG: json.dumps(record_weights.CONFIG.to_dict()).encode(), "README.md": b""}
    repositories["acme/pickled"] = {**small, "pytorch_model.bin": recorded["zip.bin"]}
    repositories["acme/google"] = {**small, **{name: recorded[name] for name in CKPT}, "model.ckpt.meta": b""}
    repositories["acme/empty"] = {}
    repositories["acme/bert"] = {**files, CONFIG: b'{"model_type": "bert"}'}
    repositories["acme/configured"] = {**files, OPTIONS: b'{"do_lower_case": true}'}
    repositories["albert/albert-xlarge-v2"] = {**files, "tokenizer_config.json": b'{"model_max_length": 512}'}
    with running_hub(repositories) as hub:
        yield hub


@pytest.fixture(autouse=True)
def _no_requests_yet(hub):
    hub.requests.clear()


@pytest.fixture(scope="module")
def hf_home(tmp_path_factory):
    """The cache of huggingface_hub that `online` and `unplugged` share."""
    return tmp_path_factory.mktemp("hf")


@pytest.fixture(scope="module")
def online(hub, hf_home):
    """Run find_model in a process that sees the Hub, as an account without a token."""
    with child_processes.processes({"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(hf_home)}) as pool:
        yield lambda *arguments, **options: pool.submit(child_processes.find, *arguments, **options).result()


@pytest.fixture(scope="module")
def unplugged(hub, hf_home):
    """Run find_model in a process that has HF_HUB_OFFLINE set, and the same cache as `online`."""
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(hf_home), "HF_HUB_OFFLINE": "1"}
    with child_processes.processes(environment) as pool:
        yield lambda *arguments, **options: pool.submit(child_processes.find, *arguments, **options).result()


@pytest.fixture(scope="module")
def offline(hub, tmp_path_factory):
    """Run find_model in a process that has HF_HUB_OFFLINE set, and huggingface_hub's cache empty."""
    environment = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path_factory.mktemp("hf-offline")),
        "HF_HUB_OFFLINE": "1",
    }
    with child_processes.processes(environment) as pool:
        yield lambda *arguments, **options: pool.submit(child_processes.find, *arguments, **options).result()


def bundle_of(found):
    kind, path = found
    assert kind == "", path
    return Bundle.open(path)


def failure(found, expected_kind):
    kind, message = found
    assert kind == expected_kind, message
    return message


def test_a_repository_is_converted_and_then_needs_no_network(hub, online, offline, home):
    first = bundle_of(online("acme/first", str(home)))
    assert first.path == home / "bundles" / f"acme--first-fp32-{COMMIT}-{CONVERSION}"
    assert first.manifest.name == first.manifest.source == "acme/first"
    assert first.manifest.revision == COMMIT
    assert first.digest == tiny_bundle.bundle().digest
    assert hub.requests[0] == "GET api/models/acme/first/revision/main"
    requested = {request.rpartition("/")[2] for request in hub.requests[1:]}
    assert requested == {CONFIG, WEIGHTS, PIECES}
    assert all(f"/resolve/{COMMIT}/" in request for request in hub.requests[1:])
    hub.requests.clear()
    assert online("acme/first", str(home)) == ("", str(first.path))
    assert online("acme/first", str(home), revision=COMMIT) == ("", str(first.path))
    assert online("acme/first", str(home), allow_download=False) == ("", str(first.path))
    assert offline("acme/first", str(home)) == ("", str(first.path))
    assert hub.requests == []


def test_known_names_and_their_options(hub, online, home):
    found = bundle_of(online("en.embed.albert.xlarge_uncased", str(home)))
    assert found.manifest.name == "albert_xlarge_uncased"
    assert found.manifest.source == "albert/albert-xlarge-v2"
    assert found.path.name == f"albert_xlarge_uncased-fp32-{COMMIT}-{CONVERSION}"
    assert set(found.manifest.tokenizer.origins.values()) == {"default"}
    hub.requests.clear()
    assert online("albert_xlarge_uncased", str(home)) == ("", str(found.path))
    assert hub.requests == []


def test_branches_tags_and_commits(hub, online, home):
    by_tag = bundle_of(online("acme/plain@v1", str(home)))
    assert by_tag.manifest.revision == COMMIT
    hub.requests.clear()
    assert online("acme/plain", str(home), revision="v1") == ("", str(by_tag.path))
    assert hub.requests == []
    assert online("acme/plain", str(home)) == ("", str(by_tag.path))
    assert hub.requests == ["GET api/models/acme/plain/revision/main"]
    assert sorted(path.name for path in (home / "refs").iterdir()) == ["acme--plain@main", "acme--plain@v1"]


def test_a_damaged_cache_is_repaired(online, home):
    first = bundle_of(online("acme/plain", str(home)))
    (first.path / "model.onnx.data").write_bytes(b"")
    (home / "refs" / "acme--plain@main").write_text("nonsense")
    again = bundle_of(online("acme/plain", str(home)))
    assert again.path == first.path
    assert again.digest == first.digest


def test_a_download_that_breaks_off_continues(hub, online, home):
    found = bundle_of(online("acme/breaks-off", str(home)))
    assert found.digest == tiny_bundle.bundle().digest
    assert hub.truncated == {"acme/breaks-off"}
    gets = [request for request in hub.requests if request.startswith("GET") and request.endswith(WEIGHTS)]
    assert len(gets) == 2


def test_a_file_that_is_too_short(online, home):
    message = failure(online("acme/short", str(home)), "DownloadError")
    assert message.startswith("acme/short@main could not be downloaded: ")
    assert "size" in message
    assert WITHOUT_NETWORK in message
    assert not (home / "bundles").exists()


def test_a_file_that_arrives_altered_is_downloaded_once_more_and_refused(hub, online, home):
    message = failure(online("acme/altered", str(home)), "DownloadError")
    assert message.startswith(f"{WEIGHTS} of acme/altered@main has checksum ")
    assert "The damaged file was removed from " in message
    assert hub.requests.count(f"GET acme/altered/resolve/{COMMIT}/{WEIGHTS}") == 2
    hub.requests.clear()
    failure(online("acme/altered", str(home)), "DownloadError")
    assert f"GET acme/altered/resolve/{COMMIT}/{WEIGHTS}" in hub.requests
    assert not (home / "bundles").exists()


class TestDamagedCacheOfTheHub:
    """One changed byte in a file of huggingface_hub's cache, which huggingface_hub itself never reads again."""

    @pytest.fixture
    def snapshot(self, hub, hf_home, online, tmp_path):
        bundle_of(online("acme/configured", str(tmp_path / "first home"), revision=COMMIT))
        hub.requests.clear()
        return hf_home / "hub" / "models--acme--configured" / "snapshots" / COMMIT

    def damage(self, path):
        assert path.is_symlink()
        contents = bytearray(path.read_bytes())
        contents[len(contents) // 2] ^= 1
        path.resolve().write_bytes(contents)

    @pytest.mark.parametrize("name", [CONFIG, WEIGHTS, PIECES, OPTIONS])
    def test_it_is_downloaded_again(self, hub, snapshot, online, home, name):
        expected = (snapshot / name).read_bytes()
        self.damage(snapshot / name)
        assert bundle_of(online("acme/configured", str(home), revision=COMMIT)).manifest.revision == COMMIT
        assert (snapshot / name).read_bytes() == expected
        assert [request for request in hub.requests if request.startswith("GET") and "resolve" in request] == [
            f"GET acme/configured/resolve/{COMMIT}/{name}"
        ]

    @pytest.mark.parametrize("name", [CONFIG, WEIGHTS, PIECES, OPTIONS])
    def test_without_a_network_it_is_refused(self, hub, snapshot, unplugged, home, name):
        self.damage(snapshot / name)
        message = failure(unplugged("acme/configured", str(home), revision=COMMIT), "DownloadError")
        assert message.startswith(f"{name} of acme/configured@{COMMIT} has checksum ")
        again = failure(unplugged("acme/configured", str(home), revision=COMMIT), "DownloadError")
        assert name in again.partition("nor complete in huggingface_hub's (")[2].partition("), and HF_HUB_OFFLINE")[0]
        assert hub.requests == []

    @pytest.mark.usefixtures("snapshot")
    def test_an_undamaged_cache_needs_no_network(self, hub, unplugged, home):
        bundle_of(unplugged("acme/configured", str(home), revision=COMMIT))
        assert hub.requests == []


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        (
            "acme/missing",
            "this account cannot see a repository acme/missing (HTTP 404), and there is no folder of that name",
        ),
        (
            "acme/private",
            "this account cannot see a repository acme/private (HTTP 401), and there is no folder of that name",
        ),
        ("acme/needs-token", "Check the spelling; for a private repository set HF_TOKEN."),
        ("acme/gated", "acme/gated is gated: accept its terms on the Hub's web page, then set HF_TOKEN"),
        ("acme/broken", "500"),
        ("acme/plain@v9", "acme/plain has no revision 'v9'."),
    ],
)
def test_a_hub_that_refuses(online, home, repository, expected):
    message = failure(online(repository, str(home)), "DownloadError")
    name = repository if "@" in repository else f"{repository}@main"
    assert message.startswith(f"{name} could not be downloaded: ")
    assert expected in message
    assert WITHOUT_NETWORK in message
    assert "copy the bundle folder here, and pass its path." in message


def test_a_token_opens_a_private_repository(hub, home, tmp_path):
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": TOKEN}
    with child_processes.processes(environment) as pool:
        found = pool.submit(child_processes.find, "acme/needs-token", str(home)).result()
    assert bundle_of(found).manifest.source == "acme/needs-token"


@pytest.mark.parametrize(
    ("repository", "weights"), [("acme/pickled", {"pytorch_model.bin"}), ("acme/google", set(CKPT))]
)
def test_weights_of_other_formats_are_downloaded_alone(hub, online, home, repository, weights):
    assert bundle_of(online(repository, str(home))).manifest.weights in weights
    requested = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
    assert requested == {CONFIG, PIECES, *weights}


def test_shards_are_found_by_their_index(hub, online, home):
    assert bundle_of(online("acme/sharded", str(home))).digest == tiny_bundle.bundle().digest
    requested = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
    assert requested == {CONFIG, PIECES, "model.safetensors.index.json", "model-0.safetensors", "model-1.safetensors"}


@pytest.mark.parametrize(
    ("repository", "problems"),
    [
        ("acme/empty", ["config.json cannot be read", "Expected a vocabulary", f"{WEIGHTS} is missing"]),
        ("acme/bert", ["model_type is 'bert', expected 'albert'"]),
    ],
)
def test_the_weights_of_a_repository_that_cannot_be_converted_are_not_downloaded(
    hub, online, home, repository, problems
):
    message = failure(online(repository, str(home)), "CheckpointError")
    assert message.startswith(f"The repository {repository}@main has {len(problems)} problem")
    assert "/tmp" not in message  # noqa: S108 - where repositories are laid out
    for problem in problems:
        assert problem in message
    requested = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
    assert requested <= {CONFIG, PIECES}


def test_a_pull_request_with_safetensors_is_named_and_can_be_loaded(online, home):
    message = failure(online("acme/flax", str(home)), "CheckpointError")
    assert message.endswith("\n  - A pull request adds model.safetensors: pass acme/flax@refs/pr/1")
    found = bundle_of(online("acme/flax@refs/pr/1", str(home)))
    assert found.digest == tiny_bundle.bundle().digest
    assert found.manifest.revision == REQUEST_COMMIT


def test_pull_requests_that_cannot_be_listed_do_not_hide_the_problem(online, home):
    message = failure(online("acme/secretive-flax", str(home)), "CheckpointError")
    assert message.startswith(
        "The repository acme/secretive-flax@main has 1 problem:\n  - flax_model.msgpack is not read"
    )


def test_another_kind_of_model_leaves_no_bundle(online, home):
    message = failure(online("acme/bert", str(home)), "CheckpointError")
    assert "model_type is 'bert', expected 'albert'" in message
    assert not (home / "bundles").exists() or list((home / "bundles").iterdir()) == []
    assert not (home / "refs").exists()


def test_no_network_allowed(hub, online, offline, home):
    for found, reason in [
        (online("acme/again", str(home), allow_download=False), "downloads are switched off"),
        (offline("acme/again", str(home)), "HF_HUB_OFFLINE is set"),
    ]:
        message = failure(found, "DownloadError")
        assert message.startswith(
            "acme/again@main is neither in sparkalbert's cache nor complete in huggingface_hub's ("
        )
        assert reason in message
        assert WITHOUT_NETWORK in message
    assert hub.requests == []


def test_what_huggingface_hub_has_already_needs_no_network(hub, online, home, tmp_path):
    first = bundle_of(online("albert_xlarge_uncased", str(home)))
    hub.requests.clear()
    elsewhere = str(tmp_path / "another home")
    again = online("albert_xlarge_uncased", elsewhere, allow_download=False, revision=COMMIT)
    assert bundle_of(again).digest == first.digest
    assert bundle_of(again).manifest.revision == COMMIT
    assert hub.requests == []


def test_a_checkpoint_without_options_needs_no_network_again(hub, online, unplugged, home, tmp_path):
    first = bundle_of(online("acme/first", str(home), revision=COMMIT))
    hub.requests.clear()
    again = bundle_of(unplugged("acme/first", str(tmp_path / "another home"), revision=COMMIT))
    assert again.digest == first.digest
    assert hub.requests == []


def test_a_hub_that_is_not_there(home, tmp_path):
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    with child_processes.processes(environment) as pool:
        found = pool.submit(child_processes.find, "acme/plain", str(home)).result()
    message = failure(found, "DownloadError")
    assert message.startswith("acme/plain@main could not be downloaded: ")
    assert WITHOUT_NETWORK in message


def test_two_processes_download_once(hub, home, tmp_path):
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf")}
    with child_processes.processes(environment, 2) as pool:
        list(pool.map(child_processes.meet, [(str(tmp_path / "met"), 2)] * 2, chunksize=1))
        found = list(pool.map(child_processes.find, ["acme/plain"] * 2, [str(home)] * 2, chunksize=1))
    assert found[0] == found[1]
    assert bundle_of(found[0]).digest == tiny_bundle.bundle().digest
    assert [request for request in hub.requests if "api/models" in request] == [
        "GET api/models/acme/plain/revision/main"
    ]
    assert hub.requests.count(f"GET acme/plain/resolve/{COMMIT}/{WEIGHTS}") == 1


def test_without_huggingface_hub(home):
    script = (
        "import sys; sys.modules['huggingface_hub'] = None\n"  # as on a machine where it is not installed
        "from sparkalbert.models import find_model\n"
        "find_model('albert_base_uncased')"
    )
    error = child_processes.error_of(script, home)
    assert "MissingDependencyError: A model from the Hugging Face Hub requires huggingface_hub: " in error
    assert "pip install 'sparkalbert[hub]'" in error
