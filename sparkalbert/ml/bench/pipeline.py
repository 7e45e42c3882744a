"""Runs our system on Spark: the pipeline of the model card, in a session of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.ml.bench.rows import CachedPrefixes, cached_rows
from sparkalbert.ml.bench.worker_times import WorkerTimes, added_times, worker_times
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.session.spark_session import QUIET, start
from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings

__all__ = ["PipelineSystem", "Sink", "write"]

Sink = Literal["noop", "parquet"]
"""``noop`` computes every row and drops it; ``parquet`` writes it."""


class PipelineSystem:
    """DocumentAssembler to AlbertEmbeddings with all defaults, into a sink.

    Parameters
    ----------
    bundle
        Folder of the model.
    texts, warm_up_texts
        The texts to embed, and a small part of them.
    cores
        Number of tasks that run at a time.
    sink
        What happens to the rows.
    folder
        The folder for Parquet files.
    """

    def __init__(
        self,
        bundle: str,
        texts: Sequence[str],
        warm_up_texts: Sequence[str],
        cores: int,
        sink: Sink = "noop",
        folder: str = "",
    ) -> None:
        self._texts, self._warm_up_texts = texts, warm_up_texts
        self._bundle = bundle
        self._cores = cores
        self._sink: Sink = sink
        self._folder = folder
        self._before: WorkerTimes = {}

    def load(self) -> dict[str, Any]:
        """Start Spark and read the model."""
        self._spark = start(master=f"local[{self._cores}]", params=QUIET)
        self._prefixes = CachedPrefixes(self._spark, self._texts, self._cores)
        warm_up = cached_rows(self._spark, self._warm_up_texts, self._cores)
        self._model = text_pipeline(AlbertEmbeddings.pretrained(self._bundle)).fit(warm_up)
        self._warm_up = self._model.transform(warm_up)
        return {"settings": f"tasks at a time: {self._cores}, defaults"}

    def warm_up(self) -> int:
        """Embed a few rows, which starts the workers and loads the model, and return the number of vectors."""
        vectors = self._warm_up.select(F.coalesce(F.sum(F.size("embeddings")), F.lit(0))).head()
        self._before = worker_times(self._spark, self._cores)
        return int(vectors[0]) if vectors else 0

    def take(self, rows: int) -> None:
        """Cache the first rows."""
        self._taken = self._model.transform(self._prefixes.first(rows))

    def embed(self) -> None:
        """Embed the rows into the sink."""
        write(self._taken, self._sink, self._folder)

    def measurements(self) -> dict[str, Any]:
        """Return what the workers counted since the warm-up."""
        after = worker_times(self._spark, self._cores)
        return {**added_times(self._before, after), "phase_cores": self._cores}


def write(frame: DataFrame, sink: Sink, folder: str) -> None:
    """Compute a DataFrame into a sink; Parquet files of an earlier round are replaced."""
    writer = frame.write.mode("overwrite")
    if sink == "noop":
        writer.format("noop").save()
    else:
        writer.parquet(folder)
