"""The models of a process: shared while they are used, two kept, and loaded side by side."""

import gc
import os
import shutil
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from sparkalbert.bundle import Bundle
from sparkalbert.errors import BundleError
from sparkalbert.inference import ModelCache, SessionOptions
from sparkalbert.inference.model import LoadedModel
from sparkalbert.timings import TIMINGS
from tests import tiny_bundle

TIMEOUT_S = 60


@pytest.fixture
def models():
    return ModelCache()


class Source:
    """A bundle and the number of times that it was located. `locate` waits for `released`."""

    def __init__(self, **shape) -> None:
        self.bundle = tiny_bundle.bundle(**shape)
        self.digest = self.bundle.digest
        self.calls = 0
        self.started = threading.Event()
        self.released = threading.Event()
        self.released.set()

    def locate(self):
        self.calls += 1
        self.started.set()
        assert self.released.wait(TIMEOUT_S)
        return self.bundle


def get(models, source, threads=1):
    return models.get(source.digest, SessionOptions(threads=threads), source.locate)


def test_a_model_is_loaded_once(models):
    source = Source()
    seconds = TIMINGS.seconds["load"]
    first = get(models, source)
    assert get(models, source) is first
    assert source.calls == 1
    assert first.bundle == source.bundle
    assert TIMINGS.seconds["load"] > seconds


def test_each_device_and_number_of_threads_has_its_own_session(models):
    source = Source()
    assert get(models, source, threads=1).session is not get(models, source, threads=2).session


def test_a_model_that_is_held_is_shared_and_others_are_let_go(models):
    source = Source()
    held = get(models, source, threads=1)
    unheld = weakref.ref(get(models, source, threads=2))
    for threads in (3, 4):
        get(models, source, threads=threads)
    assert get(models, source, threads=1) is held
    assert source.calls == 4
    gc.collect()
    assert unheld() is None


def test_a_model_whose_files_were_written_to_is_loaded_again(models, tmp_path):
    source = Source()
    source.bundle = Bundle.open(shutil.copytree(source.bundle.path, tmp_path / "model"))
    stale = get(models, source)
    os.utime(tmp_path / "model" / "model.onnx.data", ns=(0, 0))
    fresh = get(models, source)
    assert fresh is not stale
    assert get(models, source) is fresh
    assert source.calls == 2


@pytest.mark.parametrize("max_kept", [0, 1, 2])
def test_the_models_used_last_are_kept(max_kept):
    models, source = ModelCache(max_kept=max_kept), Source()
    loaded = [weakref.ref(get(models, source, threads=threads)) for threads in (1, 2, 3)]
    gc.collect()
    assert [model() is not None for model in loaded] == [False] * (3 - max_kept) + [True] * max_kept


class Released(Source):
    """When it is located, the models behind some weak references must have been released."""

    def __init__(self, *models) -> None:
        super().__init__()
        self.models = models

    def locate(self):
        gc.collect()
        assert [model() for model in self.models] == [None] * len(self.models)
        return super().locate()


@pytest.mark.parametrize(("max_kept", "released"), [(None, 1), (2, 1), (1, 2), (0, 2)])
def test_models_are_released_before_another_is_loaded(models, max_kept, released):
    loaded = [weakref.ref(get(models, Source(), threads=threads)) for threads in (2, 3)]
    source = Released(*loaded[:released])
    newest = weakref.ref(models.get(source.digest, SessionOptions(), source.locate, max_kept=max_kept))
    gc.collect()
    assert [model() is not None for model in loaded] == [False] * released + [True] * (2 - released)
    assert (source.calls, newest() is not None) == (1, max_kept != 0)


def test_a_model_that_is_kept_stays_when_it_is_wanted_alone(models):
    source = Source()
    other = weakref.ref(get(models, source, threads=2))
    kept = weakref.ref(get(models, source))
    assert models.get(source.digest, SessionOptions(), source.locate, max_kept=1) is kept()
    gc.collect()
    assert (other(), source.calls) == (None, 2)


def test_a_model_whose_files_were_written_to_is_released_before_it_is_loaded_again(models, tmp_path):
    source = Source()
    source.bundle = Bundle.open(shutil.copytree(source.bundle.path, tmp_path / "model"))
    stale = weakref.ref(get(models, source))
    os.utime(tmp_path / "model" / "model.onnx.data", ns=(0, 0))
    again = Released(stale)
    assert get(models, again).bundle == again.bundle


def test_models_on_another_gpu_are_released_before_one_is_loaded(models, monkeypatch):
    load = LoadedModel.load
    monkeypatch.setattr(LoadedModel, "load", staticmethod(lambda bundle, _: load(bundle, SessionOptions())))  # no GPU
    source = Source()
    on_cpu, on_gpu = (
        weakref.ref(models.get(source.digest, SessionOptions(device=device), source.locate))
        for device in ("cpu", "cuda:0")
    )
    models.get(source.digest, SessionOptions(), source.locate)
    assert on_gpu() is not None, "the CPU is not another GPU"
    moved = Released(on_gpu)
    models.get(moved.digest, SessionOptions(device="cuda:1"), moved.locate)
    assert moved.calls == 1
    assert on_cpu() is not None


def test_loading_one_model_does_not_block_callers_of_another(models):
    slow, quick = Source(), Source(num_hidden_layers=1)
    kept = get(models, quick)
    slow.released.clear()
    with ThreadPoolExecutor(3) as pool:
        waiting = pool.submit(get, models, slow)
        assert slow.started.wait(TIMEOUT_S)
        assert pool.submit(get, models, quick).result(TIMEOUT_S) is kept
        assert pool.submit(get, models, quick, threads=2).result(TIMEOUT_S).session.options.threads == 2
        assert not waiting.done()
        slow.released.set()
        assert waiting.result(TIMEOUT_S).bundle == slow.bundle


def test_callers_of_the_same_model_wait_for_one_load(models):
    source = Source()
    source.released.clear()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(get, models, source) for _ in range(4)]
        assert source.started.wait(TIMEOUT_S)
        source.released.set()
        assert len({id(future.result(TIMEOUT_S)) for future in waiting}) == 1
    assert source.calls == 1


def test_after_a_failure_the_next_caller_tries_again(models):
    source = Source()

    def fail():
        raise OSError("gone")  # noqa: EM101

    with pytest.raises(OSError, match="gone"):
        models.get(source.digest, SessionOptions(), fail)
    assert get(models, source).bundle == source.bundle


def test_clear_lets_go_of_everything(models):
    source = Source()
    held = get(models, source)
    models.clear()
    assert get(models, source) is not held


def test_a_file_that_changes_between_its_check_and_the_load_is_refused(tmp_path):
    bundle = Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model")).verify()
    with (tmp_path / "model" / "tokenizer_config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(BundleError) as caught:
        LoadedModel.load(bundle, SessionOptions())
    assert (
        str(caught.value) == f"{bundle.path} changed while it was loaded (tokenizer_config.json). Load the model again."
    )
