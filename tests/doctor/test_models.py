"""The cache, a model and the Hub."""

import shutil
from types import SimpleNamespace

import pytest

from sparkalbert.bundle import Bundle
from sparkalbert.doctor import models
from sparkalbert.doctor.models import cache_checks, hub_check, model_check
from sparkalbert.errors import MissingDependencyError
from sparkalbert.models import hub
from sparkalbert.storage.homes import HOME_VARIABLE
from tests import tiny_bundle
from tests.models.hub_server import files_of, running_hub


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_cache_is_counted_and_damage_found(home):
    (empty,) = cache_checks()
    assert (empty.status, empty.found) == ("ok", f"{home}: 0 models, 0 MB")
    for name in ("whole", "damaged"):
        shutil.copytree(tiny_bundle.bundle().path, home / "bundles" / name)
    (whole,) = cache_checks()
    assert (whole.status, "2 models" in whole.found) == ("ok", True)
    with (home / "bundles/damaged/config.json").open("a") as file:
        file.write(" ")
    (check,) = cache_checks()
    assert (check.status, check.found) == ("warning", f"{home}: 1 models, 0 MB, 1 damaged")
    assert str(home / "bundles/damaged") in check.mend


def test_a_cache_without_rights_is_found(home, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    (check,) = cache_checks()
    assert (check.status, check.found) == ("failed", f"{home} cannot be written")
    assert HOME_VARIABLE in check.mend


def test_a_cache_that_is_a_file_is_found(home):
    home.write_text("a file")
    (check,) = cache_checks()
    assert check.status == "failed"
    assert HOME_VARIABLE in check.mend


def test_a_model_is_checked_without_a_download(home):
    check, bundle = model_check(str(tiny_bundle.bundle().path))
    assert (check.status, bundle.digest) == ("ok", tiny_bundle.bundle().digest)
    for name, text in (("albert_base_uncased", "is not on this machine"), ("albert_big", "There is no model")):
        check, bundle = model_check(name)
        assert (check.status, bundle) == ("failed", None)
        assert text in check.found


def test_a_damaged_model_is_to_be_converted_or_installed_again(tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_bundle.bundle().path, tmp_path / "damaged")
    with (folder / "config.json").open("a") as file:
        file.write(" ")
    check, bundle = model_check(str(folder))
    assert (check.status, bundle) == ("failed", None)
    assert check.found.startswith(f"The bundle {folder}: config.json has ")
    assert check.mend == "Convert its checkpoint again, or copy the folder again."
    monkeypatch.setattr(models, "find_model", lambda *_, **__: Bundle.open(folder))
    assert model_check("albert_mini_en")[0].mend == "pip install --force-reinstall --no-deps sparkalbert"


def test_the_mend_of_another_error_does_not_contradict_its_message(monkeypatch):
    def find(*_, **__):
        msg = "Converting requires onnx: pip install 'sparkalbert[convert]'"
        raise MissingDependencyError(msg)

    monkeypatch.setattr(models, "find_model", find)
    check, _ = model_check("folder")
    assert check.mend == "Correct this, or choose a model that `sparkalbert models` lists."


@pytest.fixture
def endpoint(monkeypatch):
    """Have huggingface_hub ask another address."""
    library = pytest.importorskip("huggingface_hub")
    constants = pytest.importorskip("huggingface_hub.constants")  # the package itself does not import it

    def use(url, *, offline=False):
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        api = SimpleNamespace(constants=constants, HfApi=lambda: library.HfApi(endpoint=url))
        monkeypatch.setattr(hub, "_library", lambda: api)

    return use


def test_a_hub_that_answers(endpoint):
    with running_hub({"albert/albert-base-v2": files_of(tiny_bundle.checkpoint())}) as server:
        endpoint(server.endpoint)
        check = hub_check()
    assert (check.status, check.found) == ("ok", f"{server.endpoint} answers")


def test_a_hub_that_does_not_answer_is_a_warning(endpoint):
    endpoint("http://127.0.0.1:1")
    check = hub_check()
    assert check.status == "warning"
    assert check.found.startswith("http://127.0.0.1:1 cannot be reached")
    assert "HF_ENDPOINT" in check.mend


def test_offline_the_hub_is_not_asked(endpoint):
    endpoint("http://127.0.0.1:1", offline=True)
    assert hub_check().found == "not checked, because HF_HUB_OFFLINE is set"
