"""Spark settings that are in effect for a block only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import SparkSession

from sparkalbert.ml.failures import is_spark_failure, log_spark_failures
from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["changed_settings"]


@dataclass
class _Change:
    """A setting that blocks have changed.

    Attributes
    ----------
    before
        Its value before the first of them; None if it had none.
    blocks
        How many of them still run.
    """

    before: str | None
    blocks: int = 0


_Key = tuple[Any, str]
_CHANGES: Final[dict[_Key, _Change]] = {}
"""What is changed now, by session and name of the setting."""

_LOCK: Final = threading.Lock()


@contextmanager
def changed_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Change settings of a session while the block runs.

    A platform that forbids a setting (Databricks serverless) keeps its own. If blocks of several threads overlap, the
    last one restores the value that the setting had before the first.
    """
    session = _identity(spark)
    changed: list[_Key] = []
    try:
        for name, value in settings.items():
            if _change(spark, (session, name), value):
                changed.append((session, name))
        yield
    finally:
        for key in changed:
            with log_spark_failures("Spark's settings were not restored"):
                _restore(spark, key)


def _identity(spark: Any) -> Any:
    """Return what is equal for all objects of the same session."""
    return spark.session_id if is_connect_session(spark) else spark._jsparkSession  # noqa: SLF001


def _change(spark: SparkSession, key: _Key, value: str) -> bool:
    """Change a setting and return whether the platform allows it."""
    name = key[1]
    with _LOCK:
        try:
            change = _CHANGES.get(key) or _Change(spark.conf.get(name, None))
            spark.conf.set(name, value)
        except Exception as error:
            if not is_spark_failure(error):
                raise
            return False
        change.blocks += 1
        _CHANGES[key] = change
    return True


def _restore(spark: SparkSession, key: _Key) -> None:
    """Note that a block has ended; after the last one, restore the setting."""
    name = key[1]
    with _LOCK:
        change = _CHANGES[key]
        change.blocks -= 1
        if change.blocks:
            return
        del _CHANGES[key]
        if change.before is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, change.before)
