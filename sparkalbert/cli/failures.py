"""Ends a command that fails: with the message of an error, or in an orderly way on SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from sparkalbert.errors import SparkAlbertError
from sparkalbert.ml.failures import is_spark_failure, job_error

__all__ = ["INTERRUPTED", "TERMINATED", "failure_message", "unwinding_on_sigterm"]

INTERRUPTED: Final = 128 + signal.SIGINT
"""Exit code of a command that was ended by Ctrl-C."""

TERMINATED: Final = 128 + signal.SIGTERM
"""Exit code of a command that was ended by SIGTERM."""

_EXTRAS: Final = {
    "huggingface_hub": "hub",
    "matplotlib": "plot",
    "onnx": "convert",
    "pyspark": "spark",
    "safetensors": "convert",
    "torch": "distill",
    "transformers": "distill",
}
_JOB, _SPARK = "The Spark job failed", "Spark failed"
"""How the message of a failure begins: for a job, and for anything else in Spark, such as the start of a session."""


def failure_message(error: BaseException) -> str | None:
    """Return the message to show for an error.

    Causes are appended if they are errors of ours, of Spark or of the operating system, and if the message does not
    contain them.

    Returns
    -------
    str or None
        None for an unexpected error, whose traceback should be shown.

    Examples
    --------
    >>> failure_message(ModuleNotFoundError("No module named 'onnx'", name="onnx"))
    "This command requires onnx: pip install 'sparkalbert[convert]'"
    >>> failure_message(KeyError("unexpected")) is None
    True
    """
    message = _expected(error)
    cause = error.__cause__
    while message is not None and cause is not None:
        reason = _expected(cause)
        if reason is not None and _essence(cause, reason) not in message:
            message = f"{message}\nCaused by: {reason}"
        cause = cause.__cause__
    return message


def _expected(error: BaseException) -> str | None:
    """Return the message of an expected error, None for any other."""
    if isinstance(error, SparkAlbertError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(package)
        return extra and f"This command requires {package}: pip install 'sparkalbert[{extra}]'"
    if is_spark_failure(error):
        return str(job_error(error)).replace(_JOB, _SPARK, 1)
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    return None


def _essence(error: BaseException, reason: str) -> str:
    """Return the part of a reason that a message quotes."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return reason.removeprefix(_SPARK).partition("\n")[0].rstrip(".")


@contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that Spark jobs are cancelled and incomplete files removed.

    Raises
    ------
    SystemExit
        With :data:`TERMINATED` after SIGTERM, also if the cleanup failed or the block suppressed the exception.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield
        return
    received = False

    def interrupt(_: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True
        # `timeout` and service managers may send it twice, to the process and to its group.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        on_interrupt = signal.getsignal(signal.SIGINT)
        if callable(on_interrupt):
            on_interrupt(signal.SIGINT, frame)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except BaseException:
        if received:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if received:
        raise SystemExit(TERMINATED)
