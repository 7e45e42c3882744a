"""The Spark session: its version, and its executors compared with the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.bundle import Bundle
from sparkalbert.doctor.check import Check, failed
from sparkalbert.inference import BatchingOptions, VectorOptions
from sparkalbert.inference.memory import worker_memory
from sparkalbert.machine import installed_versions

__all__ = ["executor_checks", "session_checks"]

_MB: Final = 1_000_000
_TOKENS: Final = ("river",)
_CLOSE: Final = 1e-4
"""CPUs of different kinds round differently, by far less than this."""


def session_checks(
    spark: Any, origin: str, bundle: Bundle | None, begin: Callable[[str], None] | None = None
) -> Iterator[Check]:
    """Check a session: its version, its executors, and a word embedded on one of them.

    Parameters
    ----------
    spark
        Any session, classic or Connect.
    origin
        Where it came from, for the first line.
    bundle
        The model to embed with; None to skip that.
    begin
        Called before a job with what it checks: ``executors``, ``embedding``.
    """
    from sparkalbert.ml.failures import is_spark_failure, job_error
    from sparkalbert.ml.job.executor_probe import driver_facts, executor_facts
    from sparkalbert.ml.session.connect import client_version, is_connect_session
    from sparkalbert.ml.stages.python_pass import annotator_workers_bytes

    is_connect = is_connect_session(spark)
    yield _version_check(client_version(), str(spark.version), origin, is_connect=is_connect)
    if not is_connect:
        yield from _spark_nlp_check(spark)
    if begin is not None:
        begin("executors")
    try:
        facts = executor_facts(spark)
    except Exception as error:
        if not is_spark_failure(error):
            raise
        yield failed("executors", str(job_error(error)))
        return
    needed = None
    if bundle is not None:
        needed = worker_memory(bundle, VectorOptions(), BatchingOptions()).total + annotator_workers_bytes()
    yield from executor_checks(driver_facts(), facts, needed)
    if bundle is not None:
        if begin is not None:
            begin("embedding")
        yield _word_check(spark, bundle)


def _version_check(client: str, server: str, origin: str, *, is_connect: bool) -> Check:
    ours, theirs = (tuple(map(int, text.split(".")[:2])) for text in (client, server))
    if is_connect:
        if ours > theirs:
            distribution = next(iter(installed_versions("pyspark")), "pyspark")
            mend = f"A client may be older than its server, but not newer: install {distribution} for Spark {server}."
            return Check("session", "warning", f"{origin}; the client is pyspark {client}", mend)
    elif ours != theirs:
        mend = f"pip install 'pyspark=={server}', or unset SPARK_HOME"
        return Check("session", "failed", f"{origin}, but pyspark is {client}", mend)
    return Check("session", "ok", origin)


def _spark_nlp_check(spark: Any) -> Iterator[Check]:
    """Check whether Spark NLP, if it is installed, has its jar; sparkalbert needs neither."""
    try:
        installed = version("spark-nlp")
    except PackageNotFoundError:
        return
    found = spark._jvm.com.johnsnowlabs.nlp.DocumentAssembler  # noqa: SLF001 - as pyspark's wrappers look classes up
    if type(found).__name__ != "JavaPackage":
        yield Check("spark-nlp", "ok", f"{installed} with its jar")
        return
    mend = "import from sparkalbert instead of sparknlp (sparkalbert needs no jar), or start the session with that jar"
    text = f"{installed} without its jar: its stages end in \"'JavaPackage' object is not callable\""
    yield Check("spark-nlp", "warning", text, mend)


def executor_checks(
    driver: Mapping[str, Any], executors: Sequence[Mapping[str, Any]], needed_bytes: int | None
) -> Iterator[Check]:
    """Compare the executors with the driver.

    Parameters
    ----------
    driver, executors
        See :func:`sparkalbert.ml.job.executor_probe.driver_facts`.
    needed_bytes
        Memory that one worker needs for the model; None if it is not known.
    """
    hosts = sorted({str(facts["host"]) for facts in executors})
    shown = ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")  # noqa: PLR2004
    pythons = sorted({f"{facts['python']} at {facts['executable']}" for facts in executors})
    wrong = [facts for facts in executors if _minor(facts["python"]) != _minor(driver["python"])]
    found = f"{len(hosts)} {'host' if len(hosts) == 1 else 'hosts'} ({shown}), Python {'; '.join(pythons)}"
    mend = f"Set PYSPARK_PYTHON (spark.pyspark.python) on the executors to a Python {_minor(driver['python'])}."
    yield Check("executors", "failed", found, mend) if wrong else Check("executors", "ok", found)
    yield _package_check(driver, executors)
    importable = [facts for facts in executors if facts["sparkalbert"] is not None]
    if importable:
        yield _library_check(driver, executors)
        yield _cpu_check(driver, importable)
        yield _memory_check(importable, needed_bytes)


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])


def _package_check(driver: Mapping[str, Any], executors: Sequence[Mapping[str, Any]]) -> Check:
    name = "sparkalbert"
    missing = [facts for facts in executors if facts[name] is None]
    if missing:
        return failed(name, f"cannot be imported on {missing[0]['host']}: {missing[0]['problem']}")
    versions = sorted({str(facts[name]) for facts in executors})
    if versions != [driver[name]]:
        found = f"{', '.join(versions)} on the executors, {driver[name]} on the driver"
        return Check(name, "failed", found, f"Install sparkalbert {driver[name]} in the Python of every executor.")
    return Check(name, "ok", f"{driver[name]} on the driver and the executors")


def _library_check(driver: Mapping[str, Any], executors: Sequence[Mapping[str, Any]]) -> Check:
    name = "libraries"
    different = {
        f"{library} {facts['libraries'][library] or 'missing'} on {facts['host']}, {ours} here": facts
        for facts in executors
        for library, ours in driver["libraries"].items()
        if facts["libraries"][library] != ours
    }
    if not different:
        return Check(name, "ok", "the same versions on the driver and the executors")
    is_missing = any(None in facts["libraries"].values() for facts in different.values())
    mend = "Install the same versions everywhere: vectors, and how a word is split, may depend on them."
    return Check(name, "failed" if is_missing else "warning", "; ".join(different), mend)


def _cpu_check(driver: Mapping[str, Any], executors: Sequence[Mapping[str, Any]]) -> Check:
    kinds = sorted({_cpu_kind(facts) for facts in executors})
    cores = sorted({facts["cores"] for facts in executors})
    found = f"{' or '.join(map(str, cores))} cores per executor, {'; '.join(kinds)}"
    ours = _cpu_kind(driver)
    if kinds == [ours]:
        return Check("cpu", "ok", found)
    mend = "CPUs of different kinds round differently: vectors are equal to about 1e-5 only. Use machines of one kind."
    return Check("cpu", "warning", f"{found}; the driver has {ours}", mend)


def _cpu_kind(facts: Mapping[str, Any]) -> str:
    return ", ".join(facts["cpu_features"]) or "no known features"


def _memory_check(executors: Sequence[Mapping[str, Any]], needed_bytes: int | None) -> Check:
    known = [facts for facts in executors if facts["memory_bytes"]]
    if not known:
        return Check("memory", "ok", "the memory limit of the executors is unknown")
    scarce = min(known, key=lambda facts: facts["memory_bytes"] / facts["cores"])
    found = f"{scarce['memory_bytes'] / _MB:,.0f} MB for {scarce['cores']} cores on {scarce['host']}"
    if needed_bytes is None:
        return Check("memory", "ok", found)
    workers = needed_bytes * scarce["cores"]
    found += f"; a worker on each core takes {workers / _MB:,.0f} MB with this model"
    if workers < scarce["memory_bytes"]:
        return Check("memory", "ok", found)
    mend = "Set a smaller memoryBudgetMb, use an int8 model, or give each task more cores (spark.task.cpus)."
    return Check("memory", "warning", found, mend)


def _word_check(spark: Any, bundle: Bundle) -> Check:
    """Embed a word on an executor, with a model sent as a job sends it, and compare it with the driver's vector."""
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.failures import is_spark_failure, job_error
    from sparkalbert.word_embedder import WordEmbedder

    frame = spark.createDataFrame([(list(_TOKENS),)], "tokens array<string>")
    stage = AlbertEmbeddings.pretrained(str(bundle.path)).setInputCols(["tokens"]).setOutputCol("vectors")
    try:
        (row,) = stage.transform(frame).collect()
    except Exception as error:
        if not is_spark_failure(error):
            raise
        return failed("embedding", str(job_error(error)))
    with WordEmbedder(bundle) as embedder:
        (here,) = embedder.embed_tokens([_TOKENS])
    return _vector_check(np.array(row.vectors, dtype=np.float32), here.vectors)


def _vector_check(executors: Float32Array, drivers: Float32Array) -> Check:
    difference = float(np.abs(executors - drivers).max())
    found = f"a word on an executor has the driver's vector, up to {difference:.0e}" if difference else (
        "a word on an executor has the driver's vector, bit for bit"
    )  # fmt: skip
    if not difference <= _CLOSE:  # NaN is not close
        mend = "Run `sparkalbert verify` on the driver and on the executor, and report it."
        return Check("embedding", "failed", f"a vector from an executor differs by {difference:.1e}", mend)
    return Check("embedding", "ok", found)
