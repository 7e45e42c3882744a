"""The xlarge shape through the whole pipeline: does it fit, does it load fast, how fast does it run.

Minutes, and 500 MB of disk: ``make test-slow``. Prints what it measured; ratios come from one run.
"""

import os
import time
from itertools import chain
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from pyspark.ml import Pipeline

from sparkalbert.convert import convert_checkpoint
from sparkalbert.inference import EncoderSession, SessionOptions, WordEmbedder
from sparkalbert.inference.batching import BatchingOptions, pad, plan_calls
from sparkalbert.inference.layers import layer_weights
from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from tests import tiny_checkpoint, tiny_vocabulary

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

XLARGE = {
    "vocab_size": 30_000,
    "embedding_size": 128,
    "hidden_size": 2048,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 8192,
}
RSS_LIMIT_MB = {"fp32": 700, "int8": 350}
FILE_LIMIT_MB = {"fp32": 230, "int8": 70}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_checkpoint.write(tmp_path_factory.mktemp("xlarge") / "checkpoint", **XLARGE)


@pytest.fixture(scope="module", params=["fp32", "int8"])
def bundle(request, checkpoint):
    started = time.perf_counter()
    bundle = convert_checkpoint(checkpoint, checkpoint.parent / request.param, precision=request.param)
    seconds = time.perf_counter() - started
    print(f"\n{request.param}: converted in {seconds:.1f} s, {bundle.manifest.size_bytes / 1e6:.0f} MB")
    assert seconds < 30
    assert bundle.manifest.size_bytes < FILE_LIMIT_MB[request.param] * 1e6
    return bundle


def sentences():
    """The vocabulary's own text, in rows of a few sentences."""
    lines = tiny_vocabulary.TEXT.strip().splitlines()
    return [" ".join(lines[start : start + 3]) for start in range(0, len(lines), 3)]


def worker_peaks():
    """Peak resident memory of Spark's Python workers, in MB."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            status = (folder / "status").read_text()
        except OSError:
            continue
        if "pyspark" in command and ("daemon" in command or "worker" in command) and "VmHWM" in status:
            yield int(status.split("VmHWM:")[1].split()[0]) / 1024


def test_session_load_is_quick(bundle):
    EncoderSession(bundle)  # the page cache is warm, as on any node's second worker
    started = time.perf_counter()
    EncoderSession(bundle)
    seconds = time.perf_counter() - started
    print(f"\n{bundle.manifest.precision}: session load {seconds:.2f} s")
    assert seconds < 0.5


def test_the_whole_pipeline_fits_and_keeps_up(spark, bundle):
    texts = sentences()
    frame = spark.createDataFrame(list(enumerate(texts)), "id long, text string").repartition(2)
    stages = Pipeline(
        stages=[
            DocumentAssembler().setInputCol("text").setOutputCol("document"),
            SentenceDetector().setInputCols("document").setOutputCol("sentence"),
            Tokenizer().setInputCols("sentence").setOutputCol("token"),
            AlbertEmbeddings(model=str(bundle.path), inputCols=["sentence", "token"], outputCol="embeddings"),
        ]
    )
    out = stages.fit(frame).transform(frame)
    run = lambda: out.write.format("noop").mode("overwrite").save()  # noqa: E731
    out.limit(1).write.format("noop").mode("overwrite").save()
    peak, pipeline_s = peak_while(run)
    bare_s, pieces = bare_seconds(bundle, texts)
    print(
        f"\n{bundle.manifest.precision}: {pieces} pieces; bare ONNX Runtime {pieces / bare_s:.0f} pieces/s, "
        f"pipeline {pieces / pipeline_s:.0f} pieces/s (ratio {bare_s / pipeline_s:.2f}), "
        f"worker RSS {peak:.0f} MB; CPU features: {' '.join(cpu_features())}"
    )
    assert peak < RSS_LIMIT_MB[bundle.manifest.precision]
    first = out.orderBy("id").first()
    (words,) = WordEmbedder.load(bundle.path).embed([texts[0]])
    np.testing.assert_array_equal(
        np.array([a.embeddings for a in first.embeddings], np.float32), words.vectors
    )


def peak_while(run):
    done, peaks = Event(), [0.0]

    def watch():
        while not done.wait(0.2):
            peaks[0] = max(chain(peaks, worker_peaks()))

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


def bare_seconds(bundle, texts):
    """The same pieces through ONNX Runtime alone, sorted by length, on all cores."""
    embedder = WordEmbedder.load(bundle.path, threads=1)
    spans = [embedder._sentences.split(text) for text in texts]
    ids = [
        embedder.tokenizer.encode(text[slice(*span)]).ids
        for text, found in zip(texts, spans, strict=True)
        for span in found
    ]
    framed = [np.array([2, *one, 3]) for one in ids]
    session = EncoderSession(bundle, SessionOptions(threads=os.cpu_count() or 1))
    weights = layer_weights([-1], bundle.manifest.num_layers)
    session.run(*pad(framed[:1], 0), weights)
    started = time.perf_counter()
    for call in plan_calls(np.array([len(one) for one in framed]), BatchingOptions()):
        session.run(*pad([framed[index] for index in call], 0), weights)
    return time.perf_counter() - started, sum(map(len, framed))


def cpu_features():
    """What decides the speed of integer products."""
    known = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8")
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return ["unknown"]
    return [name for name in known if name in flags] or ["none of them"]
