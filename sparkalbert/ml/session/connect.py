"""Spark Connect: whether a session is a client of a server, and the version of the client."""

from __future__ import annotations

import pyspark
from pyspark.sql import SparkSession

__all__ = ["client_version", "is_connect_session"]


def client_version() -> str:
    """Return the version of pyspark in this process."""
    return str(pyspark.__version__)


def is_connect_session(spark: SparkSession) -> bool:
    """Return whether a session is a Spark Connect client."""
    return type(spark).__module__.startswith("pyspark.sql.connect")
