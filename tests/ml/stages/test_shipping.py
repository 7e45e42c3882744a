"""How a model gets to the workers: from the folder where it is now, or as one file that each session gets once."""

import gc
import shutil
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyspark import SparkContext
from pyspark.sql.functions import udf

from sparkalbert import WordEmbedder
from sparkalbert.bundle import Bundle, installed, pack
from sparkalbert.bundle.packs import pack_name
from sparkalbert.convert import convert_checkpoint
from sparkalbert.errors import ParamError
from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.ml.stages import shipping
from sparkalbert.ml.stages.shipping import ship_model
from sparkalbert.storage.homes import node_home
from tests import tiny_bundle, tiny_checkpoint


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """The files that were sent, by sessions that have received none yet."""
    monkeypatch.setattr(shipping, "_SENT", shipping._SentFiles())
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    paths: list[str] = []

    def noted(real):
        return lambda self, path, **options: paths.append(path) or real(self, path, **options)

    for owner, name in ((SparkContext, "addFile"), (ConnectSession, "addArtifacts")):
        monkeypatch.setattr(owner, name, noted(getattr(owner, name)))
    return paths


def test_a_file_is_sent_once_in_each_session(any_spark, sent):
    frame, bundle = any_spark.range(1), tiny_bundle.bundle()
    handles = {ship_model(frame, bundle, "file") for _ in range(3)}
    assert sent == [str(pack(bundle))]
    assert {handle.file for handle in handles} == {f"sparkalbert-{bundle.digest[:16]}.zip"}
    ship_model(frame, tiny_bundle.bundle("int8"), "file")
    assert len(sent) == 2


def test_another_client_gets_it_again(connect_spark, sent):
    other = client(connect_spark, sent)
    for session in (connect_spark, other, connect_spark, other):
        ship_model(SimpleNamespace(sparkSession=session), tiny_bundle.bundle(), "file")
    assert len(sent) == 2


class HiddenModel:
    """A model that no worker has loaded or finds in its cache, and whose folder they do not see."""

    def __init__(self, folder: Path) -> None:
        checkpoint = tiny_checkpoint.write(folder / "checkpoint", seed=uuid.uuid4().int)
        self.bundle = convert_checkpoint(checkpoint, folder / "model")
        (words,) = WordEmbedder.load(self.bundle.path).embed_tokens([["a", "b"]])
        self.vectors = words.vectors
        self._num_loaded = 0

    def column(self, session: Any) -> Any:
        """Vectors to be computed in a session; it gets the model now."""
        self._num_loaded += 1  # with another number of threads a worker loads the model again
        stage = AlbertEmbeddings(model=str(self.bundle.path), inputCols=["tokens"], outputCol="v")
        frame = session.createDataFrame([(["a", "b"],)], "tokens array<string>")
        return stage.setModelDistribution("file").setThreads(self._num_loaded).transform(frame)

    def assert_embedded(self, embedded: Any) -> None:
        """Compute them by what Spark has sent, and only by that."""
        hidden = self.bundle.path.rename(self.bundle.path.with_name("hidden"))
        shutil.rmtree(node_home() / "installed" / self.bundle.digest, ignore_errors=True)
        (row,) = embedded.collect()
        hidden.rename(self.bundle.path)
        assert installed(self.bundle.digest) is not None
        np.testing.assert_array_equal(np.array(row.v, dtype=np.float32), self.vectors)


def has_file(session: Any, name: str) -> bool:
    """Whether the workers of a session find a file that Spark has sent."""

    def exists(_):  # Spark would read type hints as a choice of its own
        from pyspark import SparkFiles

        return Path(SparkFiles.get(name)).exists()

    (row,) = session.range(1).select(udf(exists, "boolean")("id")).collect()
    return bool(row[0])


def test_a_client_that_connects_again_finds_its_model(connect_spark, new_client, sent, tmp_path):
    model = HiddenModel(tmp_path)
    first = new_client()
    before = model.column(first)
    again = new_client(first.session_id)
    model.assert_embedded(before)
    assert has_file(again, pack_name(model.bundle))
    model.assert_embedded(model.column(again))  # it sends the file again, as it cannot know
    model.assert_embedded(model.column(first))
    assert sent == [str(pack(model.bundle))] * 2


def test_a_client_does_not_see_the_models_of_another(connect_spark, new_client, sent, tmp_path):
    ours, theirs = HiddenModel(tmp_path / "ours"), HiddenModel(tmp_path / "theirs")
    one, other = new_client(), new_client()
    columns = [ours.column(one), theirs.column(other)]
    assert sent == [str(pack(ours.bundle)), str(pack(theirs.bundle))]
    names = [pack_name(ours.bundle), pack_name(theirs.bundle)]
    assert [[has_file(client, name) for name in names] for client in (one, other)] == [[True, False], [False, True]]
    ours.assert_embedded(columns[0])
    theirs.assert_embedded(columns[1])
    theirs.assert_embedded(theirs.column(one))  # the same file in both sessions
    one.stop()
    theirs.assert_embedded(theirs.column(other))


def client(connect_spark: Any, files: list[str]) -> Any:
    """Another Spark Connect session."""
    members: dict[str, Any] = {"__module__": type(connect_spark).__module__}
    members["addArtifacts"] = lambda _, path, **__: files.append(path)
    return type("OtherClient", (), members)()


class Context:
    """The SparkContext of another application."""

    def __init__(self, master: str, add_file: Callable[[str], Any]) -> None:
        self.master = master
        self.addFile = add_file


def frame_of(context: Context) -> Any:
    """A frame of a classic session."""
    return SimpleNamespace(sparkSession=SimpleNamespace(sparkContext=context))


def test_a_session_that_has_ended_is_forgotten(connect_spark, sent):
    files: list[str] = []
    for _ in range(3):
        context = Context("yarn", files.append)
        for _ in range(2):
            ship_model(frame_of(context), tiny_bundle.bundle(), "file")
        session = client(connect_spark, files)
        ship_model(SimpleNamespace(sparkSession=session), tiny_bundle.bundle(), "file")
        assert set(shipping._SENT._sent) == {context, session}
        del context, session
        gc.collect()
        assert len(shipping._SENT._sent) == 0
    assert len(files) == 6


def test_sessions_of_one_context_share_its_files(spark, sent):
    for session in (spark, spark.newSession()):
        ship_model(session.range(1), tiny_bundle.bundle(), "file")
    assert len(sent) == 1


def test_a_model_does_not_wait_for_another_model(sent):
    """The large model is on its way until the small model has been sent."""
    small_is_sent, large, small = Event(), tiny_bundle.bundle(), tiny_bundle.bundle("int8")
    started, in_time = Event(), []

    def add(path: str) -> None:
        if path == str(pack(small)):
            small_is_sent.set()
        else:
            started.set()
            in_time.append(small_is_sent.wait(20))

    frame = frame_of(Context("yarn", add))
    with ThreadPoolExecutor(2) as pool:
        sending = pool.submit(ship_model, frame, large, "file")
        assert started.wait(20)
        ship_model(frame, small, "file")
        sending.result()
    assert in_time == [True]


def test_a_file_that_was_removed_is_written_again_for_executors_that_start_later(sent, tmp_path, monkeypatch):
    """A classic driver serves it from its folder as long as the application runs."""
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path))
    files: list[str] = []
    frame = frame_of(Context("yarn", files.append))
    for _ in range(2):
        ship_model(frame, tiny_bundle.bundle(), "file")
        content = Path(files[0]).read_bytes()
        Path(files[0]).unlink()
    ship_model(frame, tiny_bundle.bundle(), "file")
    assert Path(files[0]).read_bytes() == content
    assert len(files) == 1


def test_threads_send_a_file_once(sent):
    files: list[str] = []

    def add(path: str) -> None:
        time.sleep(0.05)  # as a transfer takes time
        files.append(path)

    frame = frame_of(Context("yarn", add))
    with ThreadPoolExecutor(4) as pool:
        handles = list(pool.map(lambda _: ship_model(frame, tiny_bundle.bundle(), "file"), range(4)))
    assert len(files) == 1
    assert len(set(handles)) == 1


def test_auto_sends_a_file_where_workers_may_not_see_the_folder(any_spark, sent, tmp_path, monkeypatch):
    bundle = tiny_bundle.bundle()
    assert bool(ship_model(any_spark.range(1), bundle, "auto").file) == is_connect_session(any_spark)
    assert len(sent) == is_connect_session(any_spark)
    files: list[str] = []
    for master, is_sent in [
        ("local", 0),
        ("local[*]", 0),
        ("local-cluster[2,1,512]", 1),
        ("yarn", 1),
        ("spark://h", 1),
    ]:
        before = len(files)
        ship_model(frame_of(Context(master, files.append)), bundle, "auto")
        assert len(files) - before == is_sent, master
    monkeypatch.setattr(shipping, "_SHARED_ROOTS", (f"{tmp_path}/Volumes/",))
    shared = Bundle.open(shutil.copytree(bundle.path, tmp_path / "Volumes" / "model"))
    assert not ship_model(any_spark.range(1), shared, "auto").file
    assert not ship_model(any_spark.range(1), bundle, "path").file


def test_an_unknown_way_is_refused(spark):
    with pytest.raises(ParamError, match="modelDistribution is 'broadcast', expected one of auto, path, file"):
        ship_model(spark.range(1), tiny_bundle.bundle(), "broadcast")


def test_a_model_that_was_moved_is_read_from_its_new_place(any_spark, tmp_path):
    """The workers have it loaded with one thread, so two threads make them load it again."""
    frame = any_spark.createDataFrame([(["a", "b"],)], "tokens array<string>")
    (words,) = WordEmbedder.load(tiny_bundle.bundle().path).embed_tokens([["a", "b"]])
    folder = shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model")
    stage = AlbertEmbeddings(inputCols=["tokens"], outputCol="v", modelDistribution="path")
    for threads, place in ((1, folder), (2, tmp_path / "moved")):
        folder = folder.rename(place)
        (row,) = stage.setModel(str(folder)).setThreads(threads).transform(frame).collect()
        np.testing.assert_array_equal(np.array(row.v, dtype=np.float32), words.vectors)
        assert ship_model(frame, stage._bundle(), "path").path == str(place)
