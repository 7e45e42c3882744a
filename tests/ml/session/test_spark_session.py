"""Sessions: an existing one is given out and never stopped, a new one is set up as vectors need it."""

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from sparkalbert.ml import start
from sparkalbert.ml.session import spark_session
from sparkalbert.ml.session.spark_session import QUIET, opened_session
from tests.child_processes import own_spark_environment

SESSION = """
import json, threading
from concurrent.futures import ThreadPoolExecutor
from pyspark import SparkContext
from sparkalbert.ml import start
from sparkalbert.ml.session.spark_session import opened_session

def in_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()

def count():
    with opened_session("local[2]") as opened:
        return opened.is_new, opened.spark.sparkContext.applicationId, opened.spark.range(3).count()

spark = start(master="local[1]", memory="700m", params={"spark.driver.extraJavaOptions": "-Dmine=1"})
read = spark._jvm.System.getProperty
names = ("arrow.enable_null_check_for_get", "arrow.enable_unsafe_memory_access", "mine")
shown = {"options": [read(name) for name in names], "memory": spark.conf.get("spark.driver.memory")}
application = spark.sparkContext.applicationId
shown["other thread"] = in_thread(count) == (False, application, 3)
shown["same"] = in_thread(start).sparkContext.applicationId == application
shown["still there"] = spark.range(3).count()
spark.stop()
with opened_session("local[1]", {"spark.ui.enabled": "false"}, log_level="OFF") as opened:
    shown["new"] = opened.is_new, opened.spark.sparkContext.applicationId != application, opened.spark.range(3).count()
    shown["origin"] = opened.origin
shown["stopped"] = SparkContext._active_spark_context is None
print(json.dumps(shown))
"""


def test_a_session_of_ones_own():
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        env=own_spark_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    shown = json.loads(done.stdout)
    assert " local[1]; Java " in shown.pop("origin")
    assert shown == {
        "options": ["false", "true", "1"],
        "memory": "700m",
        "other thread": True,
        "same": True,
        "still there": 3,
        "new": [True, True, 3],
        "stopped": True,
    }


def test_spark_nlps_arguments_are_accepted_in_its_order(monkeypatch):
    opened = []
    monkeypatch.setattr(spark_session, "_open", lambda *found: opened.append(found) or SimpleNamespace(spark=None))
    nlps = {
        "gpu": True,
        "apple_silicon": False,
        "aarch64": False,
        "memory": "8G",
        "cache_folder": "/cache",
        "log_folder": "",
        "cluster_tmp_dir": "",
        "params": {"spark.ui.enabled": "false"},
        "real_time_output": False,
        "output_level": 1,
    }
    start(*nlps.values())
    start(**nlps)
    assert opened == [(None, {"spark.ui.enabled": "false", "spark.driver.memory": "8G"})] * 2


def identity(session):
    return getattr(session, "session_id", None) or session.sparkContext.applicationId


@pytest.mark.parametrize("in_thread", [False, True])
def test_the_existing_session_is_given_out_and_never_stopped(any_spark, in_thread, caplog):
    def use():
        with opened_session("local[7]", QUIET, log_level="OFF") as opened:
            return opened.is_new, opened.origin, identity(opened.spark), identity(start(memory="9g"))

    with caplog.at_level(logging.WARNING, "sparkalbert"), ThreadPoolExecutor(1) as pool:
        is_new, origin, first, second = pool.submit(use).result() if in_thread else use()
    assert not is_new
    assert origin == f"Spark {any_spark.version}, the existing session"
    assert first == second == identity(any_spark)
    assert any_spark.range(3).count() == 3
    message = "A Spark session exists already; master and settings have no effect on it."
    assert caplog.messages == [message, message]


@pytest.fixture
def _no_session(monkeypatch):
    """There is no session, and a builder starts nothing."""
    builder = SimpleNamespace(getOrCreate=lambda: SimpleNamespace(version="4", stop=lambda: None))
    builder.remote = lambda _: builder
    monkeypatch.setattr(spark_session, "existing_session", lambda: None)
    monkeypatch.setattr(spark_session, "SparkSession", SimpleNamespace(builder=builder))
    for variable in spark_session._PROVIDERS:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("_no_session")
@pytest.mark.parametrize(
    ("variable", "name"), [("PYSPARK_GATEWAY_PORT", "spark-submit"), ("SPARK_REMOTE", "SPARK_REMOTE")]
)
def test_a_session_of_a_platform_takes_no_settings(monkeypatch, caplog, variable, name):
    monkeypatch.setenv(variable, "1")
    with opened_session(settings=QUIET):
        pass
    assert caplog.messages == []
    start(memory="9g")
    start(master="local[2]")
    message = f"{name} provides the Spark session; master and settings have no effect on it."
    assert caplog.messages == [message, message]


@pytest.mark.usefixtures("_no_session")
def test_a_connect_server_takes_no_settings(caplog):
    start(master="sc://host")
    assert caplog.messages == []
    start(master="sc://host", memory="9g", params={"spark.sql.ansi.enabled": "true"})
    assert caplog.messages == [
        "The server at sc://host has its own settings; spark.driver.memory, spark.sql.ansi.enabled have no effect."
    ]


def test_without_arguments_there_is_nothing_to_warn_of(any_spark, caplog):
    with caplog.at_level(logging.WARNING, "sparkalbert"):
        assert identity(start()) == identity(any_spark)
    assert caplog.messages == []


def test_a_session_is_kept_when_the_block_fails(any_spark):
    with pytest.raises(KeyError), opened_session():
        raise KeyError
    assert any_spark.range(3).count() == 3


def test_a_connect_test_cannot_reach_classic_spark(connect_spark):
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    for reach in (SparkContext.getOrCreate, lambda: SparkSession.sparkContext.fget(None), SparkContext):
        with pytest.raises(AssertionError, match="reached for classic Spark"):
            reach()
