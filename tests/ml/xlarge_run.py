"""Run the whole pipeline on a bundle and print figures as JSON: ``python -m tests.ml.xlarge_run BUNDLE``."""

import json
import os
import sys
import time
from itertools import chain
from pathlib import Path
from threading import Event, Thread

import numpy as np
from pyspark.ml import Pipeline
from pyspark.sql import SparkSession

from sparkalbert.bundle import Bundle
from sparkalbert.inference import EncoderSession, SessionOptions
from sparkalbert.inference.batching import BatchingOptions, pad, plan_batches
from sparkalbert.inference.pooling import layer_weights
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.machine import cpu_features
from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.ml.session.java import ensure_java
from sparkalbert.word_embedder import WordEmbedder
from tests import tiny_vocabulary


def main(folder):
    ensure_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    bundle = Bundle.open(folder)
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    texts = sentences()
    frame = spark.createDataFrame(list(enumerate(texts)), "id long, text string").repartition(2).cache()
    stages = [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        SentenceDetector().setInputCols("document").setOutputCol("sentence"),
        Tokenizer().setInputCols("sentence").setOutputCol("token"),
        AlbertEmbeddings(model=folder, inputCols=["sentence", "token"], outputCol="embeddings"),
    ]
    pipeline = Pipeline(stages=stages).fit(frame)
    out = pipeline.transform(frame)
    first = pipeline.transform(frame.where("id = 0")).first()
    (words,) = WordEmbedder.load(folder).embed([texts[0]])
    np.testing.assert_array_equal(np.array([a.embeddings for a in first.embeddings], np.float32), words.vectors)
    peak, pipeline_s = peak_while(lambda: out.write.format("noop").mode("overwrite").save())
    bare_s, pieces = bare_seconds(bundle, texts)
    measured = {
        "pieces": pieces,
        "bare_pieces_per_s": round(pieces / bare_s, 1),
        "pipeline_pieces_per_s": round(pieces / pipeline_s, 1),
        "ratio": round(bare_s / pipeline_s, 3),
        "worker_rss_mb": round(peak),
        "cpu_features": cpu_features(),
    }
    print(json.dumps(measured))


def sentences():
    """The tiny vocabulary's text twice over, each time other words, in rows of a few sentences."""
    lines = tiny_vocabulary.TEXT.strip().splitlines()
    varied = [f"{word} {line}" for word in ("Now", "Then") for line in lines]
    return [" ".join(varied[start : start + 3]) for start in range(0, len(varied), 3)]


def peak_while(run):
    """Peak resident memory of Spark's Python workers in MB, and the seconds it took."""
    done, peaks = Event(), [0.0]

    def watch():
        while not done.wait(0.2):
            peaks[0] = max(chain(peaks, worker_peaks().values()))

    watcher = Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        run()
    finally:
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
    return peaks[0], seconds


def worker_peaks():
    """Peaks in MB by process. The workers are forks of a daemon, which this process's JVM started."""
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        processes[int(folder.name)] = (int(status.split("PPid:")[1].split()[0]), status)
    own = {os.getpid()}
    for _ in range(4):
        own |= {number for number, (parent, _) in processes.items() if parent in own}
    pythons = {number for number in own & processes.keys() if "Name:\tpython" in processes[number][1]}
    peaks = {}
    for number in pythons:
        parent, status = processes[number]
        if parent in pythons - {os.getpid()} and "VmHWM:" in status:
            peaks[number] = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    return peaks


def bare_seconds(bundle, texts):
    """Seconds and pieces of the same sentences through ONNX Runtime alone, sorted by length, on all cores."""
    encoded = encode_texts(bundle, texts).sequences
    session = EncoderSession(bundle, SessionOptions(threads=os.cpu_count() or 1))
    weights = layer_weights([-1], bundle.manifest.num_layers)
    session.run(*pad(encoded[:8], 0), weights)
    started = time.perf_counter()
    for batch in plan_batches(np.array([len(one) for one in encoded]), BatchingOptions()):
        session.run(*pad([encoded[index] for index in batch], 0), weights)
    return time.perf_counter() - started, sum(map(len, encoded))


if __name__ == "__main__":
    main(sys.argv[1])
