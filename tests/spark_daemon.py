"""Forks Spark's Python workers from a process that has imported what they need.

Spark's own daemon imports nothing, so each new worker imports everything: one and a half seconds of CPU time, and the
tests start hundreds of workers. The session of the tests names this module in ``spark.python.daemon.module``; sessions
that tests start in processes of their own keep Spark's daemon.
"""

import gc
import importlib
import sys
from pathlib import Path

_IMPORTED = [
    "pyspark.worker",
    "pandas",
    "pyarrow.compute",
    "regex",
    "sentencepiece",
    "sparkalbert.ml.worker.embedding_tasks",
    "sparkalbert.ml.worker.pooling_tasks",
    "sparkalbert.ml.worker.text_tasks",
]


def main():
    # The archive in which Spark carries pyspark along has no bytecode, the installed package has.
    sys.path = [path for path in sys.path if not path.endswith("pyspark.zip")]
    for name in _IMPORTED:
        importlib.import_module(name)
    # A process with threads must not fork, except for that of jemalloc, which Arrow brings and which knows of forks.
    # onnxruntime is not imported here because it starts another.
    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    assert len(threads) - threads.count("jemalloc_bg_thd") <= 1, threads
    gc.collect()
    gc.freeze()  # a worker's collections leave out what it shares with this process
    importlib.import_module("pyspark.daemon").manager()


if __name__ == "__main__":
    main()
