"""Executors are compared with the driver, and a real session passes."""

import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from pyspark import cloudpickle

from sparkalbert import machine
from sparkalbert.doctor import cluster
from sparkalbert.doctor.cluster import executor_checks, session_checks
from sparkalbert.ml.job import executor_probe
from sparkalbert.ml.job.executor_probe import driver_facts, executor_facts
from tests import tiny_bundle

ALONE = """
import pickle, sys
sys.modules["sparkalbert"] = None
with open(sys.argv[1], "rb") as file:
    facts = pickle.load(file)()
print(facts["sparkalbert"], facts["problem"], facts["python"], sep="|")
"""

DRIVER = {
    "host": "driver",
    "python": "3.11.7",
    "executable": "/usr/bin/python3",
    "libraries": {"numpy": "2.4.6", "onnxruntime": "1.32.0"},
    "sparkalbert": "0.1.0",
    "problem": "",
    "cores": 2,
    "cpu_features": ["AVX2", "AVX-512"],
    "memory_bytes": 4_000_000_000,
}
EXECUTOR = {**DRIVER, "host": "one"}


def checks(*executors, needed=500_000_000):
    return {check.name: check for check in executor_checks(DRIVER, executors, needed)}


def test_equal_executors_pass():
    found = checks(EXECUTOR, {**EXECUTOR, "host": "two"})
    assert [check.status for check in found.values()] == ["ok"] * 5
    assert found["executors"].found == "2 hosts (one, two), Python 3.11.7 at /usr/bin/python3"
    assert found["memory"].found.startswith("4,000 MB for 2 cores on one; a worker on each core takes 1,000 MB")


@pytest.mark.parametrize(
    ("changes", "name", "status", "found", "mend"),
    [
        ({"python": "3.10.1"}, "executors", "failed", "Python 3.10.1 at", "to a Python 3.11."),
        ({"python": "3.11.9"}, "executors", "ok", "3.11.9", ""),
        ({"sparkalbert": None, "problem": "No module named 'sparkalbert'"}, "sparkalbert", "failed",
         "cannot be imported on one: No module", "in the Python of every executor"),
        ({"sparkalbert": "0.0.9"}, "sparkalbert", "failed", "0.0.9 on the executors, 0.1.0 on the driver",
         "Install sparkalbert 0.1.0"),
        ({"libraries": {"numpy": "2.4.6", "onnxruntime": "1.20.0"}}, "libraries", "warning",
         "onnxruntime 1.20.0 on one, 1.32.0 here", "same versions"),
        ({"libraries": {"numpy": None, "onnxruntime": "1.32.0"}}, "libraries", "failed",
         "numpy missing on one", "same"),
        ({"memory_bytes": 900_000_000}, "memory", "warning", "900 MB for 2 cores on one", "memoryBudgetMb"),
        ({"memory_bytes": None}, "memory", "ok", "unknown", ""),
    ],
)  # fmt: skip
def test_each_difference_is_found_with_its_mend(changes, name, status, found, mend):
    check = checks({**EXECUTOR, **changes})[name]
    assert check.status == status
    assert found in check.found
    assert mend in check.mend


def test_cpus_of_different_kinds_are_a_warning():
    check = checks(EXECUTOR, {**EXECUTOR, "host": "two", "cpu_features": []})["cpu"]
    assert check.status == "warning"
    assert "AVX2, AVX-512; no known features" in check.found
    assert "1e-5" in check.mend


def test_a_driver_of_another_kind_than_all_executors_is_a_warning():
    check = checks(*({**EXECUTOR, "host": host, "cpu_features": ["AVX2"]} for host in ("one", "two")))["cpu"]
    assert check.status == "warning"
    assert check.found == "2 cores per executor, AVX2; the driver has AVX2, AVX-512"
    assert "1e-5" in check.mend


def test_an_executor_without_the_package_answers_too(tmp_path):
    cloudpickle.register_pickle_by_value(executor_probe)
    try:
        sent = cloudpickle.dumps(driver_facts)
    finally:
        cloudpickle.unregister_pickle_by_value(executor_probe)
    assert pickle.loads(sent)()["python"] == driver_facts()["python"]
    (tmp_path / "probe").write_bytes(sent)
    command = [sys.executable, "-c", ALONE, str(tmp_path / "probe")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    package, problem, python = done.stdout.strip().split("|")
    assert (package, python) == ("None", driver_facts()["python"])
    assert "sparkalbert" in problem


def test_an_executor_with_another_distribution_of_a_library_has_that_library(monkeypatch):
    def version(name):
        if name == "onnxruntime":
            raise PackageNotFoundError(name)
        return {"onnxruntime-gpu": "1.31.0"}.get(name, "1.0")

    monkeypatch.setattr(executor_probe, "version", version)
    assert driver_facts()["libraries"]["onnxruntime"] == "1.31.0"


@pytest.mark.parametrize(
    ("difference", "status", "found"),
    [
        (0.0, "ok", "bit for bit"),
        (2e-6, "ok", "up to 2e-06"),
        (0.5, "failed", "differs by 5.0e-01"),
        (np.nan, "failed", "differs by nan"),
    ],
)
def test_a_vector_from_an_executor_is_compared_with_the_drivers(difference, status, found):
    there = np.zeros((1, 3), dtype=np.float32)
    there[0, 1] = difference
    check = cluster._vector_check(there, np.zeros((1, 3), dtype=np.float32))
    assert check.status == status
    assert found in check.found
    assert bool(check.mend) == (status != "ok")


def test_a_real_session_passes(any_spark):
    found = list(session_checks(any_spark, "a session", tiny_bundle.bundle()))
    assert [check.status for check in found] == ["ok"] * 7
    assert found[-1].found == "a word on an executor has the driver's vector, bit for bit"
    (facts,) = executor_facts(any_spark, 2)
    assert facts == driver_facts()


def test_spark_nlp_without_its_jar_is_a_warning(spark, monkeypatch):
    monkeypatch.setattr(cluster, "version", lambda name: {"spark-nlp": "5.5.3"}[name])
    (check,) = cluster._spark_nlp_check(spark)
    assert check.status == "warning"
    assert "'JavaPackage' object is not callable" in check.found
    assert "sparkalbert instead of sparknlp" in check.mend


@pytest.mark.parametrize(
    ("client", "server", "is_connect", "status"),
    [
        ("4.1.0", "4.1.2", False, "ok"),
        ("4.1.0", "3.5.1", False, "failed"),
        ("4.1.0", "4.0.0", True, "warning"),
        ("4.1.0.dev1", "4.2.0", True, "ok"),
    ],
)
def test_a_spark_of_another_version_is_found(client, server, is_connect, status):
    check = cluster._version_check(client, server, "here", is_connect=is_connect)
    assert check.status == status
    assert bool(check.mend) == (status != "ok")


def test_a_client_that_is_too_new_is_named_by_its_distribution(monkeypatch):
    monkeypatch.setattr(machine, "_version", {"pyspark-client": "4.1.0"}.get)
    check = cluster._version_check("4.1.0", "4.0.0", "here", is_connect=True)
    assert check.mend.endswith("install pyspark-client for Spark 4.0.0.")
