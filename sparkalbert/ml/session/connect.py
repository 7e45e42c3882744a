"""Recognizes Spark Connect clients."""

from __future__ import annotations

from pyspark.sql import SparkSession

__all__ = ["is_connect_session"]


def is_connect_session(spark: SparkSession) -> bool:
    """Return whether a session is a Spark Connect client."""
    return type(spark).__module__.startswith("pyspark.sql.connect")
