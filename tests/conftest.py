"""Spark for the whole test run: one JVM that serves a classic session and a Spark Connect server.

pyspark reads the environment variable SPARK_CONNECT_MODE_ENABLED on every call to decide which of its
two halves a function belongs to. So both sessions live in one process; what a test sees is switched for
its duration, and a Connect test sees nothing of the classic half: what a client does not have raises an error.
"""

import os
import shutil
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from sparkalbert.inference.model import MODELS
from sparkalbert.storage.homes import HOME_VARIABLE

# A shared machine stalls now and then; how long an example took says nothing about its result.
settings.register_profile("sparkalbert", deadline=None)
settings.load_profile("sparkalbert")

_CONNECT_MODE = "SPARK_CONNECT_MODE_ENABLED"
_CONNECT_PLUGIN = "org.apache.spark.sql.connect.SparkConnectPlugin"
_ISOLATION = ("spark.sql.artifact.isolation.enabled", "spark.sql.artifact.isolation.alwaysApplyClassloader")


def pytest_configure(config: pytest.Config) -> None:
    # Models are cached in a folder of this run, by this process and by Spark's workers.
    home = tempfile.mkdtemp(prefix="sparkalbert-tests-")
    os.environ[HOME_VARIABLE] = home
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    config.addinivalue_line("filterwarnings", "ignore:PySpark does not yet fully support pandas:FutureWarning")


@pytest.fixture(autouse=True)
def _empty_model_cache() -> None:
    """Each test starts without models that another test left loaded in this process."""
    MODELS.clear()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The classic session of the whole run."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from sparkalbert.ml.session.java import ensure_java

    ensure_java()
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").appName("sparkalbert tests")
    for name, value in _settings(tmp_path_factory.mktemp("spark")).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
    gateway: Any = SparkContext._gateway
    SparkContext._gateway = SparkContext._jvm = None
    gateway.shutdown()
    gateway.proc.stdin.close()  # the JVM ends when its standard input does
    gateway.proc.wait(timeout=60)


@pytest.fixture(scope="session")
def _keeps_files_apart(spark: Any) -> Callable[[], AbstractContextManager[None]]:
    """While it is entered, new sessions of the server, also those of other processes, have files of their own.

    A server of its own does so, pyspark's classic session does not: there a file of any session becomes one of every
    job, also after the session has ended and the file is gone. A session reads these settings once: with its first
    request.
    """
    server = spark.sparkContext._jsc.sc().conf()

    @contextmanager
    def keeps_files_apart() -> Iterator[None]:
        before = {name: server.get(name, "false") for name in _ISOLATION}
        for name in _ISOLATION:
            server.set(name, "true")
        try:
            yield
        finally:
            for name, value in before.items():
                server.set(name, value)

    return keeps_files_apart


@pytest.fixture(scope="session")
def _open_client(spark: Any, _keeps_files_apart: Callable[[], AbstractContextManager[None]]) -> Callable[..., Any]:
    """Open a client session of a real Spark Connect server; with the id of an open session, another client of it."""
    from pyspark.sql import SparkSession

    if not _has_connect():
        pytest.skip("this pyspark brings no Spark Connect server")
    port = spark.conf.get("spark.connect.grpc.binding.port")

    def open_client(session_id: str = "") -> Any:
        session = f";session_id={session_id}" if session_id else ""
        with _keeps_files_apart(), _connect_mode():
            client = SparkSession.builder.remote(f"sc://127.0.0.1:{port}/{session}").create()
            assert client.conf.get(_ISOLATION[0]) == "true"
        return client

    return open_client


@pytest.fixture(scope="session")
def _connect_session(_open_client: Callable[..., Any]) -> Iterator[Any]:
    session = _open_client()
    yield session
    with _connect_mode():
        session.stop()


@pytest.fixture
def new_client(_open_client: Callable[..., Any], _connect_session: Any) -> Iterator[Callable[..., Any]]:
    """Open further client sessions, which end with the test; none of them becomes the active session."""
    clients: list[Any] = []

    def new(session_id: str = "") -> Any:
        client = _open_client(session_id)
        type(client)._set_default_and_active_session(_connect_session)
        client.release_session_on_close = not session_id  # its first client ends a session
        clients.append(client)
        return client

    yield new
    with _connect_mode():
        for client in clients:
            client.stop()


@pytest.fixture
def connect_spark(
    spark: Any, _connect_session: Any, _keeps_files_apart: Callable[[], AbstractContextManager[None]]
) -> Iterator[Any]:
    """A client session of a real Spark Connect server; classic Spark is out of sight during the test."""
    files = spark.sparkContext._jsc.sc().addedFiles()
    before = files.toString()
    with _keeps_files_apart(), _connect_mode():
        yield _connect_session
    if files.toString() != before:
        _fetch_files_of_all_sessions(spark)


def _fetch_files_of_all_sessions(spark: Any) -> None:
    """Run a classic job: it fetches the files of every session, and a later one would fail if a session ends just then.

    The sessions in which Spark runs streams end when the JVM collects them, at any time.
    """
    from py4j.protocol import Py4JJavaError

    for _ in range(3):
        with suppress(Py4JJavaError):
            spark.range(1).count()
            return


@pytest.fixture(params=["spark", "connect_spark"], ids=["classic", "connect"])
def any_spark(request: pytest.FixtureRequest) -> Any:
    """Runs each test twice: on the classic session and on Connect."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def no_spark_job(spark: Any) -> Callable[[], AbstractContextManager[None]]:
    """A context in which the classic session must not start a job."""
    context = spark.sparkContext

    @contextmanager
    def watch() -> Iterator[None]:
        group = uuid.uuid4().hex
        context.setJobGroup(group, "must stay empty")
        try:
            yield
            assert list(context.statusTracker().getJobIdsForGroup(group)) == []
            spark.range(1).count()
            assert list(context.statusTracker().getJobIdsForGroup(group)) != []  # so jobs would be seen
        finally:
            for name in ("spark.jobGroup.id", "spark.job.description"):
                context.setLocalProperty(name, None)

    return watch


@contextmanager
def _connect_mode() -> Iterator[None]:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    hidden: list[tuple[Any, str]] = [
        (SparkContext, "_active_spark_context"),
        (SparkContext, "_gateway"),
        (SparkContext, "_jvm"),
        (SparkSession, "_instantiatedSession"),
        (SparkSession, "_activeSession"),
    ]
    poisoned: list[tuple[Any, str]] = [
        (SparkContext, "__init__"),
        (SparkContext, "getOrCreate"),
        (SparkContext, "_ensure_initialized"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_CONNECT_MODE, "1")
        for owner, name in hidden:
            patch.setattr(owner, name, None)
        for owner, name in poisoned:
            patch.setattr(owner, name, _refuse_classic)
        for name in ("sparkContext", "_jvm", "_jsparkSession"):
            patch.setattr(SparkSession, name, property(_refuse_classic), raising=False)
        yield


def _refuse_classic(*_: Any, **__: Any) -> None:
    """Take the place of what a Spark Connect client does not have."""
    msg = "a Spark Connect session reached for classic Spark"
    raise AssertionError(msg)


def _settings(folder: Path) -> dict[str, str]:
    settings = {
        # For a few rows, to write and compile Java for each plan takes longer than to interpret the plan. Sessions that
        # tests start in processes of their own (commands, notebooks, clusters) keep Spark's default.
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.codegen.wholeStage": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # With the first compiler alone a JVM keeps at most 48 MB of compiled code. The tests need more: the JVM would
        # compile again and again what it has thrown away.
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m "
        "-Duser.timezone=UTC",
        "spark.default.parallelism": "2",
        "spark.local.dir": str(folder / "local"),
        "spark.python.daemon.module": "tests.spark_daemon",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",  # with more, orderBy computes its input twice to find their bounds
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.task.maxFailures": "1",
    }
    if _has_connect():
        settings["spark.plugins"] = _CONNECT_PLUGIN
        settings["spark.connect.grpc.binding.address"] = "127.0.0.1"
        settings["spark.connect.progress.reportInterval"] = "100ms"  # small jobs report, too
        settings["spark.connect.grpc.binding.port"] = str(_free_port())
    return settings


def _has_connect() -> bool:
    """From 4.0 on, the server is in the pyspark wheel."""
    import pyspark

    return any(Path(pyspark.__file__).parent.glob("jars/spark-connect_*.jar"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
