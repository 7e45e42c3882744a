"""Submits the batch job to a cluster whose executors have nothing but a packed environment, and reads the result back.

The settings are those of ``conf/spark-defaults.conf`` and ``conf/standalone.conf``, with own paths and sizes.
The executors run here, too, and could read the driver's folder; anybody may write to it, so they use what Spark sent.

``make submit-demo`` packs the environment and runs it: ``python -m tests.cluster.submit_demo ENVIRONMENT.tar.gz``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pyarrow import parquet

from sparkalbert import WordEmbedder
from sparkalbert.bundle import Bundle
from sparkalbert.bundle.packs import pack_name
from sparkalbert.ml.session.java import ensure_java
from sparkalbert.storage.homes import HOME_VARIABLE
from tests.cluster.standalone import Cluster, running_cluster

_ROOT = Path(__file__).resolve().parents[2]
_TEXTS = ["The bank refused the loan.", "We sat on the bank of the river.", "It's 5 o'clock, unbelievably late."]
_CONF = [_ROOT / "conf" / "spark-defaults.conf", _ROOT / "conf" / "standalone.conf"]
_EVERYBODY = 0o777
_SETTINGS = {
    "spark.pyspark.driver.python": sys.executable,
    "spark.cores.max": "4",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={(_ROOT / 'conf' / 'log4j2.properties').as_uri()}",
    "spark.executor.cores": "2",
    "spark.executor.memory": "512m",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "240s",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",  # no task runs before both nodes take part
    "spark.ui.enabled": "false",
}


def main(archive: Path) -> None:
    """Run the demo and print its command and what it wrote.

    Raises
    ------
    subprocess.CalledProcessError
        If the job fails.
    AssertionError
        If a vector is not the one that :class:`sparkalbert.WordEmbedder` computes here, or a node did not use the
        model that Spark sent.
    """
    ensure_java()
    with WordEmbedder.load("albert_mini_en") as embedder:
        bundle = embedder.bundle
        expected = embedder.embed(_TEXTS)
    with (
        tempfile.TemporaryDirectory(prefix="submit-demo-") as name,
        running_cluster(Path(name), is_bare=True) as running,
    ):
        folder = Path(name)
        (folder / "texts.txt").write_text("".join(f"{text}\n" for text in _TEXTS), encoding="utf-8")
        (folder / "cluster.conf").write_text(
            "".join(path.read_text(encoding="utf-8") for path in _CONF), encoding="utf-8"
        )
        model = Path(shutil.copytree(bundle.path, folder / "model"))
        model.chmod(_EVERYBODY)
        own = {"spark.archives": f"{archive}#environment", f"spark.executorEnv.{HOME_VARIABLE}": str(folder / "cache")}
        settings = [word for pair in (_SETTINGS | own).items() for word in ("--conf", "=".join(pair))]
        command = [
            *("spark-submit", "--master", running.url, "--properties-file", "cluster.conf", *settings),
            *(str(_ROOT / "conf" / "submit.py"), "embed", "texts.txt", "--model", str(model)),
            *("--output", "vectors", "--partitions", "2"),
        ]
        print(shlex.join(command), flush=True)
        variables = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(_ROOT),  # of the driver; the nodes have environments of their own
        }
        subprocess.run(command, cwd=folder, env={**os.environ, **variables}, check=True)
        rows = {row["text"]: row for row in parquet.read_table(folder / "vectors").to_pylist()}
        _check_nodes(running, bundle, folder / "cache")
    assert sorted(rows) == sorted(_TEXTS)
    for text, words in zip(_TEXTS, expected, strict=True):
        assert rows[text]["tokens"] == words.tokens
        assert np.array_equal(np.array(rows[text]["vectors"], np.float32), words.vectors)
        print(f"{len(words.tokens):>3} tokens: {text}")
    print(
        "Every vector has the bits that WordEmbedder computes on this machine; each node used the model that was sent."
    )


def _check_nodes(running: Cluster, bundle: Bundle, cache: Path) -> None:
    """Check that each node fetched the model once, and that it was installed from there."""
    for node in running.nodes:
        (application,) = (node.folder / "work").iterdir()
        assert node.fetched(application.name, pack_name(bundle)) == 1
    assert [path.name for path in (cache / "installed").iterdir()] == [bundle.digest]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
