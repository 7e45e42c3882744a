"""The process that a system runs in. It reads requests and writes answers as lines of JSON.

It imports only what the system needs, because the environment of Spark NLP may lack our dependencies. Time is
measured here, the same way for every system: wall and CPU time around :meth:`.System.embed` alone, and the start around
:meth:`.System.load` and the first :meth:`.System.warm_up`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, Final

from sparkalbert.bench.processes import busy_cpu_s, family_cpu_s, memory_peaks, spent_cpu_s
from sparkalbert.bench.system import System
from sparkalbert.errors import MissingDependencyError

__all__ = ["make", "serve"]


def make(kind: str, arguments: Mapping[str, Any]) -> System:
    """Return a system by its kind.

    Raises
    ------
    MissingDependencyError
        If this environment lacks a package that the system needs.
    """
    return _KINDS[kind](**arguments)


def _bare(**arguments: Any) -> System:
    from sparkalbert.bench.bare import BareSystem

    return BareSystem(**arguments)


def _embedder(**arguments: Any) -> System:
    from sparkalbert.bench.embedder import EmbedderSystem

    return EmbedderSystem(**arguments)


def _pipeline(**arguments: Any) -> System:
    from sparkalbert.ml.bench.pipeline import PipelineSystem

    return PipelineSystem(**arguments)


def _naive_udf(**arguments: Any) -> System:
    from sparkalbert.ml.bench.naive_udf import NaiveUdfSystem

    return NaiveUdfSystem(**arguments)


def _spark_nlp(**arguments: Any) -> System:
    from sparkalbert.ml.bench.spark_nlp import SparkNlpSystem

    return SparkNlpSystem(**arguments)


_KINDS: Final[Mapping[str, Callable[..., System]]] = {
    "bare": _bare,
    "embedder": _embedder,
    "naive_udf": _naive_udf,
    "pipeline": _pipeline,
    "product": _bare,
    "spark_nlp": _spark_nlp,
}


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until the input ends.

    Parameters
    ----------
    requests
        Lines ``{"do": "prepare", "name", "kind", "arguments"}`` and
        ``{"do": "run", "name", "rows"}``, where ``rows`` lists the numbers of rows of the jobs to time.
    answers
        Receives one line per request: what was measured, ``{"failed": reason}``, or, if a package is missing while a
        system is prepared, ``{"skipped": reason}``.
    """
    systems: dict[str, System] = {}
    for line in requests:
        request = json.loads(line)
        try:
            answer = _answer(request, systems)
        except Exception as error:  # noqa: BLE001 - the parent process reports it
            is_missing = request["do"] == "prepare" and isinstance(error, MissingDependencyError)
            answer = {"skipped": str(error)} if is_missing else {"failed": _reason(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _reason(error: Exception) -> str:
    """Return the reason of a failure, without the stack traces that Spark puts into messages."""
    from sparkalbert.ml.failures import is_spark_failure, job_error

    return str(job_error(error)) if is_spark_failure(error) else f"{type(error).__name__}: {error}"


def _answer(request: Mapping[str, Any], systems: dict[str, System]) -> dict[str, Any]:
    name = request["name"]
    if request["do"] == "prepare":
        is_first = not systems
        system = make(request["kind"], request["arguments"])
        started_s = time.perf_counter()
        settings, vectors = system.load(), system.warm_up()
        systems[name] = system
        start_s = time.perf_counter() - started_s if is_first else None
        return {**settings, "start_s": start_s, "warm_up_vectors": vectors}
    system = systems[name]
    system.warm_up()  # idle workers may have ended
    jobs = [_timed(system, rows) for rows in request["rows"]]
    return {"jobs": jobs, "memory_mb": memory_peaks(), "measurements": dict(system.measurements())}


def _timed(system: System, rows: int) -> dict[str, Any]:
    """Let a system embed the first rows; return the fields of a :class:`~sparkalbert.bench.system.Job`."""
    system.take(rows)
    before, busy_s = family_cpu_s(os.getpid()), busy_cpu_s()
    started_s = time.perf_counter()
    system.embed()
    job: dict[str, Any] = {"rows": rows, "seconds": time.perf_counter() - started_s}
    cpu_s, busy_after_s = spent_cpu_s(before, family_cpu_s(os.getpid())), busy_cpu_s()
    if cpu_s is not None:
        job["cpu_s"] = cpu_s
        if busy_s is not None and busy_after_s is not None:
            job["other_cpu_s"] = max(0.0, busy_after_s - busy_s - cpu_s)
    return job


def _main() -> None:
    """Serve on the real standard output; what Spark and its children print there goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    _main()
