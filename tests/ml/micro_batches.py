"""Measure what the stages add to a micro-batch of ten rows: ``python -m tests.ml.micro_batches [MODEL]``.

Streams of the same texts into Parquet run in turn, without and with the stages, with one file per micro-batch and one
task at a time. Spark reports the time of each micro-batch.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

from sparkalbert import start
from sparkalbert.ml.session.spark_session import QUIET
from tests.ml.test_streaming import DEADLINE_S, SCHEMA, TEXT, pipeline

NUM_BATCHES = 40
ROWS_PER_BATCH = 10
WARM_UP = 5
ROUNDS = 3


def batch_times_ms(spark, folder, model=None, num_batches=NUM_BATCHES):
    """Run a stream and return the time of each micro-batch; without a model it copies the texts."""
    source = Path(folder) / "in"
    source.mkdir(parents=True)
    for number in range(num_batches):
        ids = range(number * ROWS_PER_BATCH, (number + 1) * ROWS_PER_BATCH)
        lines = (json.dumps({"id": row, "text": TEXT.format(row)}) + "\n" for row in ids)
        (source / f"{number}.json").write_text("".join(lines))
    rows = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(str(source))
    if model is not None:
        rows = pipeline(model).fit(rows).transform(rows).select("id", "vectors")
    writer = rows.writeStream.format("parquet").option("checkpointLocation", f"{folder}/checkpoint")
    query = writer.trigger(availableNow=True).start(f"{folder}/out")
    assert query.awaitTermination(DEADLINE_S)
    times_ms = [batch["durationMs"]["triggerExecution"] for batch in query.recentProgress if batch["numInputRows"]]
    assert len(times_ms) == num_batches
    return times_ms


def main(model="albert_mini_en"):
    """Print the medians."""
    spark = start(master="local[1]", params=QUIET)
    spark.sparkContext.setLogLevel("ERROR")
    times_ms = {None: [], model: []}
    with tempfile.TemporaryDirectory(prefix="micro-batches-") as folder:
        for number in range(ROUNDS):
            for streamed, rounds in times_ms.items():
                rounds.append(batch_times_ms(spark, f"{folder}/{number}-{streamed is None}", streamed))
    spark.stop()
    plain_ms, embedded_ms = (
        statistics.median(time for times in rounds for time in times[WARM_UP:]) for rounds in times_ms.values()
    )
    print(f"{ROUNDS} x {NUM_BATCHES - WARM_UP} micro-batches of {ROWS_PER_BATCH} rows, medians:")
    print(f"  without stages            {plain_ms:6.0f} ms")
    print(f"  with {model:<20} {embedded_ms:6.0f} ms")
    print(f"  added                     {embedded_ms - plain_ms:6.0f} ms")
    print(f"The first with stages, which starts a worker and loads the model: {times_ms[model][0][0]} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
