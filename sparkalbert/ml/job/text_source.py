"""Reads texts with Spark from lines, CSV, TSV, JSON lines or Parquet. Every row is kept."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, get_args

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkalbert.errors import ColumnError, InputError, ParamError
from sparkalbert.ml.columns import find_column, wrong_type
from sparkalbert.ml.failures import raise_input_errors
from sparkalbert.ml.files import spark_path
from sparkalbert.ml.session.settings import changed_settings
from sparkalbert.options import check_choice
from sparkalbert.storage.paths import with_slashes

__all__ = ["INPUT_FORMATS", "InputFormat", "TextSource", "input_format"]

InputFormat = Literal["text", "csv", "tsv", "json", "parquet"]
INPUT_FORMATS: Final[tuple[str, ...]] = get_args(InputFormat)

_SUFFIXES: Final[dict[str, InputFormat]] = {
    ".txt": "text",
    ".text": "text",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}
_COMPRESSED: Final = {".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate"}

# FAILFAST: by default Spark silently turns a row that cannot be read into a row of nulls.
# nullValue: by default a quoted empty text becomes null, like a missing text.
_CSV: Final = {"header": "true", "multiLine": "true", "escape": '"', "mode": "FAILFAST", "nullValue": "\0"}
_OPTIONS: Final[dict[InputFormat, dict[str, str]]] = {
    "text": {},
    "csv": _CSV,
    "tsv": {**_CSV, "sep": "\t"},
    "json": {"mode": "FAILFAST"},
    "parquet": {},
}
_SPARK_FORMATS: Final[dict[InputFormat, str]] = {"tsv": "csv"}
_SEPARATED: Final = ("csv", "tsv")

# Spark cuts files for moving data (128 MB per task); a megabyte of text keeps a core busy for long.
_FINE_SPLITS: Final = {
    "spark.sql.files.maxPartitionBytes": str(1 << 20),
    "spark.sql.files.openCostInBytes": str(1 << 14),
}
# By default Spark 4 accepts few encodings, Windows code pages not among them, and a byte that the encoding does not
# have ends the job instead of becoming U+FFFD.
_ANY_ENCODING: Final = {"spark.sql.legacy.javaCharsets": "true", "spark.sql.legacy.codingErrorAction": "true"}


@dataclass(frozen=True)
class TextSource:
    """Describes where texts are and how to read them.

    Attributes
    ----------
    path
        A file, a folder or a pattern, as Spark takes it.
    format
        ``text`` (one row per line), ``csv`` or ``tsv`` (with a header; quotes may span lines), ``json`` (one object per
        line) or ``parquet``; None derives it from the suffix of the path.
    text_col
        The column of texts, with dots for a field of a struct. Lines of ``text`` get this name.
    id_cols
        The input columns to keep, with dots for a field of a struct; None keeps all.
    partitions
        Number of partitions to distribute the rows over; None keeps Spark's own, and with them the order of rows.
    sep
        The separator of ``csv`` and ``tsv``; by default a comma and a tab.
    encoding
        The encoding of the file, such as ``ISO-8859-1`` or ``windows-1252``; by default UTF-8. Not for ``parquet``.
    """

    path: str
    format: InputFormat | None = None
    text_col: str = "text"
    id_cols: Sequence[str] | None = None
    partitions: int | None = None
    sep: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.format is not None:
            check_choice("format", self.format, INPUT_FORMATS)
        if self.partitions is not None and self.partitions < 1:
            msg = f"partitions is {self.partitions}, expected at least 1."
            raise ParamError(msg)
        kind = self.file_format
        if self.sep is not None and kind not in _SEPARATED:
            msg = f"sep is for csv and tsv, but {self.path} is read as {kind}. Leave it out."
            raise ParamError(msg)
        if self.encoding is None:
            return
        if kind == "parquet":
            msg = f"encoding is for text files, but {self.path} is read as parquet. Leave it out."
            raise ParamError(msg)
        if kind == "text" and re.match(r"(?i)utf.?(16|32)", self.encoding):
            msg = f"Lines cannot be read in {self.encoding}. Convert {self.path} to UTF-8, or use csv or json."
            raise ParamError(msg)

    @property
    def file_format(self) -> InputFormat:
        """The format, as given or as the suffix of the path names it."""
        return self.format or input_format(self.path)

    def read(self, spark: SparkSession) -> DataFrame:
        """Return the texts and the columns to keep. Read the rows while :meth:`settings` are in effect.

        Raises
        ------
        InputError
            If there is nothing to read, or it cannot be read in this format.
        ColumnError
            If a column is missing, or if the text column does not contain strings.
        """
        kind = self.file_format
        with raise_input_errors(f"{self.path} cannot be read as {kind}"):
            reader = spark.read.options(**self._options())
            frame = reader.format(_SPARK_FORMATS.get(kind, kind)).load(spark_path(spark, self.path))
            if kind == "text":
                frame = frame.select(self._line(spark).alias(self.text_col))
            self._check(frame)
        if self.id_cols is not None:
            kept = [find_column(frame, name, self.path) for name in dict.fromkeys([*self.id_cols, self.text_col])]
            frame = frame.select(*(column.column.alias(column.name) for column in kept))
        return frame if self.partitions is None else frame.repartition(self.partitions)

    @contextmanager
    def settings(self, spark: SparkSession) -> Iterator[None]:
        """Have Spark cut files finely, so that all cores get work and progress is visible, while the block runs.

        A platform that forbids these settings (Databricks serverless) keeps its own.
        """
        with changed_settings(spark, {**_FINE_SPLITS, **(_ANY_ENCODING if self.encoding else {})}):
            yield

    def _options(self) -> dict[str, str]:
        options = dict(_OPTIONS[self.file_format])
        if self.sep is not None:
            options["sep"] = self.sep
        if self.encoding is not None and self.file_format != "text":
            options["encoding"] = self.encoding
            if self.file_format == "json":
                options["lineSep"] = "\n"  # Spark requires it for other encodings than UTF-8
        return options

    def _line(self, spark: SparkSession) -> Column:
        """Return the column of lines; Spark's reader of lines takes no encoding but leaves the bytes unchanged."""
        line = F.col("value")
        if self.encoding is None:
            return line
        spark.sql("SELECT decode(X'', ?)", [self.encoding]).collect()  # an unknown encoding fails here, not in the job
        return F.decode(line.cast("binary"), self.encoding)

    def _check(self, frame: DataFrame) -> None:
        for column in self.id_cols or ():
            find_column(frame, column, self.path)
        texts = find_column(frame, self.text_col, self.path)
        if not isinstance(texts.type, StringType):
            msg = f"{wrong_type(self.path, texts, 'string')} The column of texts is text_col (--text-col)."
            raise ColumnError(msg)


def input_format(path: str) -> InputFormat:
    """Return the format that the suffix of a path names; a suffix of compression is skipped.

    Raises
    ------
    InputError
        If the suffix is not known.

    Examples
    --------
    >>> input_format("s3a://bucket/reviews.csv.gz")
    'csv'
    """
    stem, suffix = posixpath.splitext(with_slashes(path).rstrip("/"))
    if suffix.lower() in _COMPRESSED:
        suffix = posixpath.splitext(stem)[1]
    found = _SUFFIXES.get(suffix.lower())
    if found is None:
        msg = f"The format of {path} is not known from its name. Pass format (--format): {', '.join(INPUT_FORMATS)}."
        raise InputError(msg)
    return found
