"""The real Spark NLP's rows for one import folder, from a process of its own.

A process of the real one holds one ``model.onnx`` only: it sends the file to the workers under that name,
and Spark refuses another content (seen in 5.5.3). Run as a program, it reads texts as JSON from standard
input and prints their rows.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MARK = "rows: "


def rows_of_folder(peer_folder: Path, folder: Path, texts: Sequence[str | None]) -> Any:
    """For each text its annotations: [begin, end, result, metadata, embeddings]."""
    command = [sys.executable, __file__, str(peer_folder), str(folder)]
    done = subprocess.run(command, input=json.dumps(texts), text=True, capture_output=True, timeout=300, check=False)
    (rows,) = [line for line in done.stdout.splitlines() if line.startswith(_MARK)] or [done.stderr]
    assert rows.startswith(_MARK), rows[-4000:]
    return json.loads(rows.removeprefix(_MARK))


def _print_rows(peer_folder: Path, folder: str, texts: Sequence[str | None]) -> None:
    from pyspark.ml import Pipeline

    spec: Any = importlib.util.spec_from_file_location("spark_nlp", peer_folder / "spark_nlp.py")
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    spark = peer.session(conf={"spark.driver.memory": "2g", "spark.ui.showConsoleProgress": "false"})
    frame = spark.createDataFrame(list(enumerate(texts)), "id int, text string").coalesce(1)
    stages = peer.card_pipeline(spark, folder, batch_size=1)
    rows = Pipeline(stages=stages).fit(frame).transform(frame).orderBy("id").collect()
    found = [
        [[one.begin, one.end, one.result, one.metadata, list(one.embeddings)] for one in row.embeddings] for row in rows
    ]
    print("\n" + _MARK + json.dumps(found))


if __name__ == "__main__":
    _print_rows(Path(sys.argv[1]), sys.argv[2], json.load(sys.stdin))
