"""Texts read by Spark: lines, CSV, JSON lines or Parquet, every row kept.

It finds the format and checks the columns; it knows nothing about what is done with the texts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType

from sparkalbert.errors import ColumnError, InputError, ParamError
from sparkalbert.ml.schema import check_column, reference
from sparkalbert.ml.session.connect import is_connect_session

__all__ = ["INPUT_FORMATS", "InputFormat", "TextSource", "fine_splits", "input_format"]

InputFormat = Literal["text", "csv", "json", "parquet"]
INPUT_FORMATS: Final[tuple[str, ...]] = get_args(InputFormat)

_SUFFIXES: Final[dict[str, InputFormat]] = {
    ".txt": "text",
    ".text": "text",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}
_COMPRESSED: Final = {".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate"}

# FAILFAST: the default makes a row that cannot be read a row of nulls, and says nothing.
# nullValue: with the default a quoted empty text becomes null, as a missing one does.
_OPTIONS: Final[dict[InputFormat, dict[str, str]]] = {
    "text": {},
    "csv": {"header": "true", "multiLine": "true", "escape": '"', "mode": "FAILFAST", "nullValue": "\0"},
    "json": {"mode": "FAILFAST"},
    "parquet": {},
}

# Spark cuts files for moving data (128 MB a task); a megabyte of text keeps a core busy for long.
_FINE_SPLITS: Final = {
    "spark.sql.files.maxPartitionBytes": str(1 << 20),
    "spark.sql.files.openCostInBytes": str(1 << 14),
}


@dataclass(frozen=True)
class TextSource:
    """Where texts are and how to read them.

    Attributes
    ----------
    path
        A file, a folder or a pattern, as Spark takes it.
    format
        One of ``text`` (a row a line), ``csv`` (with a header; quotes may span lines), ``json`` (an
        object a line) and ``parquet``; None to go by the end of the name.
    text_col
        The column of texts. Lines get this name.
    id_cols
        The input columns to keep; None keeps all.
    partitions
        How many parts to spread the rows over; None leaves it to Spark, which keeps their order.
    """

    path: str
    format: InputFormat | None = None
    text_col: str = "text"
    id_cols: Sequence[str] | None = None
    partitions: int | None = None

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in INPUT_FORMATS:
            msg = f"format is {self.format!r}, expected one of {', '.join(INPUT_FORMATS)}."
            raise ParamError(msg)
        if self.format is None:
            input_format(self.path)
        if self.partitions is not None and self.partitions < 1:
            msg = f"partitions is {self.partitions}, expected at least 1."
            raise ParamError(msg)

    def read(self, spark: SparkSession) -> DataFrame:
        """Return the texts and the columns to keep.

        Raises
        ------
        InputError
            When there is nothing to read, or its format cannot be told.
        ColumnError
            When a column is missing or the text column holds no strings.
        """
        kind = self.format or input_format(self.path)
        reader = spark.read.options(**_OPTIONS[kind])
        try:
            frame = reader.format(kind).load(_as_seen_by(spark, self.path))
            if kind == "text":
                frame = frame.withColumnRenamed("value", self.text_col)
            self._check(frame)
        except PySparkException as error:
            msg = f"{self.path} cannot be read as {kind}: {str(error).splitlines()[0]}"
            raise InputError(msg) from error
        if self.id_cols is not None:
            kept = dict.fromkeys([*self.id_cols, self.text_col])
            frame = frame.select(*map(reference, kept))
        return frame if self.partitions is None else frame.repartition(self.partitions)

    def _check(self, frame: DataFrame) -> None:
        for column in self.id_cols or ():
            check_column(frame, column, self.path)
        field = check_column(frame, self.text_col, self.path)
        if not isinstance(field.dataType, StringType):
            msg = (
                f"{self.path}: column {field.name!r} is {field.dataType.simpleString()}, expected string. "
                "Name the column of texts with --text-col."
            )
            raise ColumnError(msg)


def input_format(path: str) -> InputFormat:
    """Return the format that the end of a name tells, compressed or not.

    Raises
    ------
    InputError
        When it tells none.

    Examples
    --------
    >>> input_format("s3a://bucket/reviews.csv.gz")
    'csv'
    """
    stem, suffix = posixpath.splitext(path.rstrip("/"))
    if suffix.lower() in _COMPRESSED:
        suffix = posixpath.splitext(stem)[1]
    found = _SUFFIXES.get(suffix.lower())
    if found is None:
        msg = f"The name {path} does not tell its format: pass --format with {', '.join(INPUT_FORMATS)}."
        raise InputError(msg)
    return found


@contextmanager
def fine_splits(spark: SparkSession) -> Iterator[None]:
    """Have files cut finely while the block runs, for cores to share and progress to show.

    A platform that forbids these settings (Databricks serverless) keeps its own.
    """
    before: dict[str, str | None] = {}
    for name, value in _FINE_SPLITS.items():
        try:
            old = spark.conf.get(name, None)
            spark.conf.set(name, value)
        except PySparkException:
            continue
        before[name] = old
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, old)


def _as_seen_by(spark: SparkSession, path: str) -> str:
    """A relative path is this process's, which a Spark Connect server cannot know."""
    if is_connect_session(spark) and Path(path).exists():
        return f"file:{Path(path).absolute()}"
    return path
