"""Saving and loading a stage on every Spark: classic and Connect, ``overwrite()`` included.

pyspark's own writer reaches for the JVM on ``overwrite()`` and fails on Connect. This one writes the
same metadata layout, so that either can read the other's. It knows Params, nothing about models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pyspark.ml.param import Params
from pyspark.ml.util import (
    DefaultParamsReader,
    DefaultParamsWriter,
    MLReadable,
    MLReader,
    MLWritable,
    MLWriter,
)
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["StageReadWrite", "StageReader", "StageWriter"]

T = TypeVar("T", bound="StageReadWrite")


class StageWriter(MLWriter):
    """Writes a stage's Params as ``metadata/``, then lets the stage add files of its own."""

    def __init__(self, stage: StageReadWrite) -> None:
        super().__init__()
        self._stage = stage

    def saveImpl(self, path: str) -> None:
        """Write the stage under `path`; fails where something lies already."""
        self._write(path, "error")

    def save(self, path: str) -> None:
        """Write the stage under `path`, replacing what lies there after :meth:`overwrite`."""
        self._write(path, "overwrite" if self.shouldOverwrite else "error")

    def _write(self, path: str, mode: str) -> None:
        spark = _session(self)
        metadata = DefaultParamsWriter._get_metadata_to_save(self._stage, spark)  # noqa: SLF001
        frame = spark.createDataFrame([(metadata,)], "value string").coalesce(1)
        frame.write.mode(mode).text(f"{path.rstrip('/')}/metadata")
        self._stage._save_files(spark, path.rstrip("/"))  # noqa: SLF001


class StageReader(MLReader[T]):
    """Reads what :class:`StageWriter` or pyspark's own writer wrote."""

    def __init__(self, stage_class: type[T]) -> None:
        super().__init__()
        self._class = stage_class

    def load(self, path: str) -> T:
        """Return the stage saved under `path`."""
        spark = _session(self)
        folder = path.rstrip("/")
        (row,) = spark.read.text(f"{folder}/metadata").collect()
        metadata = DefaultParamsReader._parseMetaData(row[0])  # noqa: SLF001
        return self._class._of_metadata(metadata, spark, folder)  # noqa: SLF001


class StageReadWrite(Params, MLReadable[Any], MLWritable):
    """Gives a stage ``write()``, ``save()``, ``read()`` and ``load()``."""

    def write(self) -> StageWriter:
        """Return a writer: ``stage.write().overwrite().save(path)``."""
        return StageWriter(self)

    @classmethod
    def read(cls) -> StageReader[Self]:
        """Return a reader: ``Stage.read().load(path)``."""
        return StageReader(cls)

    @classmethod
    def _of_metadata(cls, metadata: dict[str, Any], spark: SparkSession, path: str) -> Self:
        """Return the stage that saved metadata describes."""
        stage = cls()
        stage._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(stage, metadata)
        stage._load_files(spark, path)
        return stage

    def _save_files(self, spark: SparkSession, path: str) -> None:
        """Write what the Params alone do not hold."""

    def _load_files(self, spark: SparkSession, path: str) -> None:
        """Read what :meth:`_save_files` wrote."""


def _session(reader_or_writer: MLReader[Any] | MLWriter) -> SparkSession:
    spark = reader_or_writer._sparkSession or SparkSession.getActiveSession()  # noqa: SLF001
    return spark if spark is not None else SparkSession.builder.getOrCreate()
