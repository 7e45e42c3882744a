"""Streams: every row once, with the vectors of a batch, also if the stream is killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark.ml import Pipeline

from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.ml.session.connect import is_connect_session
from tests import tiny_bundle
from tests.child_processes import own_spark_environment

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = "id int, text string"
ROWS_PER_FILE = 5
TEXT = "The river was high on day {}. Nobody could cross it!"
FILES = 40
DEADLINE_S = 240

STREAM = """
import sys
from sparkalbert import start
from tests.ml.test_streaming import embedded
master, folder, model = sys.argv[1:]
embedded(start(master=master), folder, model, once=False).awaitTermination()
"""


@pytest.fixture(scope="module")
def model():
    return str(tiny_bundle.bundle().path)


def pipeline(model):
    stages = [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(model=model, inputCols=["sentence", "token"], outputCol="vectors", vectorFormat="binary"),
    ]
    return Pipeline(stages=stages)


def vectors_of(frame, model):
    return pipeline(model).fit(frame).transform(frame).select("id", "vectors")


def add_file(folder, number, rows=ROWS_PER_FILE):
    """Add a file of texts to the folder that a stream reads: complete from the moment it has its name."""
    source = Path(folder) / "in"
    source.mkdir(exist_ok=True)
    ids = range(number * ROWS_PER_FILE, number * ROWS_PER_FILE + rows)
    hidden = source / f".{number}"
    hidden.write_text("".join(json.dumps({"id": row, "text": TEXT.format(row)}) + "\n" for row in ids))
    hidden.rename(source / f"{number}.json")


def stream(spark, folder, files_per_batch=1):
    return spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", files_per_batch).json(f"{folder}/in")


def embedded(spark, folder, model, *, once=True, files_per_batch=1):
    """Start a stream from files to Parquet."""
    writer = vectors_of(stream(spark, folder, files_per_batch), model).writeStream.format("parquet")
    trigger = {"availableNow": True} if once else {"processingTime": "0 seconds"}
    return writer.option("checkpointLocation", f"{folder}/checkpoint").trigger(**trigger).start(f"{folder}/out")


def started(writer, attempts=5):
    """Start a stream again if Spark Connect gave up on its Python process: it waits ten seconds, whatever the load."""
    try:
        return writer.start()
    except Exception as error:
        if attempts == 1 or "Python worker failed to connect back" not in str(error):
            raise
    return started(writer, attempts - 1)


def finished(query):
    assert query.awaitTermination(DEADLINE_S)
    assert query.exception() is None


def rows_of(spark, folder):
    return sorted((row.id, list(row.vectors)) for row in spark.read.parquet(folder).collect())


def batch_rows(spark, files, model):
    """The rows of the first files, as a batch gives them."""
    texts = [(row, TEXT.format(row)) for row in range(files * ROWS_PER_FILE)]
    embedded_rows = vectors_of(spark.createDataFrame(texts, SCHEMA), model).collect()
    return sorted((row.id, list(row.vectors)) for row in embedded_rows)


def test_a_stream_into_parquet_continues_where_it_ended(any_spark, model, tmp_path):
    add_file(tmp_path, 0)
    add_file(tmp_path, 7, rows=0)  # a micro-batch without rows
    finished(embedded(any_spark, tmp_path, model))
    add_file(tmp_path, 1)
    finished(embedded(any_spark, tmp_path, model))
    assert rows_of(any_spark, f"{tmp_path}/out") == batch_rows(any_spark, 2, model)


def test_foreach_batch_embeds_each_batch(any_spark, model, tmp_path):
    for number in range(2):
        add_file(tmp_path, number)
    output = f"{tmp_path}/out"

    texts = stream(any_spark, tmp_path)
    fitted = pipeline(model).fit(texts)

    def write(frame, _):  # on Connect it runs on the server, which sees nothing of this module
        fitted.transform(frame).select("id", "vectors").write.mode("append").parquet(output)

    writer = texts.writeStream.foreachBatch(write).option("checkpointLocation", f"{tmp_path}/checkpoint")
    finished(started(writer.trigger(availableNow=True)))
    assert rows_of(any_spark, output) == batch_rows(any_spark, 2, model)


def test_a_killed_stream_loses_and_repeats_nothing(any_spark, model, tmp_path):
    """Classic, the whole program is killed; on Connect the client, while its stream runs on in the server."""
    for number in range(FILES):
        add_file(tmp_path, number)
    master = "local[1]"
    if is_connect_session(any_spark):
        master = f"sc://127.0.0.1:{any_spark.conf.get('spark.connect.grpc.binding.port')}"
    environment = {**own_spark_environment(), "PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, "-c", STREAM, master, str(tmp_path), model]
    commits = tmp_path / "checkpoint" / "commits"
    running = subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True)
    try:
        deadline_s = time.monotonic() + DEADLINE_S
        while not (commits / "0").exists():
            assert running.poll() is None
            assert time.monotonic() < deadline_s, "the stream has committed nothing"
            time.sleep(0.05)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    add_file(tmp_path, FILES)  # so that work is left, however far the stream came before it was killed
    finished(embedded(any_spark, tmp_path, model, files_per_batch=2 * FILES))
    assert rows_of(any_spark, f"{tmp_path}/out") == batch_rows(any_spark, FILES + 1, model)
