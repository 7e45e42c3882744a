"""A test that never ends; ``test_bound.py`` runs it."""

import pytest

from tests.cluster.standalone import wait_for

pytestmark = pytest.mark.cluster


def test_a_job_that_hangs(cluster, application, job):
    running = job(application())
    for worker in wait_for(cluster.nodes[0].python_workers, "a node embeds"):
        worker.suspend()
    running.result()
