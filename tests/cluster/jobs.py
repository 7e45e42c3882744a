"""The batch job as an application on a cluster, while no worker sees the driver's model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import DataFrameWriter, SparkSession

from sparkalbert import AlbertEmbeddings
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_source import TextSource

__all__ = ["TASKS", "embed", "embed_alone", "session"]

TASKS = 8
"""Tasks of the job; four of them run at once."""

_SETTINGS = {
    "spark.cores.max": "4",
    "spark.default.parallelism": str(TASKS),
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.executor.cores": "2",
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "240s",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",  # no task runs before both nodes take part
    "spark.task.maxFailures": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def session(master: str, settings: dict[str, str] | None = None) -> SparkSession:
    """Return the session of a new application."""
    builder = SparkSession.builder.master(master).appName("sparkalbert tests")
    for name, value in {**_SETTINGS, **(settings or {})}.items():
        builder = builder.config(name, value)
    started = builder.getOrCreate()
    started.sparkContext.setLogLevel("OFF")
    return started


def embed(spark: SparkSession, model: Path, texts: Path, output: Path) -> pa.Table:
    """Run the batch job and return what it wrote, bytes and all, ordered by id.

    While Spark runs the job, the folder of the model has another name, so that workers can only use what was sent.
    """
    save = DataFrameWriter.save

    def save_without_model(writer: DataFrameWriter, *arguments: Any, **options: Any) -> None:
        hidden = model.rename(model.with_name("hidden"))
        try:
            save(writer, *arguments, **options)
        finally:
            hidden.rename(model)

    stage = AlbertEmbeddings.pretrained(str(model))
    with mock.patch.object(DataFrameWriter, "save", save_without_model):
        embed_texts(spark, stage, TextSource(str(texts), "parquet"), VectorTarget(str(output), vectors="binary"))
    return parquet.read_table(output).sort_by("id")


def embed_alone(master: str, settings: dict[str, str], model: str, texts: str, output: str) -> pa.Table:
    """Run the batch job as the only application of this process."""
    own_model = Path(shutil.copytree(model, f"{output}-model"))
    spark = session(master, settings)
    try:
        return embed(spark, own_model, Path(texts), Path(output))
    finally:
        spark.stop()
