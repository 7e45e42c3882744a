"""A JVM that is killed in the middle of a job: one error of ours, with its reason, and nothing over it."""

import json

from tests import tiny_bundle
from tests.child_processes import run_python

# The JVM ends when the job is certain to run: after Spark has reported a task that is active.
JOB = """
import json, os, signal, sys, traceback
from pyspark import SparkContext
from sparkalbert.errors import SparkAlbertError
from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_source import TextSource
from sparkalbert.ml.session.spark_session import QUIET, opened_session

def kill(progress):
    if progress.active:
        os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)

folder, model = sys.argv[1:]
try:
    with opened_session("local[1]", QUIET, log_level="OFF") as opened:
        stage = AlbertEmbeddings.pretrained(model)
        embed_texts(opened.spark, stage, TextSource(f"{folder}/in.txt"), VectorTarget(f"{folder}/out"), kill)
except SparkAlbertError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def test_a_killed_jvm_is_one_error(tmp_path):
    (tmp_path / "in.txt").write_text("".join(f"Line {number} is like no other.\n" for number in range(100_000)))
    done = run_python(JOB, str(tmp_path), str(tiny_bundle.bundle().path))
    kind, message = json.loads(done.stdout)
    assert kind == "InferenceError"
    assert message == (
        "The Spark job failed: the JVM of the Spark driver is gone. If it was killed for memory, increase "
        "spark.driver.memory; see its log."
    )
    assert "Exception in thread" not in done.stderr
    assert not (tmp_path / "out").exists()
