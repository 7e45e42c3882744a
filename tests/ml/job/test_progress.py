"""Progress of real jobs: reported while they run, complete at the end, and gone with the block."""

import threading
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JNetworkError

from sparkalbert.ml.job import progress
from sparkalbert.ml.job.progress import JobProgress, reported_progress
from sparkalbert.ml.session.connect import is_connect_session

GONE = Py4JNetworkError("Answer from Java side is empty")


def run(spark, tasks=4):
    assert spark.range(0, 100, 1, tasks).selectExpr("sum(id) AS s").first().s == 4950


class ClientWithoutJobs:
    """Stands for a Spark Connect session as ``reported_progress`` sees it."""

    __module__ = "pyspark.sql.connect.session"

    def getTags(self):  # noqa: N802
        return {"sparkalbert"}


def test_tasks_are_counted(any_spark, monkeypatch):
    monkeypatch.setattr(progress, "_POLL_S", 0.01)
    reports = []
    with reported_progress(any_spark, "a job", reports.append):
        run(any_spark)
    assert reports or is_connect_session(any_spark), "a small job may end before a client gets its first report"
    assert all(0 <= report.done <= report.total for report in reports)
    if not is_connect_session(any_spark):
        assert reports[-1] == JobProgress(done=reports[-1].total, active=0, total=reports[-1].total)
        assert reports[-1].total == 5, "of the second job's two stages one is skipped"
    before = len(reports)
    run(any_spark)
    assert len(reports) == before, "jobs after the block are not reported"


def test_only_jobs_of_the_block_are_counted(spark):
    run(spark)
    reports = []
    with reported_progress(spark, "no job", reports.append):
        pass
    assert reports[-1] == JobProgress(0, 0, 0)


def test_the_job_group_is_restored_also_after_an_error(spark):
    context = spark.sparkContext
    context.setJobGroup("mine", "my own jobs", interruptOnCancel=True)
    names = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")
    before = [context.getLocalProperty(name) for name in names]
    try:
        with reported_progress(spark, "a job", lambda _: None):
            assert context.getLocalProperty("spark.job.description") == "a job"
        with pytest.raises(KeyError), reported_progress(spark, "a job", lambda _: None):
            {}["stop"]
        assert [context.getLocalProperty(name) for name in names] == before
    finally:
        for name in names:
            context.setLocalProperty(name, None)


def test_silent_jobs_are_described_and_stay_in_the_callers_group(spark):
    context = spark.sparkContext
    context.setJobGroup("silent", "my own jobs")
    try:
        with reported_progress(spark, "a silent job", None):
            assert context.getLocalProperty("spark.job.description") == "a silent job"
            assert not any(thread.name == "sparkalbert-progress" for thread in threading.enumerate())
            run(spark)
        assert len(context.statusTracker().getJobIdsForGroup("silent")) > 0, "the caller can cancel them"
        assert context.getLocalProperty("spark.job.description") == "my own jobs"
    finally:
        for name in ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel"):
            context.setLocalProperty(name, None)


def test_a_clients_jobs_have_a_tag_inside_the_block_only(connect_spark):
    with reported_progress(connect_spark, "a job", None):
        assert connect_spark.getTags() == {"sparkalbert"}
        run(connect_spark)
    with pytest.raises(KeyError), reported_progress(connect_spark, "a job", lambda _: None):
        {}["stop"]
    assert connect_spark.getTags() == set()
    connect_spark.addTag("sparkalbert")
    try:
        with reported_progress(connect_spark, "a job", None):
            pass
        assert connect_spark.getTags() == {"sparkalbert"}, "the tag was the caller's"
    finally:
        connect_spark.clearTags()


def test_no_thread_is_left(spark):
    with reported_progress(spark, "a job", lambda _: None):
        assert any(thread.name == "sparkalbert-progress" for thread in threading.enumerate())
    assert not any(thread.name == "sparkalbert-progress" for thread in threading.enumerate())


def test_a_driver_that_dies_ends_the_polling_silently(spark, monkeypatch, caplog):
    polled = threading.Event()

    def gone(*_):
        polled.set()
        raise GONE

    with monkeypatch.context() as patch:
        patch.setattr(progress, "_POLL_S", 0.01)
        patch.setattr(progress, "_group_progress", gone)
        with pytest.raises(KeyError), reported_progress(spark, "a job", lambda _: None):
            {"polled": polled.wait(10)}["the job fails, too"]
    assert caplog.messages == [], "the failed job has its own message"


def test_the_handler_of_a_client_ends_with_the_block(connect_spark):
    handlers = connect_spark._client._progress_handlers
    before = len(handlers)
    with reported_progress(connect_spark, "a job", lambda _: None):
        assert len(handlers) == before + 1
    with pytest.raises(KeyError), reported_progress(connect_spark, "a job", lambda _: None):
        {}["stop"]
    assert len(handlers) == before


def test_what_spark_passes_to_a_handler_becomes_a_report():
    class Client(ClientWithoutJobs):
        __module__ = ClientWithoutJobs.__module__

        def registerProgressHandler(self, handler):  # noqa: N802
            self.handler = handler

        def removeProgressHandler(self, handler):  # noqa: N802
            assert handler is self.handler
            self.handler = None

    client, reports = Client(), []
    with reported_progress(client, "a job", reports.append):
        stages = [
            SimpleNamespace(num_tasks=4, num_completed_tasks=3),
            SimpleNamespace(num_tasks=2, num_completed_tasks=0),
        ]
        client.handler(stages=stages, inflight_tasks=1, operation_id="x", done=False)
        client.handler(stages=None, inflight_tasks=0, operation_id="x", done=True)
    assert reports == [JobProgress(done=3, active=1, total=6), JobProgress(0, 0, 0)]
    assert client.handler is None


def test_a_client_without_progress_reports_nothing():
    client = ClientWithoutJobs()
    reports = []
    with reported_progress(client, "a job", reports.append):
        pass
    assert reports == []
