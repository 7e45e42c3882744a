"""Names the Spark jobs of a block, and reports their progress to a callback.

Classic sessions are polled twice a second from a separate thread; Connect sessions report by themselves.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import SparkSession

from sparkalbert.ml.failures import log_spark_failures
from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["JobProgress", "Report", "reported_progress"]

_LOGGER: Final = logging.getLogger("sparkalbert")

_POLL_S: Final = 0.5
_LAG_S: Final = 1.0
_RUNNING: Final = "RUNNING"
_SUCCEEDED: Final = "SUCCEEDED"
_TAG: Final = "sparkalbert"
_GROUP_PROPERTIES: Final = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")


@dataclass(frozen=True)
class JobProgress:
    """Counts the tasks that are done, active, and known so far; Spark adds stages while a job runs."""

    done: int
    active: int
    total: int


Report = Callable[[JobProgress], None]


@contextmanager
def reported_progress(spark: SparkSession, description: str, report: Report | None) -> Iterator[None]:
    """Name the Spark jobs that this thread starts inside the block, and report their progress.

    Parameters
    ----------
    spark
        Any session. A Spark Connect client older than 4.0 has no progress; nothing is reported there.
    description
        Name of the jobs in Spark's UI. On Spark Connect, where the server describes its jobs itself, they get the tag
        ``sparkalbert`` instead.
    report
        Called from another thread from time to time; on classic sessions once more at the end. None for no reports.
        With a report, the jobs of a classic session are in a job group of their own, by which they are found; without,
        they stay in the caller's job group, which can cancel them.
    """
    with ExitStack() as stack:
        if not is_connect_session(spark):
            stack.enter_context(_restored_properties(spark))
            if report is None:
                spark.sparkContext.setJobDescription(description)
            else:
                group = f"sparkalbert-{uuid.uuid4().hex}"
                spark.sparkContext.setJobGroup(group, description)
                stack.enter_context(_polled(spark, group, report))
        else:
            stack.enter_context(_tagged(spark))
            if report is not None and hasattr(spark, "registerProgressHandler"):
                stack.enter_context(_handled(spark, report))
        yield


@contextmanager
def _restored_properties(spark: SparkSession) -> Iterator[None]:
    """Restore the job group and the description that this thread had before the block."""
    context = spark.sparkContext
    before = {name: context.getLocalProperty(name) for name in _GROUP_PROPERTIES}
    try:
        yield
    finally:
        with log_spark_failures("The job group was not restored"):
            for name, value in before.items():
                context.setLocalProperty(name, value)  # type: ignore[arg-type]  # None removes it


@contextmanager
def _tagged(spark: Any) -> Iterator[None]:
    """Give the jobs of this thread a tag, which a client's jobs may have in the place of a group."""
    if _TAG in spark.getTags():
        yield
        return
    spark.addTag(_TAG)
    try:
        yield
    finally:
        spark.removeTag(_TAG)


@contextmanager
def _polled(spark: SparkSession, group: str, report: Report) -> Iterator[None]:
    context = spark.sparkContext
    ended = threading.Event()

    def poll() -> None:
        with log_spark_failures("Progress is no longer reported"):
            while not ended.wait(_POLL_S):
                progress = _group_progress(context.statusTracker(), group)
                try:
                    report(progress)
                except OSError as error:  # nobody reads any more what `report` prints; the job goes on
                    _LOGGER.debug("Progress is no longer reported: %s", error)
                    return

    poller = threading.Thread(target=poll, name="sparkalbert-progress", daemon=True)
    poller.start()
    try:
        yield
    finally:
        ended.set()
        poller.join()
    report(_final_progress(context.statusTracker(), group))


def _group_progress(tracker: Any, group: str) -> JobProgress:
    jobs = [job for number in tracker.getJobIdsForGroup(group) if (job := tracker.getJobInfo(number)) is not None]
    done = active = total = 0
    for job in jobs:
        stages = [stage for number in job.stageIds if (stage := tracker.getStageInfo(number)) is not None]
        completed = sum(stage.numCompletedTasks for stage in stages)
        done += completed
        active += sum(stage.numActiveTasks for stage in stages)
        # A finished job has skipped the stages whose results existed already; their tasks never run.
        total += completed if job.status == _SUCCEEDED else sum(stage.numTasks for stage in stages)
    return JobProgress(done, active, total)


def _final_progress(tracker: Any, group: str) -> JobProgress:
    """Return the progress once Spark's own bookkeeping, which lags behind its jobs, has seen them end."""
    deadline_s = time.monotonic() + _LAG_S
    while time.monotonic() < deadline_s:
        jobs = map(tracker.getJobInfo, tracker.getJobIdsForGroup(group))
        if not any(job is not None and job.status == _RUNNING for job in jobs):
            break
        time.sleep(_LAG_S / 100)
    return _group_progress(tracker, group)


@contextmanager
def _handled(spark: Any, report: Report) -> Iterator[None]:
    def handler(stages: Sequence[Any] | None = None, inflight_tasks: int = 0, **_: object) -> None:
        known = stages or ()
        done = sum(stage.num_completed_tasks for stage in known)
        report(JobProgress(done, inflight_tasks, sum(stage.num_tasks for stage in known)))

    spark.registerProgressHandler(handler)
    try:
        yield
    finally:
        spark.removeProgressHandler(handler)
