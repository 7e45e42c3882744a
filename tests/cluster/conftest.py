"""A real cluster for the whole run, a cold cache and an application of its own for each test."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession

from sparkalbert.bundle import Bundle
from sparkalbert.ml.session.java import ensure_java
from tests import tiny_bundle
from tests.cluster.jobs import TASKS, embed, session
from tests.cluster.standalone import Cluster, running_cluster, wait_for

ROWS_PER_TASK = 150
MAX_WORDS = 60
WORDS = ["river", "bank.", "Café", "£5,", "the", "stations", "unbelievable", "of", "2026", "don't", "😀", "High!"]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and two nodes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, stops the processes
    ensure_java()
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(autouse=True)
def _cold_caches(cluster: Cluster) -> None:
    """Each test starts with two nodes that have no model."""
    for node in cluster.nodes:  # executors end after their application, and may write until then
        wait_for(lambda node=node: not node.executors(), "the executors of the last test have ended")
        for folder in (node.home, *node.home.rglob("*")):
            if folder.is_dir():
                folder.chmod(0o755)  # a test may have taken the right to write
        shutil.rmtree(node.home)
        node.home.mkdir()
    cluster.start_missing()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver's folder of a tiny model."""
    return Path(shutil.copytree(tiny_bundle.bundle().path, tmp_path_factory.mktemp("driver") / "model"))


@pytest.fixture(scope="session")
def digest(model: Path) -> str:
    """The digest of the model."""
    return Bundle.open(model).digest


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, enough to keep the nodes busy while something happens to them: one file for each task."""
    random = Random(14)  # noqa: S311 - texts, not secrets
    folder = tmp_path_factory.mktemp("texts")
    for task in range(TASKS):
        ids = range(task * ROWS_PER_TASK, (task + 1) * ROWS_PER_TASK)
        rows = [" ".join(random.choices(WORDS, k=random.randrange(MAX_WORDS))) for _ in ids]
        parquet.write_table(pa.table({"id": pa.array(ids), "text": rows}), folder / f"{task:02}.parquet")
    return folder


@pytest.fixture
def application(
    cluster: Cluster, undisturbed: pa.Table, job: Callable[[Any], "Future[pa.Table]"]
) -> Iterator[Callable[..., SparkSession]]:
    """Return the session of an application on the cluster, with settings of its own.

    It ends before `job` does, which waits for its thread: a job that hangs ends with its session.
    The undisturbed run comes first: the JVM keeps the settings of its first application as defaults of all others.
    """
    started = []

    def start(**settings: str) -> SparkSession:
        started.append(session(cluster.url, {f"spark.{name}": value for name, value in settings.items()}))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def undisturbed(cluster: Cluster, model: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """Return what the job writes if nothing disturbs it."""
    spark = session(cluster.url)
    try:
        return embed(spark, model, texts, tmp_path_factory.mktemp("undisturbed") / "out")
    finally:
        spark.stop()


@pytest.fixture
def job(model: Path, texts: Path, tmp_path: Path) -> Iterator[Callable[[Any], "Future[pa.Table]"]]:
    """Start the batch job in a thread; the result is what it wrote."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda spark: pool.submit(embed, spark, model, texts, tmp_path / "out")
