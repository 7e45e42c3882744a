"""Where the Python workers spent their time: they are asked, by a job of many small tasks.

Spark hands tasks to idle workers in turn, so a job with several tasks for each worker meets them all. It
needs reused workers (``spark.python.worker.reuse``, Spark's default) of the same session.
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
from sparkalbert.stage_times import STAGE_TIMES

__all__ = ["WorkerTimes", "added_times", "worker_times"]

_TASKS_OF_CORE: Final = 12
_PAUSE_S: Final = 0.02

WorkerTimes = dict[int, dict[str, Any]]
"""By process id: the fields of :class:`~sparkalbert.stage_times.StageTimes`."""


@dataclass(frozen=True)
class _TellTimes:
    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        for (column,) in batches:
            time.sleep(_PAUSE_S)  # so that the next task goes to another worker
            told = json.dumps({"pid": os.getpid(), **asdict(STAGE_TIMES)})
            yield pa.array([told] * len(column))


def worker_times(spark: SparkSession, cores: int) -> WorkerTimes:
    """Return what every living worker of a session has counted since it began.

    Parameters
    ----------
    spark
        The session.
    cores
        Tasks that run at a time.
    """
    tasks = _TASKS_OF_CORE * cores
    asked = spark.range(0, tasks, 1, tasks)
    column = arrow_column(_TellTimes(), [F.col("id")], (pa.int64(),), StringType())
    told = [json.loads(row.told) for row in asked.select(column.alias("told")).collect()]
    return {one.pop("pid"): one for one in told}


def added_times(before: WorkerTimes, after: WorkerTimes) -> dict[str, Any]:
    """Return what all workers together did in between; one that has come anew counts from zero.

    Examples
    --------
    >>> before = {7: {"calls": 1, "seconds": {"run": 2.0}}}
    >>> after = {7: {"calls": 3, "seconds": {"run": 2.5}}, 8: {"calls": 1, "seconds": {"run": 1.0}}}
    >>> added_times(before, after)
    {'calls': 3, 'seconds': {'run': 1.5}}
    """
    total: dict[str, Any] = {"seconds": {}}
    for pid, times in after.items():
        for name, value in times.items():
            known = before.get(pid, {}).get(name)
            if name == "seconds":
                for stage, seconds in value.items():
                    old = known[stage] if known else 0.0
                    total["seconds"][stage] = total["seconds"].get(stage, 0.0) + seconds - old
            else:
                total[name] = total.get(name, 0) + value - (known or 0)
    return dict(sorted(total.items()))
