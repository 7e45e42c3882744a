"""Failures of real Spark jobs as errors of ours: the class, the cause, what to do, and never a user's text."""

import logging
import os
import signal

import numpy as np
import pytest
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from sparkalbert.errors import BundleError, ColumnError, InferenceError, InputError, OutputError, SparkAlbertError
from sparkalbert.ml.failures import is_spark_failure, job_error, log_spark_failures, raise_job_errors


def run(spark, work):
    """Run a function in a Python worker, as a job that fails."""

    @F.udf("long")
    def column(number):
        work()
        return number

    with raise_job_errors():
        spark.range(1).select(column("id")).collect()


PROBLEMS = BundleError("The bundle x has 2 problems:\n  - model.onnx is missing\n  - config.json has 3 bytes")
CAUSE = BundleError("the cause")
ERROR = ColumnError("the error, 'sentence' is missing.")
NO_MEMORY = MemoryError("Unable to allocate 3. GiB")
NO_MEMORY_FOR_ENGINE = InferenceError(
    "ONNX Runtime failed on model 'm' (fp32) for ids of shape [1, 512]: bfc_arena.cc:376 Failed to allocate memory for "
    "requested buffer of size 1048576"
)
OTHER = ValueError("the reason")


def many_problems():
    raise PROBLEMS


def with_a_cause_of_ours():
    raise ERROR from CAUSE


def with_a_cause_of_python():
    try:
        int("secret text")
    except ValueError as error:
        raise ERROR from error


def missing_package():
    import no_such_package.part  # noqa: F401


def missing_memory():
    raise NO_MEMORY


def missing_memory_of_numpy():
    np.empty(1 << 50)


def missing_memory_of_the_engine():
    raise NO_MEMORY_FOR_ENGINE from NO_MEMORY


def other():
    raise OTHER


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


MISSING = (
    "on a Python worker: ModuleNotFoundError: No module named 'no_such_package'. Every executor needs no_such_package "
    "in the Python that spark.pyspark.python (PYSPARK_PYTHON) names; see 'On a cluster' in the README."
)
FAILED = "The Spark job failed"


@pytest.mark.parametrize(
    ("work", "kind", "message"),
    [
        (many_problems, BundleError, f"{FAILED}: {PROBLEMS}"),
        (with_a_cause_of_ours, ColumnError, f"{FAILED}: {ERROR}"),
        (with_a_cause_of_python, ColumnError, f"{FAILED}: {ERROR}"),
        (missing_package, InferenceError, f"{FAILED} {MISSING}"),
        (other, InferenceError, f"{FAILED} on a Python worker: ValueError: the reason"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_error_of_a_worker_keeps_class_and_message(any_spark, work, kind, message):
    with pytest.raises(SparkAlbertError) as raised:
        run(any_spark, work)
    assert type(raised.value) is kind
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("work", "cause"),
    [
        (missing_memory, "MemoryError: Unable"),
        (missing_memory_of_numpy, "MemoryError: Unable to allocate"),
        (missing_memory_of_the_engine, "Failed to allocate memory for requested buffer of size 1048576. Increase"),
        (killed, "was killed, usually for memory"),
    ],
)
def test_a_lack_of_memory_says_what_helps(any_spark, work, cause):
    with pytest.raises(InferenceError) as raised:
        run(any_spark, work)
    assert cause in str(raised.value)
    for advice in ("spark.executor.memoryOverhead", "memoryBudgetMb", "spark.task.cpus", "sparkalbert plan"):
        assert advice in str(raised.value)
    assert "\n" not in str(raised.value)


ABORTED = "Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times, most recent failure: Lost task 0.3:"
TOO_LARGE = (
    "Total size of serialized results of 9 tasks (1100.0 MiB) is bigger than spark.driver.maxResultSize (1.0 GiB)"
)
DENIED = 'Permission denied: user=ann, access=WRITE, inode="/data"'
UNREADABLE = "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file s3a://b/x.gz.  SQLSTATE: KD001"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [  # as Hadoop and Spark write them on a cluster
        (
            f"{ABORTED} x\nCaused by: org.apache.hadoop.security.AccessControlException: {DENIED}\n\tat x.java\n",
            OutputError,
            f"{DENIED}.",
        ),
        (
            f"{ABORTED} java.io.IOException\nCaused by: java.io.IOException: No space left on device\n\tat x",
            OutputError,
            "No space left on device.",
        ),
        (
            f"{ABORTED} x\nCaused by: java.io.IOException: Mkdirs failed to create file:/proc/x (exists=false)\n",
            OutputError,
            "Mkdirs failed to create file:/proc/x (exists=false).",
        ),
        (
            f"{UNREADABLE}\nCaused by: java.nio.file.AccessDeniedException: s3a://b/x.gz: Permission denied",
            InputError,
            "s3a://b/x.gz cannot be read: s3a://b/x.gz: Permission denied.",
        ),
        (
            f"{ABORTED} ExecutorLostFailure\nCaused by: java.lang.OutOfMemoryError: Java heap space\n",
            InferenceError,
            "Java heap space. Increase spark.executor.memoryOverhead",
        ),
        (f"{TOO_LARGE}\n", InferenceError, f"{TOO_LARGE}. Collect fewer rows at a time, or start the session with"),
        (f"{ABORTED} ExecutorLostFailure (executor 1 exited)\n", InferenceError, f"{ABORTED} ExecutorLostFailure"),
        (
            "An error occurred while calling o93.save.\n: java.lang.IllegalStateException: No context\n\tat x",
            InferenceError,
            "No context",
        ),
        ("", InferenceError, "no reason given"),
    ],
)
def test_failures_of_the_jvm_are_classified(text, kind, message):
    error = job_error(PySparkException(message=text))
    assert type(error) is kind
    assert str(error).startswith(f"{FAILED}: {message}")
    assert "\n" not in str(error)


REFUSED = ConnectionRefusedError(111, "Connection refused")


def raise_in(module, error):
    """Raise an error as a function of a module does."""
    names = {"__name__": module, "error": error}
    exec("def fail():\n    raise error", names)  # noqa: S102
    names["fail"]()


@pytest.mark.parametrize(
    "error", [REFUSED, Py4JNetworkError("Answer"), Py4JError("An error occurred while calling o93.save")]
)
def test_a_driver_that_is_gone_is_one_message(error):
    with (
        pytest.raises(InferenceError, match=r"JVM of the Spark driver is gone\. .* increase spark.driver.memory"),
        raise_job_errors(),
    ):
        raise_in("py4j.clientserver", error)


def test_what_the_jvm_does_not_have_is_not_its_end():
    """py4j says so, without a trace, if Spark and pyspark have different versions."""
    text = "org.apache.spark.api.python.PythonUtils.getEncryptionEnabled does not exist in the JVM"
    assert str(job_error(Py4JError(text))) == f"{FAILED}: {text}"


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), ConnectionRefusedError(111, "refused")])
def test_a_lost_connection_of_the_caller_is_not_the_end_of_the_jvm(error):
    assert not is_spark_failure(error)
    with pytest.raises(type(error)) as raised, raise_job_errors():
        raise_in("callers_report", error)
    assert raised.value is error


def test_other_errors_pass_unchanged():
    for error in (InputError("ours"), KeyError("a bug"), FileNotFoundError("a file")):
        assert not is_spark_failure(error)
        with pytest.raises(type(error)) as raised, raise_job_errors():
            raise error
        assert raised.value is error
        with pytest.raises(type(error)), log_spark_failures("not logged"):
            raise error


def test_a_failed_cleanup_is_logged_and_hides_nothing(spark, caplog):
    with caplog.at_level(logging.WARNING, "sparkalbert"), log_spark_failures("The folder was not removed"):
        spark.read.parquet("/no/such/folder")
    (record,) = caplog.records
    assert record.getMessage().startswith("The folder was not removed: [PATH_NOT_FOUND]")
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    "error", [REFUSED, Py4JError("org.apache.spark.sql.classic.SparkSession does not exist in the JVM")]
)
def test_nothing_is_logged_if_the_jvm_ended_before_the_cleanup(error, caplog):
    with caplog.at_level(logging.INFO, "sparkalbert"), log_spark_failures("The session was not stopped"):
        raise_in("py4j.clientserver", error)
    assert caplog.records == []
