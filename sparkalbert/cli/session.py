"""Runs Spark for a command: quietly, and with an orderly end when the command is interrupted."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sparkalbert.errors import InferenceError, ParamError

if TYPE_CHECKING:
    from sparkalbert.ml.session.spark_session import OpenedSession

__all__ = ["DEBUG", "command_session"]

DEBUG: Final[ContextVar[bool]] = ContextVar("DEBUG", default=False)
"""If true, Spark and py4j log as usual. Otherwise they do not: what fails is reported once, by the command."""

_CANCEL_S: Final = 10.0
_CONNECT_S: Final = 10.0
_CONNECT_PORT: Final = 15002
_PY4J_MODULES: Final = {"clientserver", "java_gateway"}


@contextmanager
def command_session(master: str | None = None, settings: Mapping[str, str] | None = None) -> Iterator[OpenedSession]:
    """Yield the existing session or a new one. On Ctrl-C its jobs are cancelled before the block is unwound.

    Parameters
    ----------
    master
        Where a new session runs.
    settings
        Spark settings of a new session.

    Raises
    ------
    InferenceError
        If there is no Spark Connect server at `master`.
    """
    from sparkalbert.ml.session.spark_session import QUIET, opened_session

    if master is not None and master.startswith("sc:"):
        _check_server(master)
    log_level = "WARN" if DEBUG.get() else "OFF"
    with _quiet_py4j(), opened_session(master, {**QUIET, **(settings or {})}, log_level=log_level) as opened:

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            # Not from this thread: it may be inside a call to the JVM, which cannot be entered twice.
            canceller = threading.Thread(target=_stop_jobs, args=(opened.spark,), daemon=True)
            canceller.start()
            canceller.join(_CANCEL_S)
            raise KeyboardInterrupt

        if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
            yield opened
            return
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield opened
        finally:
            signal.signal(signal.SIGINT, before)


def _check_server(url: str) -> None:
    """Raise an error if nothing listens at a Spark Connect URL, because a client tries again for many minutes."""
    try:
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or _CONNECT_PORT)
    except ValueError as error:
        msg = f"--master is {url!r}, expected a URL such as sc://host:{_CONNECT_PORT}."
        raise ParamError(msg) from error
    try:
        socket.create_connection(address, timeout=_CONNECT_S).close()
    except OSError as error:
        msg = f"There is no Spark Connect server at {url}: {error.strerror or error}. Start it, or correct --master."
        raise InferenceError(msg) from error


def _stop_jobs(spark: Any) -> None:
    """Cancel all jobs of a session, without log messages about it. A session that is gone has no jobs."""
    from sparkalbert.ml.failures import log_spark_failures
    from sparkalbert.ml.session.connect import is_connect_session

    with log_spark_failures("Spark's jobs were not cancelled"):
        if is_connect_session(spark):
            spark.interruptAll()
            return
        spark.sparkContext.setLogLevel("OFF")
        spark.sparkContext.cancelAllJobs()


@contextmanager
def _quiet_py4j() -> Iterator[None]:
    """Drop the tracebacks that py4j logs before it raises an error, when it is interrupted or the JVM is gone."""
    if DEBUG.get():
        yield
        return
    root, py4j = logging.getLogger(), logging.getLogger("py4j")
    level = py4j.level
    root.addFilter(_is_not_py4j)
    py4j.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.removeFilter(_is_not_py4j)
        py4j.setLevel(level)


def _is_not_py4j(record: logging.LogRecord) -> bool:
    return record.module not in _PY4J_MODULES
