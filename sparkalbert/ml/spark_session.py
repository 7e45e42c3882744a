"""A Spark session for the command line: the one it is given, or a local one.

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

from sparkalbert.ml.java import ensure_java

__all__ = ["OpenedSession", "spark_session"]

_GIVEN_BY: Final = {
    "PYSPARK_GATEWAY_PORT": "spark-submit",
    "DATABRICKS_RUNTIME_VERSION": "Databricks",
    "SPARK_REMOTE": "SPARK_REMOTE",
}
"""Environment variables that tell of a session that somebody else has configured."""

_QUIET: Final = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}

# A machine's own name need not resolve, and nobody outside it takes part.
_LOCAL: Final = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@dataclass(frozen=True)
class OpenedSession:
    """A session, and a sentence that says where it came from."""

    spark: SparkSession
    origin: str


@contextmanager
def spark_session(
    master: str | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[OpenedSession]:
    """Yield the session that is there already, or a new one that ends with the block.

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
    active = SparkSession.getActiveSession()
    given = next((name for variable, name in _GIVEN_BY.items() if variable in os.environ), None)
    if active is not None:
        yield OpenedSession(active, f"Spark {active.version}, the active session")
    elif given is not None:
        spark = SparkSession.builder.getOrCreate()
        yield OpenedSession(spark, f"Spark {spark.version}, the session of {given}")
    else:
        opened = (
            _connected(master) if master and master.startswith("sc:") else _started(master, settings or {})
        )
        try:
            yield opened
        finally:
            opened.spark.stop()


def _connected(url: str) -> OpenedSession:
    spark = SparkSession.builder.remote(url).getOrCreate()
    return OpenedSession(spark, f"Spark {spark.version} at {url}")


def _started(master: str | None, settings: Mapping[str, str]) -> OpenedSession:
    java = ensure_java()
    master = master or "local[*]"
    for variable in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ.setdefault(variable, sys.executable)
    builder = SparkSession.builder.appName("sparkalbert").master(master)
    local = _LOCAL if master.startswith("local") else {}
    for name, value in {**_QUIET, **local, **settings}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return OpenedSession(spark, f"Spark {spark.version}, {master}; {java}")
