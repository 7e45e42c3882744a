"""Spark settings that are in effect for a block only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark.sql import SparkSession

from sparkalbert.ml.failures import is_spark_failure, log_spark_failures

__all__ = ["changed_settings"]


@contextmanager
def changed_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Change settings of a session while the block runs.

    A platform that forbids a setting (Databricks serverless) keeps its own.
    """
    before: dict[str, str | None] = {}
    for name, value in settings.items():
        try:
            old = spark.conf.get(name, None)
            spark.conf.set(name, value)
        except Exception as error:
            if not is_spark_failure(error):
                raise
            continue
        before[name] = old
    try:
        yield
    finally:
        with log_spark_failures("Spark's settings were not restored"):
            for name, old in before.items():
                if old is None:
                    spark.conf.unset(name)
                else:
                    spark.conf.set(name, old)
