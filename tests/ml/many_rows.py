"""Embed very many rows and print how rate and memory develop.

``python -m tests.ml.many_rows KIND [ROWS] [MODEL] [LAYER]``: KIND is ``short`` (texts of five words, by default a
million) or ``long`` (texts of 100 kB, by default 2,000). The batch job writes one vector per text. LAYER is the layer
that is returned, by default the last; with 1 no other layer is computed, so that 2,000 long texts take minutes instead
of hours. Prints the rates of each tenth of the rows and the largest memory during it. If the machine has other load,
use the rate per CPU second.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import numpy as np
import psutil
from pyspark.sql import functions as F

from sparkalbert import start
from sparkalbert.bench.processes import family_cpu_s
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


def texts(kind, rows, tasks):
    """Return a frame of ``id`` and ``text`` in which no sentence occurs twice."""

    def sentence(number):
        words = [F.element_at(F.array(*map(F.lit, some)), F.pmod(F.hash(number, F.lit(seed)), 10) + 1)
                 for seed, some in enumerate(WORDS)]  # fmt: skip
        return F.format_string("The %s %s %s %s.", *words, number.cast("string"))

    count = SENTENCES[kind]
    numbers = F.sequence(F.col("id") * count, F.col("id") * count + count - 1)
    text = F.array_join(F.transform(numbers, sentence), " ")
    return start().range(0, rows, 1, tasks).select("id", text.alias("text"))


def measured_parts(kind, rows, model="albert_mini_en", layer=-1):
    """For each part of a job, yield its end, its tokens per second and per CPU second, and its largest memory.

    The end is in seconds since the first task began; memory is that of the JVM and that of its Python workers, in MB.
    """
    spark = start()
    spark.sparkContext.setLogLevel("ERROR")
    tasks = max(1, min(TASKS, rows // PARTS))
    samples, finished = [], Event()
    jvm = psutil.Process(spark.sparkContext._gateway.proc.pid)

    def sample():
        cpu_s = sum(family_cpu_s(jvm.pid).values())
        samples.append((time.time(), cpu_s, jvm.memory_info().rss / 1e6, workers_rss(jvm) / 1e6))

    def watch():
        sample()
        while not finished.wait(0.5):
            sample()
        sample()

    with tempfile.TemporaryDirectory(prefix="many-rows-") as name:
        source, target = Path(name) / "in", Path(name) / "out"
        texts(kind, rows, tasks).write.parquet(str(source))
        last_stage = stages(spark)[-1].stageId()
        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            try:
                embeddings = AlbertEmbeddings(model=model, layers=[layer])
                goal = VectorTarget(str(target), level="document")
                summary = embed_texts(spark, embeddings, TextSource(str(source), "parquet", partitions=tasks), goal)
            finally:
                finished.set()
            watching.result()
    started_s, ended = embedding_tasks(spark, [one for one in stages(spark) if one.stageId() > last_stage])
    assert sum(count for _, count in ended) == summary.rows == rows
    yield from parts(started_s, ended, summary.tokens / rows, samples)


def parts(started_s, ended, tokens_per_row, samples):
    """Yield the parts of a job from the ends of its tasks, by time, and samples of CPU seconds and memory."""
    seconds, cpu_s, jvm_mb, workers_mb = np.array(samples).T
    rows = sum(count for _, count in ended)
    before_s, before, done, left = started_s, 0, 0, iter(ended)
    for part in range(1, PARTS + 1):
        while done < rows * part / PARTS:
            stop_s, count = next(left)
            done += count
        if done > before:  # a task may be larger than a part
            tokens = tokens_per_row * (done - before)
            spent_s = np.diff(np.interp([before_s, stop_s], seconds, cpu_s)).item()
            first, last = np.searchsorted(seconds, [before_s, stop_s])
            inside = slice(max(first - 1, 0), last + 1)
            rates = tokens / (stop_s - before_s), tokens / spent_s
            yield stop_s - started_s, *rates, jvm_mb[inside].max(), workers_mb[inside].max()
            before_s, before = stop_s, done


def stages(spark):
    """Return what Spark keeps of the stages of all jobs so far, in their order."""
    context = spark.sparkContext._jsc.sc()
    context.listenerBus().waitUntilEmpty()
    details, summaries, quantiles = False, False, spark.sparkContext._gateway.new_array(spark._jvm.double, 0)
    found = of_scala(context.statusStore().stageList(None, details, summaries, quantiles, []))
    return sorted(found, key=lambda stage: stage.stageId())


def embedding_tasks(spark, job_stages):
    """Return when the first task that wrote rows began; and when each ended and how many rows it wrote, by time."""
    store = spark.sparkContext._jsc.sc().statusStore()
    stage = max(job_stages, key=lambda stage: stage.outputRecords())
    tasks = of_scala(store.taskList(stage.stageId(), stage.attemptId(), stage.numTasks()))
    ended = [
        ((task.launchTime().getTime() + task.duration().get()) / 1e3,
         task.taskMetrics().get().outputMetrics().recordsWritten())
        for task in tasks
    ]  # fmt: skip
    return min(task.launchTime().getTime() for task in tasks) / 1e3, sorted(ended)


def of_scala(values):
    return [values.apply(place) for place in range(values.size())]


def workers_rss(jvm):
    """Return the resident memory of the Python processes below the JVM; a fork of the JVM itself does not count."""
    total = 0
    for process in jvm.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss if "python" in process.name() else 0
    return total


def main(kind, rows=None, model="albert_mini_en", layer=-1):
    """Print a line for each tenth."""
    start(params=QUIET)
    print(f"{rows or ROWS[kind]} {kind} rows, {model}, layer {layer}; CPU: {' '.join(cpu_features())}")
    print("      s  tokens/s  per CPU s  JVM MB  workers MB")
    for stop_s, rate, cpu_rate, jvm_mb, workers_mb in measured_parts(
        kind, int(rows or ROWS[kind]), model=model, layer=int(layer)
    ):
        print(f"{stop_s:7.0f} {rate:9,.0f} {cpu_rate:10,.0f} {jvm_mb:7.0f} {workers_mb:11.0f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
