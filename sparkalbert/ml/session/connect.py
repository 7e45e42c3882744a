"""Whether Spark is at the other end of a wire. It knows nothing else, so that any module may ask."""

from __future__ import annotations

from pyspark.sql import SparkSession

__all__ = ["is_connect_session"]


def is_connect_session(spark: SparkSession) -> bool:
    """Whether a session is a Spark Connect client."""
    return type(spark).__module__.startswith("pyspark.sql.connect")
