"""Runs a pipeline in a process that has the package pyspark-client only: no Spark, no Java, no ``SparkContext``.

``make test-client`` installs that environment and runs ``python -m tests.cluster.client_demo PYTHON_OF_THE_CLIENT``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pyspark.sql import SparkSession

from sparkalbert import WordEmbedder
from sparkalbert.ml.session.java import ensure_java

_TEXTS = ["The bank refused the loan.", "We sat on the bank of the river.", ""]

_CLIENT = """
import json, sys
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
    AlbertEmbeddings(model="albert_mini_en", inputCols=["sentence", "token"], outputCol="embeddings"),
]
Pipeline(stages=stages).fit(frame).save(folder + "/pipeline")
made = PipelineModel.load(folder + "/pipeline").transform(frame)
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
        If a vector is not the one that :class:`sparkalbert.WordEmbedder` computes here.
    """
    ensure_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.plugins", "org.apache.spark.sql.connect.SparkConnectPlugin")
    builder = builder.config("spark.connect.grpc.binding.address", "127.0.0.1")
    server = builder.config("spark.connect.grpc.binding.port", port).getOrCreate()
    environment = {name: value for name, value in os.environ.items() if "SPARK" not in name}
    with tempfile.TemporaryDirectory(prefix="client-demo-") as folder:
        script = Path(folder) / "client.py"  # under `python -c` this client takes itself for pyspark's own tests
        script.write_text(_CLIENT, encoding="utf-8")
        command = [client_python, str(script), f"sc://127.0.0.1:{port}", folder, json.dumps(_TEXTS)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    server.stop()
    rows, num_predicted = json.loads(done.stdout.splitlines()[-1])
    with WordEmbedder.load("albert_mini_en") as embedder:
        for text, row, words in zip(_TEXTS, rows, embedder.embed(_TEXTS), strict=True):
            found = np.array(row, dtype=np.float32).reshape(-1, embedder.dimension)
            assert np.array_equal(found, words.vectors)
            print(f"{len(found):>3} tokens: {text}")
    assert num_predicted == sum(map(len, rows)) + 1  # an empty text keeps its row
    print("Every vector has the bits that WordEmbedder computes on this machine.")


if __name__ == "__main__":
    main(sys.argv[1])
