"""Embed very many rows and print how rate and memory develop: ``python -m tests.ml.many_rows KIND [ROWS] [MODEL]``.

KIND ``short`` are texts of five words, a million by default; ``long`` are texts of 100 kB, 2,000 by default. The batch
job writes one vector per text, by default with the embedded model. Rates are of each tenth of the tasks, memory is the
largest in that time.
"""

import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import psutil
from pyspark.sql import functions as F

from sparkalbert import start
from sparkalbert.machine import cpu_features
from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_source import TextSource
from sparkalbert.ml.session.spark_session import QUIET

ROWS = {"short": 1_000_000, "long": 2_000}
SENTENCES = {"short": 1, "long": 2_900}
TASKS = 200
PARTS = 10
WORDS = [
    ["old", "quiet", "northern", "public", "broken", "golden", "young", "distant", "careful", "heavy"],
    ["river", "bank", "market", "teacher", "engine", "garden", "council", "bridge", "doctor", "summer"],
    ["opened", "crossed", "repaired", "described", "followed", "praised", "sold", "visited", "painted", "missed"],
]


def texts(kind, rows, tasks=TASKS):
    """Return a frame of ``id`` and ``text`` in which no sentence occurs twice."""

    def sentence(number):
        words = [F.element_at(F.array(*map(F.lit, some)), F.pmod(F.hash(number, F.lit(seed)), 10) + 1)
                 for seed, some in enumerate(WORDS)]  # fmt: skip
        return F.format_string("The %s %s %s %s.", *words, number.cast("string"))

    count = SENTENCES[kind]
    numbers = F.sequence(F.col("id") * count, F.col("id") * count + count - 1)
    text = F.array_join(F.transform(numbers, sentence), " ")
    return start().range(0, rows, 1, tasks).select("id", text.alias("text"))


def developed(kind, rows, tasks=TASKS, parts=PARTS, model="albert_mini_en"):
    """Yield the seconds, tokens per second and MB of the JVM and of its Python workers of each part of a job."""
    spark = start()
    spark.sparkContext.setLogLevel("ERROR")
    done_at, samples, finished = {}, [], Event()
    started_s = time.monotonic()

    def report(progress):
        done_at.setdefault(progress.done, time.monotonic() - started_s)

    def watch():
        jvm = next(child for child in psutil.Process().children(recursive=True) if child.name() == "java")
        while not finished.wait(0.5):
            samples.append((time.monotonic() - started_s, jvm.memory_info().rss, workers_rss(jvm)))

    with tempfile.TemporaryDirectory(prefix="many-rows-") as name:
        source, target = Path(name) / "in", Path(name) / "out"
        texts(kind, rows, tasks).write.parquet(str(source))
        watcher = Thread(target=watch)
        watcher.start()
        started_s = time.monotonic()
        try:
            embeddings = AlbertEmbeddings(model=model)
            goal = VectorTarget(str(target), level="document")
            summary = embed_texts(spark, embeddings, TextSource(str(source), "parquet", partitions=tasks), goal, report)
        finally:
            finished.set()
            watcher.join()
    assert summary.rows == rows
    tasks_done = max(done_at)
    before_s = before = 0
    for part in range(1, parts + 1):
        done = min((done for done in done_at if done >= tasks_done * part / parts), default=tasks_done)
        stop_s = done_at[done]
        inside = [sample for sample in samples if before_s <= sample[0] <= stop_s] or samples[-1:]
        jvm_mb, workers_mb = (max(sample[index] for sample in inside) / 1e6 for index in (1, 2))
        yield stop_s, summary.tokens * (done - before) / tasks_done / max(stop_s - before_s, 1e-9), jvm_mb, workers_mb
        before_s, before = stop_s, done


def workers_rss(jvm):
    """Return the resident memory of the Python processes below the JVM."""
    total = 0
    for process in jvm.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def main(kind, rows=None, model="albert_mini_en"):
    """Print a line for each tenth."""
    start(params=QUIET)
    print(f"{rows or ROWS[kind]} {kind} rows, {model}; CPU: {' '.join(cpu_features())}")
    print("      s  tokens/s  JVM MB  workers MB")
    for stop_s, rate, jvm_mb, workers_mb in developed(kind, int(rows or ROWS[kind]), model=model):
        print(f"{stop_s:7.0f} {rate:9,.0f} {jvm_mb:7.0f} {workers_mb:11.0f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
