"""Measures where the Python workers spent their time: a job of many small tasks collects their timings.

Spark hands tasks to idle workers in turn, so a job with several tasks per worker reaches all of them. Workers must be
reused (``spark.python.worker.reuse``, Spark's default).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkalbert.ml.worker.udf import arrow_column
from sparkalbert.timings import TIMINGS

__all__ = ["WorkerTimes", "added_times", "worker_times"]

_TASKS_PER_CORE: Final = 12
_PAUSE_S: Final = 0.02

WorkerTimes = dict[int, dict[str, Any]]
"""By process id: the fields of :class:`~sparkalbert.timings.Timings`."""


@dataclass(frozen=True)
class _ReportTimings:
    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        for (column,) in batches:
            time.sleep(_PAUSE_S)  # so that the next task goes to another worker
            report = json.dumps({"pid": os.getpid(), **asdict(TIMINGS)})
            yield pa.array([report] * len(column))


def worker_times(spark: SparkSession, cores: int) -> WorkerTimes:
    """Return what every living worker of a session has counted since it started.

    Parameters
    ----------
    spark
        The session.
    cores
        Number of tasks that run at a time.
    """
    tasks = _TASKS_PER_CORE * cores
    column = arrow_column(_ReportTimings(), [F.col("id")], (pa.int64(),), StringType())
    rows = spark.range(0, tasks, 1, tasks).select(column.alias("report")).collect()
    reports = [json.loads(row.report) for row in rows]
    return {report.pop("pid"): report for report in reports}


def added_times(before: WorkerTimes, after: WorkerTimes) -> dict[str, Any]:
    """Return what all workers together counted in between; a new worker counts from zero.

    Examples
    --------
    >>> before = {7: {"batches": 1, "seconds": {"run": 2.0}}}
    >>> after = {7: {"batches": 3, "seconds": {"run": 2.5}}, 8: {"batches": 1, "seconds": {"run": 1.0}}}
    >>> added_times(before, after)
    {'batches': 3, 'seconds': {'run': 1.5}}
    """
    total: dict[str, Any] = {"seconds": {}}
    for pid, times in after.items():
        for name, value in times.items():
            known = before.get(pid, {}).get(name)
            if name == "seconds":
                for phase, seconds in value.items():
                    old = known[phase] if known else 0.0
                    total["seconds"][phase] = total["seconds"].get(phase, 0.0) + seconds - old
            else:
                total[name] = total.get(name, 0) + value - (known or 0)
    return dict(sorted(total.items()))
