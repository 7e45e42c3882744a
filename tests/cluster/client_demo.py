"""Runs a pipeline in a process that has the package pyspark-client only: no Spark, no Java, no ``SparkContext``.

The workers do not see the client's model, so they must take it from the file that the client sent.

``make test-client`` installs that environment and runs ``python -m tests.cluster.client_demo PYTHON_OF_THE_CLIENT``.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pyspark.sql import SparkSession

from sparkalbert import WordEmbedder
from sparkalbert.bundle import Bundle
from sparkalbert.ml.session.java import ensure_java
from sparkalbert.models import find_model
from sparkalbert.storage.homes import HOME_VARIABLE

_TEXTS = ["The bank refused the loan.", "We sat on the bank of the river.", ""]

_CLIENT = """
import json, os, sys
import pyspark
import sparkalbert
from pyspark.ml import Pipeline, PipelineModel
from sparkalbert import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer

url, folder, texts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
assert not hasattr(pyspark, "SparkContext")
spark = sparkalbert.start(master=url)
frame = spark.createDataFrame([(text,) for text in texts], "text string")
stages = [
    DocumentAssembler(inputCol="text"),
    SentenceDetector(inputCols=["document"]),
    Tokenizer(inputCols=["sentence"]),
    AlbertEmbeddings(model=folder + "/model", inputCols=["sentence", "token"], outputCol="embeddings"),
]
Pipeline(stages=stages).fit(frame).save(folder + "/pipeline")
made = PipelineModel.load(folder + "/pipeline").transform(frame)
for name in ("model", "pipeline", "client"):  # where the model was, where it was saved, and the cache of this client
    os.rename(f"{folder}/{name}", f"{folder}/hidden-{name}")
rows = [[list(map(float, one.embeddings)) for one in row.embeddings] for row in made.collect()]
predicted = sparkalbert.load("albert_mini_en").predict(frame, output_level="token")
print(json.dumps([rows, len(predicted)]))
"""


def main(client_python: str) -> None:
    """Run the demo and print what it compared.

    Raises
    ------
    subprocess.CalledProcessError
        If the client fails.
    AssertionError
        If a vector is not the one that :class:`sparkalbert.WordEmbedder` computes here, or the workers did not install
        the model that the client sent.
    """
    ensure_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    bundle = find_model("albert_mini_en")
    with tempfile.TemporaryDirectory(prefix="client-demo-") as folder:
        _run(client_python, bundle, Path(folder))


def _run(client_python: str, bundle: Bundle, folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.plugins", "org.apache.spark.sql.connect.SparkConnectPlugin")
    builder = builder.config("spark.connect.grpc.binding.address", "127.0.0.1")
    os.environ[HOME_VARIABLE] = str(folder / "node")  # of the workers
    server = builder.config("spark.connect.grpc.binding.port", port).getOrCreate()
    environment = {name: value for name, value in os.environ.items() if "SPARK" not in name}
    environment[HOME_VARIABLE] = str(folder / "client")
    shutil.copytree(bundle.path, folder / "model")
    script = folder / "client.py"  # under `python -c` this client takes itself for pyspark's own tests
    script.write_text(_CLIENT, encoding="utf-8")
    command = [client_python, str(script), f"sc://127.0.0.1:{port}", str(folder), json.dumps(_TEXTS)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    server.stop()
    assert [path.name for path in (folder / "node" / "installed").iterdir()] == [bundle.digest]
    rows, num_predicted = json.loads(done.stdout.splitlines()[-1])
    with WordEmbedder.load("albert_mini_en") as embedder:
        for text, row, words in zip(_TEXTS, rows, embedder.embed(_TEXTS), strict=True):
            found = np.array(row, dtype=np.float32).reshape(-1, embedder.dimension)
            assert np.array_equal(found, words.vectors)
            print(f"{len(found):>3} tokens: {text}")
    assert num_predicted == sum(map(len, rows)) + 1  # an empty text keeps its row
    print("The workers used the model that the client sent.")
    print("Every vector has the bits that WordEmbedder computes on this machine.")


if __name__ == "__main__":
    main(sys.argv[1])
