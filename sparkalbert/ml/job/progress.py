"""How far the Spark jobs of a block are, told to a callback: tasks done, tasks known.

Classic sessions are asked twice a second from a thread of their own, Connect sessions tell by
themselves. It knows nothing about what the jobs compute, nor about screens.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import SparkSession

from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["JobProgress", "Report", "reported_progress"]

_POLL_S: Final = 0.5
_GROUP_PROPERTIES: Final = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")


@dataclass(frozen=True)
class JobProgress:
    """Tasks done, running and known so far; Spark finds more as it goes."""

    done: int
    active: int
    total: int


Report = Callable[[JobProgress], None]


@contextmanager
def reported_progress(spark: SparkSession, description: str, report: Report) -> Iterator[None]:
    """Report the progress of Spark jobs that this thread starts inside the block.

    Parameters
    ----------
    spark
        Any session. A Spark Connect client older than 4.0 cannot tell; there nothing is reported.
    description
        What Spark's own pages call the jobs.
    report
        Called from another thread, now and then, and once more at the end on classic sessions.
    """
    if not is_connect_session(spark):
        with _polled(spark, description, report):
            yield
    elif hasattr(spark, "registerProgressHandler"):
        with _told(spark, report):
            yield
    else:
        yield


@contextmanager
def _polled(spark: SparkSession, description: str, report: Report) -> Iterator[None]:
    context = spark.sparkContext
    before = {name: context.getLocalProperty(name) for name in _GROUP_PROPERTIES}
    group, ended = f"sparkalbert-{uuid.uuid4().hex}", threading.Event()
    context.setJobGroup(group, description)

    def poll() -> None:
        while not ended.wait(_POLL_S):
            report(_of_group(context.statusTracker(), group))

    poller = threading.Thread(target=poll, name="sparkalbert-progress", daemon=True)
    poller.start()
    try:
        yield
    finally:
        ended.set()
        poller.join()
        for name, value in before.items():
            context.setLocalProperty(name, value)  # type: ignore[arg-type]  # None removes it
    report(_of_group(context.statusTracker(), group))


def _of_group(tracker: Any, group: str) -> JobProgress:
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    found = [tracker.getStageInfo(stage) for job in jobs if job is not None for stage in job.stageIds]
    stages = [stage for stage in found if stage is not None]
    return JobProgress(
        sum(stage.numCompletedTasks for stage in stages),
        sum(stage.numActiveTasks for stage in stages),
        sum(stage.numTasks for stage in stages),
    )


@contextmanager
def _told(spark: Any, report: Report) -> Iterator[None]:
    def handler(stages: Sequence[Any] | None = None, inflight_tasks: int = 0, **_: object) -> None:
        known = stages or ()
        done = sum(stage.num_completed_tasks for stage in known)
        report(JobProgress(done, inflight_tasks, sum(stage.num_tasks for stage in known)))

    spark.registerProgressHandler(handler)
    try:
        yield
    finally:
        spark.removeProgressHandler(handler)
