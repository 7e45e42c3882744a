"""Faults on a real cluster: the output is that of an undisturbed run, bit for bit, or one error says what to do."""

import os
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from pyarrow import parquet

from sparkalbert import WordEmbedder
from sparkalbert.bundle import Bundle
from sparkalbert.bundle.packs import pack_name
from sparkalbert.errors import BundleError
from sparkalbert.storage.homes import HOME_VARIABLE
from sparkalbert.storage.locks import exclusive
from tests.child_processes import processes
from tests.cluster.jobs import TASKS, embed, embed_alone
from tests.cluster.standalone import wait_for
from tests.damage import change_a_byte

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

FRESH_WORKERS = {"python.worker.reuse": "false"}
"""Each task has a Python worker of its own, which looks for the model."""


CLS = 2
EMBEDDING_BYTES = 16 * 4
"""The tiny model's embeddings come first in its file, one row per piece."""


def installed(node, digest):
    """Return the folder in which a node keeps the model."""
    return node.home / "installed" / digest


def busy_workers(node, digest):
    """Return the Python workers of a node that have loaded the model."""
    return node.workers_with(installed(node, digest) / "model.onnx.data")


def waiting_workers(node, digest):
    """Return the Python workers of a node that wait for its lock to install the model."""
    return node.workers_with(node.home / "locks" / f"{digest}.lock")


def failed_tasks(spark):
    """Return how many tasks of the application have failed."""
    context = spark.sparkContext._jsc.sc()  # its status tracker counts only the jobs of one group, or of none
    context.listenerBus().waitUntilEmpty()
    found = context.statusStore().jobsList(None)
    jobs = [found.apply(position) for position in range(found.size())]
    assert TASKS in [job.numTasks() for job in jobs], "the batch job is not among them"
    return sum(job.numFailedTasks() for job in jobs)


def test_the_undisturbed_output_has_the_engines_vectors(undisturbed, model, texts):
    rows = parquet.read_table(texts).sort_by("id")
    assert undisturbed.column("id").equals(rows.column("id"))
    some = list(range(0, len(rows), 50))
    expected = WordEmbedder.load(model).embed(rows.take(some).column("text").to_pylist())
    found = undisturbed.take(some).column("vectors").to_pylist()
    assert found == [[vector.tobytes() for vector in text.vectors] for text in expected]


def test_the_model_is_sent_and_installed_once_on_each_node(
    cluster, application, model, digest, texts, tmp_path, undisturbed
):
    spark = application(**FRESH_WORKERS)
    first = embed(spark, model, texts, tmp_path / "first")
    folders = [installed(node, digest).stat().st_ino for node in cluster.nodes]
    second = embed(spark, model, texts, tmp_path / "second")
    assert first.equals(undisturbed)
    assert second.equals(undisturbed)
    name = pack_name(Bundle.open(model))
    assert [node.fetched(spark.sparkContext.applicationId, name) for node in cluster.nodes] == [1, 1]
    assert [installed(node, digest).stat().st_ino for node in cluster.nodes] == folders
    assert failed_tasks(spark) == 0


def test_a_killed_executor_changes_nothing(cluster, application, digest, job, undisturbed):
    spark, node = application(), cluster.nodes[0]
    running = job(spark)
    wait_for(lambda: busy_workers(node, digest), "a node embeds")
    node.executors()[0].kill()
    assert running.result().equals(undisturbed)
    assert failed_tasks(spark) > 0


def test_two_killed_executors_change_nothing(cluster, application, digest, job, undisturbed):
    spark = application()
    running = job(spark)
    wait_for(lambda: all(busy_workers(node, digest) for node in cluster.nodes), "both nodes embed")
    for node in cluster.nodes:
        node.executors()[0].kill()
    assert running.result().equals(undisturbed)
    assert failed_tasks(spark) > 1


def test_a_killed_python_worker_changes_nothing(cluster, application, digest, job, undisturbed):
    spark, node = application(), cluster.nodes[0]
    running = job(spark)
    wait_for(lambda: busy_workers(node, digest), "a node embeds")[0].kill()
    assert running.result().equals(undisturbed)
    assert failed_tasks(spark) > 0


def test_a_killed_daemon_changes_nothing(cluster, application, digest, job, undisturbed):
    spark, (node, other_node) = application(**FRESH_WORKERS), cluster.nodes
    with exclusive(other_node.home, digest):  # the other node cannot finish the job before the daemon is missed
        running = job(spark)
        wait_for(lambda: busy_workers(node, digest), "a node embeds")
        (daemon,) = node.daemons()
        daemon.kill()
        wait_for(lambda: {other.pid for other in node.daemons()} - {daemon.pid}, "Spark has started another daemon")
    assert running.result().equals(undisturbed)


def test_a_node_that_joins_late_gets_the_model(cluster, application, model, digest, job, undisturbed):
    early, late = cluster.nodes
    cluster.stop_node(late)
    spark = application(**{"scheduler.minRegisteredResourcesRatio": "0.5"})
    with exclusive(early.home, digest):  # the early node cannot finish the job before the late node works
        running = job(spark)
        wait_for(lambda: waiting_workers(early, digest), "the early node waits")
        cluster.start_missing()
        wait_for(lambda: busy_workers(late, digest), "the late node embeds")
    assert running.result().equals(undisturbed)
    application_id, name = spark.sparkContext.applicationId, pack_name(Bundle.open(model))
    assert [node.fetched(application_id, name) for node in cluster.nodes] == [1, 1]


def change_a_weight(folder):
    change_a_byte(folder / "model.onnx.data", 1000)


def change_an_embedding(folder):
    """Change a byte that running workers read from the file, in the embedding of [CLS]: every sentence has it."""
    change_a_byte(folder / "model.onnx.data", CLS * EMBEDDING_BYTES + 3)


def make_read_only(folder):
    """Take the right to write to the node's cache, which does not keep root from writing."""
    for parent, _, files in os.walk(folder.parents[1]):
        modes = {Path(parent): 0o555} | {Path(parent, name): 0o444 for name in files}
        for path, mode in modes.items():
            with suppress(FileNotFoundError):  # a worker has removed it meanwhile
                path.chmod(mode)


def truncate(folder):
    os.truncate(folder / "model.onnx.data", 1000)


@pytest.mark.parametrize("damage", [truncate, change_a_weight, shutil.rmtree])
def test_a_damaged_cache_is_repaired(cluster, application, model, digest, texts, tmp_path, undisturbed, damage):
    spark, node = application(**FRESH_WORKERS), cluster.nodes[0]
    embed(spark, model, texts, tmp_path / "first")
    damage(installed(node, digest))
    assert embed(spark, model, texts, tmp_path / "second").equals(undisturbed)
    assert Bundle.open(installed(node, digest)).verify().digest == digest
    assert failed_tasks(spark) == 0


@pytest.mark.parametrize("damage", [truncate, change_an_embedding, shutil.rmtree])
def test_a_cache_that_is_damaged_mid_job_is_repaired(cluster, application, digest, job, undisturbed, damage):
    spark, node = application(**FRESH_WORKERS), cluster.nodes[0]
    running = job(spark)
    wait_for(lambda: busy_workers(node, digest), "a node embeds")
    damage(installed(node, digest))
    assert running.result().equals(undisturbed)
    assert Bundle.open(installed(node, digest)).verify().digest == digest


def test_a_cache_that_becomes_read_only_mid_job_is_used(cluster, application, digest, job, undisturbed):
    spark, node = application(**FRESH_WORKERS), cluster.nodes[0]
    running = job(spark)
    wait_for(lambda: busy_workers(node, digest), "a node embeds")
    make_read_only(installed(node, digest))
    assert running.result().equals(undisturbed)
    assert failed_tasks(spark) == 0


def test_a_warm_cache_that_is_read_only_is_used(cluster, application, model, digest, texts, tmp_path, undisturbed):
    spark = application(**FRESH_WORKERS)
    embed(spark, model, texts, tmp_path / "first")
    homes = [node.home for node in cluster.nodes]
    folders = [folder for home in homes for folder in (home, *home.rglob("*")) if folder.is_dir()]
    for folder in folders:
        folder.chmod(0o555)  # which does not keep root from writing, so times are compared, too
    try:
        before = {path: path.lstat().st_mtime_ns for home in homes for path in (home, *home.rglob("*"))}
        assert embed(spark, model, texts, tmp_path / "second").equals(undisturbed)
        assert {path: path.lstat().st_mtime_ns for home in homes for path in (home, *home.rglob("*"))} == before
    finally:
        for folder in folders:
            folder.chmod(0o755)  # so that the next test can remove it


def test_a_cold_cache_that_cannot_be_written_is_one_error(application, model, texts, tmp_path):
    home = "/sys/kernel/sparkalbert"  # not even root can create it
    spark = application(**{f"executorEnv.{HOME_VARIABLE}": home})
    message = (
        rf"^The Spark job failed: There is no folder for models on this node: \[Errno \d+\] [\w -]+: '{home}'\. Set "
        rf"{HOME_VARIABLE} to a folder that this user can write \(on executors spark\.executorEnv\.{HOME_VARIABLE}\)\.$"
    )
    with pytest.raises(BundleError, match=message):
        embed(spark, model, texts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_jobs_at_once_share_a_cold_cache(cluster, application, model, digest, texts, job, tmp_path, undisturbed):
    settings = {"cores.max": "2", "executor.cores": "1"}  # one executor on each node for each application
    spark = application(**settings)
    other = {f"spark.{name}": value for name, value in settings.items()}

    def waiting_executors(node):
        return Counter(worker.parent().ppid() for worker in waiting_workers(node, digest))

    with processes({**os.environ, HOME_VARIABLE: str(tmp_path / "home")}) as alone:
        first, second = cluster.nodes
        with exclusive(first.home, digest), exclusive(second.home, digest):
            running = [
                job(spark),
                alone.submit(embed_alone, cluster.url, other, str(model), str(texts), str(tmp_path / "other")),
            ]
            wait_for(
                lambda: all(len(waiting_executors(node)) == len(running) for node in cluster.nodes),
                "both applications wait on both nodes",
            )
        tables = [future.result() for future in running]
    assert all(table.equals(undisturbed) for table in tables)
    assert [[path.name for path in installed(node, digest).parent.iterdir()] for node in cluster.nodes] == [
        [digest]
    ] * 2
