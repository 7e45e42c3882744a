"""Returns the existing Spark session, or a local session that needs nothing but Python."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyspark
from pyspark.sql import SparkSession

from sparkalbert.ml.failures import log_spark_failures
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.ml.session.java import ensure_java

__all__ = ["QUIET", "OpenedSession", "existing_session", "opened_session", "start"]

_LOGGER: Final = logging.getLogger("sparkalbert")

_PROVIDERS: Final = {
    "PYSPARK_GATEWAY_PORT": "spark-submit",
    "DATABRICKS_RUNTIME_VERSION": "Databricks",
    "SPARK_REMOTE": "SPARK_REMOTE",
}
"""Environment variables of platforms that have configured a session already."""

QUIET: Final = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
"""Settings for a command-line tool that reports its progress itself."""

_LOG_LEVEL: Final = "SPARKALBERT_LOG_LEVEL"
"""Environment variable with the level of the workers' log."""

_LOCAL: Final = {
    # The machine's own host name need not resolve, and no other machine takes part.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.defaultJavaOptions": (
        "-Darrow.enable_null_check_for_get=false -Darrow.enable_unsafe_memory_access=true"
    ),
}


@dataclass(frozen=True)
class OpenedSession:
    """A session that :func:`opened_session` yields.

    Attributes
    ----------
    spark
        The session.
    origin
        A description of it, for people.
    is_new
        Whether it was created by :func:`opened_session`, which then stops it.
    """

    spark: SparkSession
    origin: str
    is_new: bool


def start(  # noqa: PLR0913, PLR0917 - Spark NLP's keywords, in its order
    gpu: bool = False,
    apple_silicon: bool = False,
    aarch64: bool = False,
    memory: str | None = None,
    cache_folder: str = "",
    log_folder: str = "",
    cluster_tmp_dir: str = "",
    params: Mapping[str, str] | None = None,
    real_time_output: bool = False,
    output_level: int = 1,
    *,
    master: str | None = None,
) -> SparkSession:
    """Return the existing session or a new session, as ``sparknlp.start()`` does.

    A new session runs Python workers with this process's interpreter and uses the packaged Java if the machine has no
    suitable one. Each task gets one core, which was measured to be fastest; ``spark.task.cpus`` in `params` changes it.

    Parameters
    ----------
    gpu, apple_silicon, aarch64
        Have no effect; Spark NLP chooses its jar by them. The Param ``device`` of AlbertEmbeddings chooses a GPU.
    memory
        Heap of the driver's JVM, such as ``"4g"``. Models are never in the heap.
    cache_folder, log_folder, cluster_tmp_dir
        Have no effect; they are folders of Spark NLP. Models are stored in ``SPARKALBERT_HOME``.
    params
        Spark settings of a new session.
    real_time_output, output_level
        Have no effect; Spark NLP shows the output of the JVM by them.
    master
        Where a new session runs: ``local[N]``, the URL of a cluster, or ``sc://host`` for Spark Connect; by default
        all cores of this machine.

    Raises
    ------
    MissingDependencyError
        If a JVM has to be started and there is no suitable Java.

    Notes
    -----
    If a session exists already, or spark-submit, Databricks or ``SPARK_REMOTE`` provides it, the arguments have no
    effect, and a warning is logged; so it is with `memory` and `params` if `master` is a Spark Connect server.

    A new local session sets two options for its whole JVM (``spark.driver.defaultJavaOptions``) that make Arrow skip
    the null check and the bounds check of each float: vectors leave the workers 1.7 times as fast (``sparkalbert bench
    --output-throughput``). The danger: if any program in this JVM, not only sparkalbert, reads an Arrow vector out of
    bounds, the JVM may return garbage or crash instead of raising an exception. To keep the checks, pass
    ``params={"spark.driver.defaultJavaOptions": ""}``. Clusters have the same options in ``conf/spark-defaults.conf``.
    """
    del gpu, apple_silicon, aarch64, cache_folder, log_folder, cluster_tmp_dir, real_time_output, output_level
    settings = dict(params or {})
    if memory is not None:
        settings["spark.driver.memory"] = memory
    return _open(master, settings).spark


@contextmanager
def opened_session(
    master: str | None = None, settings: Mapping[str, str] | None = None, *, log_level: str | None = None
) -> Iterator[OpenedSession]:
    """Yield what :func:`start` returns, and stop it at the end of the block if it is a new session.

    Parameters
    ----------
    master, settings
        As for :func:`start`.
    log_level
        The level of Spark's own log in a new session.
    """
    opened = _open(master, dict(settings or {}))
    if opened.is_new and log_level is not None and not is_connect_session(opened.spark):
        opened.spark.sparkContext.setLogLevel(log_level)
    try:
        yield opened
    finally:
        if opened.is_new:
            with log_spark_failures("The Spark session could not be stopped"):
                opened.spark.stop()


def _open(master: str | None, settings: Mapping[str, str]) -> OpenedSession:
    existing = existing_session()
    if existing is not None:
        if master is not None or _own(settings):
            _LOGGER.warning("A Spark session exists already; master and settings have no effect on it.")
        return OpenedSession(existing, f"Spark {existing.version}, the existing session", is_new=False)
    provider = next((name for variable, name in _PROVIDERS.items() if variable in os.environ), None)
    if provider is not None:
        if master is not None or _own(settings):
            _LOGGER.warning("%s provides the Spark session; master and settings have no effect on it.", provider)
        spark = SparkSession.builder.getOrCreate()
        return OpenedSession(spark, f"Spark {spark.version}, the session of {provider}", is_new=False)
    if master is not None and master.startswith("sc:"):
        if _own(settings):
            _LOGGER.warning("The server at %s has its own settings; %s have no effect.", master, _own(settings))
        spark = SparkSession.builder.remote(master).getOrCreate()
        return OpenedSession(spark, f"Spark {spark.version} at {master}", is_new=True)
    return _new(master or "local[*]", settings)


def _own(settings: Mapping[str, str]) -> str:
    """Return the names of the settings that are not a command's own, separated by commas."""
    return ", ".join(sorted(settings.keys() - QUIET.keys()))


def existing_session() -> SparkSession | None:
    """Return the session that ``getOrCreate`` would return, also if another thread has created it."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    context = getattr(pyspark, "SparkContext", None)  # the package pyspark-client has none
    if context is not None and context._active_spark_context is not None:  # noqa: SLF001 - cleared when it is stopped
        return SparkSession.builder.getOrCreate()
    if "pyspark.sql.connect.session" in sys.modules:
        remote: Any = sys.modules["pyspark.sql.connect.session"].SparkSession
        default = getattr(remote, "_default_session", None)
        return default if default is not None and not default.is_stopped else None
    return None


def _new(master: str, settings: Mapping[str, str]) -> OpenedSession:
    java = ensure_java()
    for variable in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ.setdefault(variable, sys.executable)
    builder = SparkSession.builder.appName("sparkalbert").master(master)
    # Workers of a local session print where the driver does; on a cluster each executor has a log of its own.
    log_level = {f"spark.executorEnv.{_LOG_LEVEL}": os.environ.get(_LOG_LEVEL, "WARNING")}
    local = {**_LOCAL, **log_level} if master.startswith("local") else {}
    for name, value in {"spark.task.cpus": "1", **local, **settings}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    return OpenedSession(spark, f"Spark {spark.version}, {master}; {java}", is_new=True)
