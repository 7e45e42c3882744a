"""The model in a worker: found where it is, every byte verified, repaired or refused, run with the task's resources."""

import gc
import logging
import os
import re
import shutil
import subprocess
import sys
import weakref
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pyspark import SparkFiles, TaskContext

from sparkalbert import AlbertEmbeddings, WordEmbedder
from sparkalbert.bundle import Bundle, pack, packs
from sparkalbert.errors import BundleError, ParamError
from sparkalbert.inference import EmbedderOptions, SessionOptions
from sparkalbert.inference.model import MODELS
from sparkalbert.ml.worker import model as model_module
from sparkalbert.ml.worker.model import HeldModel, ModelHandle, WorkerModel
from sparkalbert.storage import owners
from tests import tiny_bundle
from tests.child_processes import own_spark_environment


@pytest.fixture
def bundle(tmp_path):
    """A bundle of this test's own."""
    return Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of a node that has no model yet."""
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def sent(bundle, home, tmp_path, monkeypatch):
    """The handle of a bundle that Spark sent as a file to this node."""
    files = tmp_path / "files"
    path = pack(bundle, files)
    monkeypatch.setattr(SparkFiles, "get", staticmethod(lambda name: str(files / name)))
    return ModelHandle(bundle.manifest.name, bundle.digest, str(bundle.path), path.name)


def flip_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_bundle_that_this_worker_sees_is_used_in_place(bundle, home):
    handle = ModelHandle.in_place(bundle)
    assert handle.locate().path == bundle.path
    assert not home.exists()


@pytest.mark.parametrize("change", ["owner", "mode"])
def test_a_folder_that_others_can_change_is_not_used_if_the_model_was_sent(sent, bundle, home, monkeypatch, change):
    """The checksums are right, but could be wrong a moment later."""
    assert sent.locate().path == bundle.path
    if change == "mode":
        (bundle.path / "model.onnx").chmod(0o666)
    else:
        user = os.getuid()
        monkeypatch.setattr(owners, "_ROOT", user + 2)
        monkeypatch.setattr(owners.os, "getuid", lambda: user + 1)
        monkeypatch.setattr(packs, "_is_private", lambda _: True)
    assert home in sent.locate().path.parents


def test_a_link_to_a_trusted_folder_is_trusted(sent, bundle, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(bundle.path)
    assert replace(sent, path=str(link)).locate().path == link


def test_a_handle_names_the_folder_behind_a_link(bundle, tmp_path):
    (tmp_path / "link").symlink_to(bundle.path)
    assert ModelHandle.in_place(Bundle.open(tmp_path / "link")).path == str(bundle.path)


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data", "spiece.model"])
def test_one_changed_byte_is_refused(bundle, home, name):
    handle = ModelHandle.in_place(bundle)
    flip_byte(bundle.path / name)
    with pytest.raises(
        BundleError, match=rf"is not on this worker\. Tried: .*\n.*{name} has sha256 .*, expected"
    ) as raised:
        handle.locate()
    assert "this node's cache" in str(raised.value)
    assert "Set modelDistribution to 'file'" in str(raised.value)


def test_a_changed_bundle_is_replaced_by_the_file_that_was_sent(bundle, home, sent):
    flip_byte(bundle.path / "model.onnx.data")
    located = sent.locate()
    assert located.path == home / "installed" / bundle.digest
    assert located.verify().digest == bundle.digest


def test_a_changed_byte_in_the_nodes_cache_is_repaired(bundle, home, sent, caplog):
    shutil.rmtree(bundle.path)
    first = sent.locate()
    flip_byte(first.path / "model.onnx.data")
    with caplog.at_level(logging.WARNING, "sparkalbert"):
        assert sent.locate().path == first.path
    first.verify()
    assert "has sha256" in caplog.text


def test_a_node_needs_the_file_once(bundle, home, sent, tmp_path):
    shutil.rmtree(bundle.path)
    sent.locate()
    shutil.rmtree(tmp_path / "files")
    assert sent.locate().path == home / "installed" / bundle.digest


def test_files_are_found_where_databricks_puts_them(monkeypatch):
    monkeypatch.setattr(SparkFiles, "get", staticmethod(lambda name: f"/spark/{name}"))
    monkeypatch.setenv("DB_SESSION_UUID", "1234")
    places = [str(place) for place in model_module._file_places("x.zip")]
    root = "/local_disk0/.ephemeral_nfs/artifacts/1234"
    assert places[:3] == ["/spark/x.zip", f"{root}/files/x.zip", f"{root}/archives/x.zip"]


def in_task(monkeypatch, gpus=()):
    """Let this process be one that runs a task of Spark."""
    context = SimpleNamespace(
        cpus=lambda: 3, resources=lambda: {"gpu": SimpleNamespace(addresses=gpus)} if gpus else {}
    )
    monkeypatch.setattr(TaskContext, "get", staticmethod(lambda: context))


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("cpu", ["1"], "cpu"),
        ("cuda", ["1"], "cuda:1"),
        ("cuda", [], "cuda"),
        ("cuda:0", ["1"], "cuda:0"),
    ],
)
def test_the_gpu_is_the_one_that_spark_gave_the_task(monkeypatch, device, gpus, expected):
    in_task(monkeypatch, gpus)
    wanted = []
    monkeypatch.setattr(MODELS, "get", lambda _digest, session, _locate, **_: wanted.append(session))
    monkeypatch.setattr(model_module, "Embedder", lambda *_: None)
    handle = ModelHandle.in_place(tiny_bundle.bundle())
    WorkerModel(handle, EmbedderOptions(session=SessionOptions(device=device))).load()
    assert [(session.device, session.threads) for session in wanted] == [(expected, 3)]


def test_a_gpu_that_spark_names_by_no_number_is_refused(monkeypatch):
    in_task(monkeypatch, ["MIG-1a2b"])
    source = WorkerModel(
        ModelHandle.in_place(tiny_bundle.bundle()), EmbedderOptions(session=SessionOptions(device="cuda"))
    )
    with pytest.raises(ParamError, match=r"Spark gave this task the GPU 'MIG-1a2b', expected its number\."):
        source.load()


@pytest.mark.parametrize(("budget_mb", "kept"), [(None, True), (300, False)])
def test_with_a_memory_budget_a_worker_keeps_one_model(budget_mb, kept):
    bundles = (tiny_bundle.bundle(), tiny_bundle.bundle(num_hidden_layers=1))
    first, second = (
        WorkerModel(ModelHandle.in_place(bundle), EmbedderOptions(), 1, budget_mb=budget_mb) for bundle in bundles
    )
    before = weakref.ref(first.load().model)
    now = weakref.ref(second.load().model)
    gc.collect()
    assert (before() is not None, now() is not None) == (kept, True)


def test_a_held_model_is_the_one_that_was_given():
    handle = ModelHandle.in_place(tiny_bundle.bundle())
    source = WorkerModel(handle, EmbedderOptions(), 1)
    embedder = source.load()
    held = HeldModel(embedder, source.sizes)
    assert held.load() is embedder
    assert held.sizes == source.sizes


JOB = """
import logging, sys
from pyspark.sql import SparkSession
from sparkalbert import AlbertEmbeddings, start

if sys.argv[1] == "start":
    spark = start(master="local[1]", params={"spark.ui.enabled": "false"})
else:
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
frame = spark.createDataFrame([(["my", "secret"],)], "tokens array<string>")
embeddings = AlbertEmbeddings(model="albert_mini_en", inputCols=["tokens"], outputCol="vectors")
for _ in range(2):
    embeddings.transform(frame).collect()
logger = logging.getLogger("sparkalbert")
print("driver", logger.level, logger.hasHandlers())
spark.stop()
"""


@pytest.mark.parametrize("session", ["builder", "start"])
def test_a_worker_prints_which_model_it_loaded_and_how(session):
    environment = own_spark_environment() | {"PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, "-c", JOB, session]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = re.findall(r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d INFO sparkalbert: (.*)", done.stderr, re.MULTILINE)
    folder = WordEmbedder.load("albert_mini_en").bundle.path
    expected = {
        "Vectors are computed in windows of 32 MB and sent in arrays of 16 MB; memoryBudgetMb is not set",
        f"Using albert_mini_en in {folder}, the driver's folder",
        "Loaded albert_mini_en (fp32) on cpu with 1 threads",
    }
    batches = {line for line in lines if line.startswith("Embedding with albert_mini_en (fp32): at most ")}
    assert set(lines) - batches == (expected if session == "builder" else set())
    assert len(batches) == (session == "builder")
    assert "secret" not in done.stderr
    assert done.stdout.splitlines()[-1] == "driver 0 False"


def test_where_the_model_was_found_is_logged(bundle, sent, home, caplog):
    caplog.set_level(logging.INFO, "sparkalbert")
    folder = home / "installed" / bundle.digest
    ModelHandle.in_place(bundle).locate()
    shutil.rmtree(bundle.path)
    for _ in range(2):
        sent.locate()
    assert caplog.messages == [
        f"Using plain in {bundle.path}, the driver's folder",
        f"Installed plain (fp32) in {folder}",
        f"Using plain in {folder}, this node's cache",
        f"Using plain in {folder}, this node's cache",
    ]


def test_the_memory_of_a_worker_is_logged_with_its_budget(bundle, caplog):
    caplog.set_level(logging.INFO, "sparkalbert")
    stage = AlbertEmbeddings.pretrained(str(bundle.path)).setMemoryBudgetMb(300)
    checked = stage._checked_model()
    MODELS.clear()
    for _ in range(2):
        checked.worker_model(ModelHandle.in_place(bundle), threads=None).load()
    window, output = checked.sizes.window_bytes // 1_000_000, checked.sizes.output_bytes // 1_000_000
    assert 0 < output < window < 32
    found = [message for message in caplog.messages if message.startswith("Vectors")]
    assert found == [
        f"Vectors are computed in windows of {window} MB and sent in arrays of {output} MB; memoryBudgetMb is 300"
    ]


@contextmanager
def fresh_loggers():
    """Yield the package's logger and the root logger as a fresh process has them, without pytest's handlers."""
    own, root = logging.getLogger("sparkalbert"), logging.getLogger()
    before = [(logger, logger.level, logger.handlers) for logger in (own, root)]
    own.handlers, root.handlers = [], []
    own.setLevel(logging.NOTSET)
    try:
        yield own, root
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers = handlers


@pytest.mark.parametrize(
    ("variable", "level"),
    [(None, logging.INFO), ("warning", logging.WARNING), ("DEBUG", logging.DEBUG), ("loud", logging.INFO)],
)
def test_a_worker_logs_at_info_or_the_level_of_its_environment(monkeypatch, variable, level):
    in_task(monkeypatch)
    if variable is not None:
        monkeypatch.setenv("SPARKALBERT_LOG_LEVEL", variable)
    with fresh_loggers() as (own, root):
        for _ in range(2):
            model_module._log_in_worker()
        assert (own.level, len(own.handlers), root.handlers) == (level, 1, [])


def test_the_driver_does_not_configure_its_log():
    with fresh_loggers() as (own, root):
        model_module._log_in_worker()
        assert (own.level, own.handlers, root.handlers) == (logging.NOTSET, [], [])


def test_a_level_or_a_handler_that_a_worker_has_is_kept(monkeypatch):
    in_task(monkeypatch)
    with fresh_loggers() as (own, root):
        own.setLevel(logging.ERROR)
        model_module._log_in_worker()
        assert (own.level, own.handlers) == (logging.ERROR, [])
        own.setLevel(logging.NOTSET)
        root.addHandler(logging.NullHandler())
        model_module._log_in_worker()
        assert (own.level, own.handlers) == (logging.NOTSET, [])


def test_what_spark_collects_of_a_worker_is_not_printed_twice(monkeypatch):
    in_task(monkeypatch)
    monkeypatch.setenv("PYSPARK_SPARK_SESSION_UUID", "1")
    with fresh_loggers() as (own, root):
        root.addHandler(logging.NullHandler())  # as pyspark does then
        model_module._log_in_worker()
        assert (own.level, own.handlers) == (logging.INFO, [])
