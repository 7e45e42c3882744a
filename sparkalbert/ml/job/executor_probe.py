"""Facts about the executors of a session, from a job of small tasks.

What the tasks run is sent as code, not by name: it also works on an executor that cannot import this package, which is
one of the things to find out. So what is sent uses only the standard library, and constants, which are sent along.
"""

from __future__ import annotations

import json
import platform
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from pyspark import cloudpickle
from pyspark.sql import SparkSession

from sparkalbert.machine import RIVALS
from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["driver_facts", "executor_facts"]

_SCHEMA: Final = "facts string"
_CONNECT_TASKS: Final = 16
_TASK_S: Final = 0.05
"""Each task waits a moment, so that the others run elsewhere."""

_LIBRARIES: Final = ("numpy", "onnxruntime", "pandas", "pyarrow", "regex", "sentencepiece")


def executor_facts(spark: SparkSession, tasks: int | None = None) -> list[dict[str, Any]]:
    """Return facts about each Python that ran one of the tasks, without duplicates.

    Parameters
    ----------
    spark
        Any session, classic or Connect.
    tasks
        Number of tasks. By default two per core of the cluster, or 16 on Spark Connect, which does not report its
        cores. With fewer tasks than executors, some executors are left out.

    Returns
    -------
    list of dict
        See :func:`driver_facts`.
    """

    def answer(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        for _ in batches:
            time.sleep(_TASK_S)
            yield pa.RecordBatch.from_pydict({"facts": [json.dumps(driver_facts(), sort_keys=True)]})

    if tasks is None:
        tasks = _CONNECT_TASKS if is_connect_session(spark) else 2 * spark.sparkContext.defaultParallelism
    pickler: Any = cloudpickle
    module = sys.modules[__name__]
    pickler.register_pickle_by_value(module)
    try:
        rows: Sequence[Any] = spark.range(0, tasks, 1, tasks).mapInArrow(answer, _SCHEMA).distinct().collect()
    finally:
        pickler.unregister_pickle_by_value(module)
    return sorted((json.loads(row.facts) for row in rows), key=lambda facts: str(facts["host"]))


def driver_facts() -> dict[str, Any]:
    """Return facts about this process.

    Returns
    -------
    dict
        ``host``, ``python``, ``executable``, ``libraries`` (version by name, None if missing), ``sparkalbert`` (its
        version, None if it cannot be imported), ``problem`` (why not), and if it can, ``cores``, ``cpu_features`` and
        ``memory_bytes`` (the limit of the container or the memory of the machine, None if unknown).
    """

    def version_of(name: str) -> str | None:
        for distribution in (name, *RIVALS.get(name, ())):
            with suppress(PackageNotFoundError):
                return version(distribution)
        return None

    facts: dict[str, Any] = {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "libraries": {name: version_of(name) for name in _LIBRARIES},
        "sparkalbert": None,
        "problem": "",
    }
    try:
        import sparkalbert
        from sparkalbert.machine import available_cores, cpu_features, memory_limit
    except ImportError as error:  # also of an older sparkalbert, which lacks one of them
        return {**facts, "problem": str(error)}
    machine = {"cores": available_cores(), "cpu_features": cpu_features(), "memory_bytes": memory_limit()}
    return {**facts, **machine, "sparkalbert": sparkalbert.__version__}
