"""Turns failures of Spark jobs into errors of sparkalbert: one message with the cause and what to do about it."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sparkalbert import errors
from sparkalbert.errors import InferenceError, InputError, OutputError, SparkAlbertError

__all__ = ["is_spark_failure", "job_error", "log_spark_failures", "raise_input_errors", "raise_job_errors"]

_LOGGER: Final = logging.getLogger("sparkalbert")

_FAILED: Final = "The Spark job failed"
_UNANSWERED: Final = "An error occurred while calling "
_SPARK_MODULES: Final = ("pyspark.", "py4j.")  # a Connect client may come without py4j, so it is not imported

_OWN_ERROR: Final = re.compile(r"^sparkalbert\.errors\.(\w+): (.*)$")
_CAUSE: Final = re.compile(r"^(?:Caused by)?: (?:[\w.$]+(?:Exception|Error): ?)?(.+)$")
_SQL_STATE: Final = re.compile(r"\s*SQLSTATE: \w+$")
_MISSING_IN_JVM: Final = " does not exist in the JVM"
"""The end of py4j's message for a class or method. Before a cleanup the same JVM had it."""

_FILE: Final = re.compile(r"(?:reading file|: File) (\S+?)(?: does not exist|\.?\s)")
_TRACEBACK: Final = "Traceback (most recent call last):"
_END_OF_MESSAGE: Final = re.compile(r"^(\tat |JVM stacktrace:|Caused by: |Driver stacktrace:|\s*SQLSTATE: |\s*$)")
_NO_MEMORY: Final = re.compile(r"^[\w.]*MemoryError\b")
_NO_MEMORY_FOR_ENGINE: Final = re.compile(r"ONNX Runtime failed .*(bad_alloc|bad allocation|Failed to allocate memory)")
_MISSING_MODULE: Final = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'")

_MEMORY: Final = (
    "Increase spark.executor.memoryOverhead (spark.driver.memory in local mode), set a smaller memoryBudgetMb, or give "
    "each task more cores (spark.task.cpus), so that fewer workers run at once; `sparkalbert plan` computes the sizes."
)
_CLUES: Final[Sequence[tuple[str, type[SparkAlbertError], str]]] = (
    # Reading comes first: a failed read may also say that a permission is missing.
    ("MALFORMED_", InputError, "The text of {file} does not have the format and columns that it was read with"),
    ("FILE_NOT_EXIST", InputError, "{file} was removed while the job was reading it"),
    ("JsonParseException", InputError, "The text of {file} does not have the format and columns that it was read with"),
    ("SparkFileNotFoundException", InputError, "{file} was removed while the job was reading it"),  # Spark 3.5
    ("FAILED_READ_FILE", InputError, "{file} cannot be read: {cause}"),
    ("Encountered error while reading file", InputError, "{file} cannot be read: {cause}"),  # Spark 3.5
    ("PATH_NOT_FOUND", InputError, "{cause}"),
    (
        "spark.driver.maxResultSize",
        InferenceError,
        "{cause}. Collect fewer rows at a time, or start the session with spark.driver.maxResultSize 0 (no limit)",
    ),
    ("AccessControlException", OutputError, "{cause}"),
    ("Permission denied", OutputError, "{cause}"),
    ("Mkdirs failed", OutputError, "{cause}"),
    ("No space left on device", OutputError, "{cause}"),
    ("Python worker exited unexpectedly", InferenceError, "A Python worker was killed, usually for memory. " + _MEMORY),
    ("OutOfMemoryError", InferenceError, "{cause}. " + _MEMORY),
)
"""The part of a failure's text that identifies it, and the class and message of the error to raise for it."""


@contextmanager
def raise_job_errors() -> Iterator[None]:
    """Raise failures of Spark in the block as errors of sparkalbert; see :func:`job_error`."""
    try:
        yield
    except Exception as error:
        if not is_spark_failure(error):
            raise
        raise job_error(error) from error


@contextmanager
def raise_input_errors(problem: str, advice: str = "") -> Iterator[None]:
    """Raise failures of Spark in the block as InputError: the problem, its reason in one line, and what to do."""
    try:
        yield
    except Exception as error:
        if not is_spark_failure(error) or _is_lost_connection(error):
            raise
        reason = str(job_error(error)).removeprefix(f"{_FAILED}: ").partition("\n")[0]
        msg = f"{problem}: {reason} {advice}".rstrip()
        raise InputError(msg) from error


@contextmanager
def log_spark_failures(message: str) -> Iterator[None]:
    """Log a failure of Spark in the block instead of raising it: for cleanup, which must not hide the first failure.

    If the JVM has ended, or is about to and no longer finds its classes, there is nothing left to clean up, and a
    warning would only puzzle.
    """
    try:
        yield
    except Exception as error:
        if not is_spark_failure(error):
            raise
        level = logging.DEBUG if _is_gone(error) or str(error).endswith(_MISSING_IN_JVM) else logging.WARNING
        _LOGGER.log(level, "%s: %s", message, str(error).partition("\n")[0])


def is_spark_failure(error: BaseException) -> bool:
    """Return whether an exception was raised by Spark, or because its process is gone."""
    if isinstance(error, SparkAlbertError):
        return False
    return _is_lost_connection(error) or type(error).__module__.startswith(_SPARK_MODULES)


def job_error(error: BaseException) -> SparkAlbertError:
    """Return the error of sparkalbert for a failure of Spark.

    An error that a worker raised keeps its class and its whole message. Records that could not be parsed are never
    part of the message.

    Returns
    -------
    SparkAlbertError
        ``InputError`` or ``OutputError`` if the job could not read or write, the worker's own error, or
        ``InferenceError``.
    """
    if _is_gone(error):
        reason = (
            "the JVM of the Spark driver is gone. If it was killed for memory, increase spark.driver.memory; see its "
            "log"
        )
        return InferenceError(f"{_FAILED}: {reason}.")
    lines = str(error).splitlines()
    own = _own_error(lines)
    if own is not None:
        return own
    python = _python_error(lines)
    if python is not None:
        return InferenceError(f"{_FAILED} on a Python worker: {python}")
    return _jvm_error(lines)


def _is_gone(error: BaseException) -> bool:
    """Return whether the JVM ended; a call that it did not answer has neither an exception nor a trace of Java.

    Other errors of py4j, such as "... does not exist in the JVM", have neither and come from a JVM that is alive.
    """
    kind, text = type(error).__name__, str(error)
    return (
        _is_lost_connection(error)
        or kind == "Py4JNetworkError"
        or (kind == "Py4JError" and text.startswith(_UNANSWERED) and "Trace:" not in text)
    )


def _is_lost_connection(error: BaseException) -> bool:
    """Return whether Spark's Python code could not reach the JVM; a caller's function may lose a connection too."""
    if not isinstance(error, ConnectionError):
        return False
    frames = traceback.walk_tb(error.__traceback__)
    return any(f"{frame.f_globals.get('__name__', '')}.".startswith(_SPARK_MODULES) for frame, _ in frames)


def _own_error(lines: Sequence[str]) -> SparkAlbertError | None:
    # The last error counts: an error that was raised from another is printed after it.
    for position in reversed(range(len(lines))):
        found = _OWN_ERROR.match(lines[position].strip())
        if found is not None:
            name, first = found.groups()
            kind = getattr(errors, name, InferenceError)
            advice = f". {_MEMORY}" if _NO_MEMORY_FOR_ENGINE.search(first) else ""
            return kind("\n".join([f"{_FAILED}: {first}{advice}", *_continuation(lines[position + 1 :])]))
    return None


def _python_error(lines: Sequence[str]) -> str | None:
    """Return the last line of a worker's traceback, with advice."""
    starts = [position for position, line in enumerate(lines) if line.endswith(_TRACEBACK)]
    if not starts:
        return None
    message = ""
    for line in lines[starts[-1] + 1 :]:
        if line and not line.startswith((" ", "\t")):
            message = line
            break
    missing = _MISSING_MODULE.match(message)
    if missing is not None:
        package = missing[1].partition(".")[0]
        return (
            f"{message}. Every executor needs {package} in the Python that spark.pyspark.python (PYSPARK_PYTHON) "
            "names; see 'On a cluster' in the README."
        )
    if _NO_MEMORY.match(message):  # also NumPy's and Arrow's
        return f"{message}. {_MEMORY}"
    return message or "no reason given"


def _jvm_error(lines: Sequence[str]) -> SparkAlbertError:
    text = "\n".join(lines)
    cause = _root_cause(lines)
    for clue, kind, template in _CLUES:
        if clue in text:
            found = _FILE.search(text)
            file = found[1] if found is not None else "the input"
            return kind(f"{_FAILED}: {template.format(file=file, cause=cause)}.".replace("..", "."))
    return InferenceError(f"{_FAILED}: {cause}")


def _root_cause(lines: Sequence[str]) -> str:
    causes = [found[1].strip() for line in lines if (found := _CAUSE.match(line.strip()))]
    written = [line.strip() for line in lines if line.strip()]
    cause = causes[-1] if causes else next(iter(written), "no reason given")
    return _SQL_STATE.sub("", cause)


def _continuation(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if _END_OF_MESSAGE.match(line):
            return
        yield line
