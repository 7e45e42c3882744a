"""The real Spark NLP's rows for one import folder, from a process of its own.

A process of the real one holds one ``model.onnx`` only: it sends the file to the workers under that name,
and Spark refuses another content (seen in 5.5.3). Run as a program, it reads texts as JSON from standard
input and prints their rows.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.peers.real_session import card_pipeline, peer_folder, start

_ROOT = Path(__file__).resolve().parents[2]
_MARK = "rows: "


def rows_of_folder(folder: Path, texts: Sequence[str | None]) -> Any:
    """For each text its annotations: [begin, end, result, metadata, embeddings]."""
    command = [sys.executable, "-m", "tests.peers.model_runs", str(folder)]
    done = subprocess.run(
        command, cwd=_ROOT, input=json.dumps(texts), text=True, capture_output=True, timeout=300, check=False
    )
    (rows,) = [line for line in done.stdout.splitlines() if line.startswith(_MARK)] or [done.stderr]
    assert rows.startswith(_MARK), rows[-4000:]
    return json.loads(rows.removeprefix(_MARK))


def _print_rows(folder: str, texts: Sequence[str | None]) -> None:
    from pyspark.ml import Pipeline

    spark = start(peer_folder(), conf={"spark.driver.memory": "2g", "spark.ui.showConsoleProgress": "false"})
    frame = spark.createDataFrame(list(enumerate(texts)), "id int, text string").coalesce(1)
    stages = card_pipeline(spark, folder, batch_size=1)
    rows = Pipeline(stages=[*stages]).fit(frame).transform(frame).orderBy("id").collect()
    found = [
        [[one.begin, one.end, one.result, one.metadata, list(one.embeddings)] for one in row.embeddings] for row in rows
    ]
    print("\n" + _MARK + json.dumps(found))


if __name__ == "__main__":
    _print_rows(sys.argv[1], json.load(sys.stdin))
