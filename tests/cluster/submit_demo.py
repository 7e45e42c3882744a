"""Submits the batch job to a cluster whose executors have nothing but a packed environment, and reads the result back.

``make submit-demo`` packs the environment and runs it: ``python -m tests.cluster.submit_demo ENVIRONMENT.tar.gz``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pyarrow import parquet

from sparkalbert import WordEmbedder
from sparkalbert.ml.session.java import ensure_java
from tests.cluster.standalone import running_cluster

_ROOT = Path(__file__).resolve().parents[2]
_TEXTS = ["The bank refused the loan.", "We sat on the bank of the river.", "It's 5 o'clock, unbelievably late."]
_SETTINGS = {
    "spark.pyspark.python": "./environment/bin/python",
    "spark.pyspark.driver.python": sys.executable,
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={(_ROOT / 'conf' / 'log4j2.properties').as_uri()}",
    "spark.executor.memory": "512m",
    "spark.ui.enabled": "false",
}


def main(archive: Path) -> None:
    """Run the demo and print its command and what it wrote.

    Raises
    ------
    subprocess.CalledProcessError
        If the job fails.
    AssertionError
        If a vector is not the one that :class:`sparkalbert.WordEmbedder` computes here.
    """
    ensure_java()
    with (
        tempfile.TemporaryDirectory(prefix="submit-demo-") as name,
        running_cluster(Path(name), is_bare=True) as running,
    ):
        folder = Path(name)
        (folder / "texts.txt").write_text("".join(f"{text}\n" for text in _TEXTS), encoding="utf-8")
        settings = [word for setting, value in _SETTINGS.items() for word in ("--conf", f"{setting}={value}")]
        command = [
            *("spark-submit", "--master", running.url, "--archives", f"{archive}#environment", *settings),
            *(str(_ROOT / "conf" / "submit.py"), "embed", "texts.txt", "--model", "albert_mini_en"),
            *("--output", "vectors", "--partitions", "2"),
        ]
        print(shlex.join(command), flush=True)
        variables = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(_ROOT),  # of the driver; the nodes have environments of their own
        }
        subprocess.run(command, cwd=folder, env={**os.environ, **variables}, check=True)
        rows = {row["text"]: row for row in parquet.read_table(folder / "vectors").to_pylist()}
    assert sorted(rows) == sorted(_TEXTS)
    with WordEmbedder.load("albert_mini_en") as embedder:
        for text, words in zip(_TEXTS, embedder.embed(_TEXTS), strict=True):
            assert rows[text]["tokens"] == words.tokens
            assert np.array_equal(np.array(rows[text]["vectors"], np.float32), words.vectors)
            print(f"{len(words.tokens):>3} tokens: {text}")
    print("Every vector has the bits that WordEmbedder computes on this machine.")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
