"""A Spark session: the one that is given, or a local one that needs nothing but Python.

Under spark-submit, on Databricks and with ``SPARK_REMOTE`` there is one already. It knows no stages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pyspark.sql import SparkSession

from sparkalbert.ml.session.java import ensure_java

__all__ = ["OpenedSession", "spark_session", "start"]

_GIVEN_BY: Final = {
    "PYSPARK_GATEWAY_PORT": "spark-submit",
    "DATABRICKS_RUNTIME_VERSION": "Databricks",
    "SPARK_REMOTE": "SPARK_REMOTE",
}
"""Environment variables that tell of a session that somebody else has configured."""

_BEST_SPLIT: Final = {"spark.task.cpus": "1"}
"""A core and an ONNX Runtime thread for each task, see :class:`sparkalbert.inference.SessionOptions`."""

_QUIET: Final = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}

_LOCAL: Final = {
    # A machine's own name need not resolve, and nobody outside it takes part.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Spark reads Arrow's floats one by one, each behind a check for null, which Spark has made already, and
    # a check of bounds. Without them vectors leave the workers twice as fast (sparkalbert bench --emission).
    # As defaults, so that a user's extraJavaOptions add to them; clusters have conf/spark-defaults.conf.
    "spark.driver.defaultJavaOptions": "-Darrow.enable_null_check_for_get=false "
    "-Darrow.enable_unsafe_memory_access=true",
}


@dataclass(frozen=True)
class OpenedSession:
    """A session, a sentence that says where it came from, and whether it is ours to stop."""

    spark: SparkSession
    origin: str
    is_new: bool


def start(master: str | None = None, settings: Mapping[str, str] | None = None) -> SparkSession:
    """Return the session that is there already, or a new one, as ``sparknlp.start()`` does.

    A new one runs Python workers with this process's own interpreter, takes the packaged Java where the
    machine has none, and gives each task one core, which was measured to be fastest: `settings` may give
    ``spark.task.cpus`` more, for fewer copies of the model.

    Parameters
    ----------
    master
        Where a new one runs: ``local[N]``, a cluster's URL, or ``sc://host`` for Spark Connect. By
        default all cores of this machine.
    settings
        Spark settings of a new one.

    Raises
    ------
    MissingDependencyError
        When a JVM is to start and there is no Java.
    """
    return _open(master, settings or {}).spark


@contextmanager
def spark_session(
    master: str | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[OpenedSession]:
    """Yield what :func:`start` returns; a new session ends with the block."""
    opened = _open(master, settings or {})
    try:
        yield opened
    finally:
        if opened.is_new:
            opened.spark.stop()


def _open(master: str | None, settings: Mapping[str, str]) -> OpenedSession:
    active = SparkSession.getActiveSession()
    if active is not None:
        return OpenedSession(active, f"Spark {active.version}, the active session", is_new=False)
    given = next((name for variable, name in _GIVEN_BY.items() if variable in os.environ), None)
    if given is not None:
        spark = SparkSession.builder.getOrCreate()
        return OpenedSession(spark, f"Spark {spark.version}, the session of {given}", is_new=False)
    if master is not None and master.startswith("sc:"):
        spark = SparkSession.builder.remote(master).getOrCreate()
        return OpenedSession(spark, f"Spark {spark.version} at {master}", is_new=True)
    return _new(master or "local[*]", settings)


def _new(master: str, settings: Mapping[str, str]) -> OpenedSession:
    java = ensure_java()
    for variable in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ.setdefault(variable, sys.executable)
    builder = SparkSession.builder.appName("sparkalbert").master(master)
    local = _LOCAL if master.startswith("local") else {}
    for name, value in {**_BEST_SPLIT, **_QUIET, **local, **settings}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return OpenedSession(spark, f"Spark {spark.version}, {master}; {java}", is_new=True)
