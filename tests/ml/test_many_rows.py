"""The script that measures very many rows runs on a few."""

import subprocess
import sys
from pathlib import Path

import pytest

from sparkalbert.bench.processes import busy_cpu_s
from tests.child_processes import own_spark_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(busy_cpu_s() is None, reason="CPU seconds are unknown here")
def test_every_part_has_rates_and_memory():
    """In a process of its own: the script reads Spark's record of all stages of its session."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.ml.many_rows", "short", "400", "albert_mini_en", "1"],
        cwd=ROOT,
        env=own_spark_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    title, header, *lines = done.stdout.splitlines()
    assert title.startswith("400 short rows, albert_mini_en, layer 1; CPU:")
    assert header.split() == ["s", "tokens/s", "per", "CPU", "s", "JVM", "MB", "workers", "MB"]
    values = [[float(value.replace(",", "")) for value in line.split()] for line in lines]
    assert len(values) == 10
    ends_s = [line[0] for line in values]
    assert ends_s == sorted(ends_s)
    assert all(value > 0 for line in values for value in line[1:])
