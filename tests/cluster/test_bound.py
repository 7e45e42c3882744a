"""``make test-cluster`` ends the tests by SIGTERM after a time; then no process of the cluster is left."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.child_processes import own_spark_environment
from tests.cluster.standalone import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
START_S = 360
END_S = 100


@pytest.fixture(autouse=True)
def _cold_caches():
    """Nothing here runs on the cluster of the other tests."""


def has_status(process, status):
    try:
        return process.status() == status
    except psutil.NoSuchProcess:
        return False


def test_a_job_that_hangs_ends_with_all_processes(tmp_path):
    options = ["-m", "cluster", "-p", "no:randomly", "-p", "no:cacheprovider", "--basetemp", tmp_path / "run"]
    command = [sys.executable, "-m", "pytest", *options, "tests/cluster/hanging_job.py"]
    running = psutil.Popen(command, cwd=ROOT, env=own_spark_environment(), stdout=subprocess.DEVNULL)
    family = []
    try:

        def hangs():
            assert running.poll() is None, "the tests have ended before"
            family[:] = running.children(recursive=True)
            return any(has_status(process, psutil.STATUS_STOPPED) for process in family)

        wait_for(hangs, "a job hangs", START_S)
        running.send_signal(signal.SIGTERM)
        running.wait(END_S)
        _, left = psutil.wait_procs(family, timeout=END_S)
        names = [process.name() for process in left if not has_status(process, psutil.STATUS_ZOMBIE)]
        assert names == []
    finally:
        for process in [running, *family]:
            if process.is_running():
                process.kill()
        running.wait()
