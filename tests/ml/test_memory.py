"""The memory of a worker as the operating system counts it, in a Spark session of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

BUDGET_MB = 320
LONG_ROW_MB = 100_000 * 256 * 4 / 1e6


def peaks(budget_mb):
    done = subprocess.run(
        [sys.executable, "-m", "tests.ml.memory_run", str(budget_mb)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_budget_holds_for_many_rows_and_for_one_of_a_hundred_thousand_tokens():
    found = peaks(BUDGET_MB)
    print(f"\nbudget {BUDGET_MB}: {found}")
    assert found["long"] <= BUDGET_MB
    # The long row's vectors alone are 102 MB; what is held of them and of many rows' is a few windows.
    assert found["long"] - found["few"] <= LONG_ROW_MB


def test_without_a_budget_a_long_row_is_held_once():
    found = peaks(0)
    print(f"\nno budget: {found}")
    assert found["many"] - found["few"] <= 160
    assert found["long"] - found["few"] <= LONG_ROW_MB + 160
