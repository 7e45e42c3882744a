"""The batch job: reads texts, embeds them with the pipeline of the model card, and writes the vectors."""

from __future__ import annotations

import json
import logging
import os
import posixpath
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Final, Literal, get_args

import pyspark
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkalbert.errors import ColumnError, InferenceError, OutputError, ParamError
from sparkalbert.ml.columns import find_column
from sparkalbert.ml.failures import raise_job_errors
from sparkalbert.ml.files import reads_from, remote_files, spark_folder
from sparkalbert.ml.job.progress import Report, reported_progress
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.job.text_source import TextSource
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.embedding_params import OutputLevel, VectorFormat
from sparkalbert.ml.stages.row_errors import error_column
from sparkalbert.ml.worker.row_counts import COUNTS
from sparkalbert.ml.worker.row_errors import MIN_ROWS
from sparkalbert.ml.worker.udf import valid_strings
from sparkalbert.options import check_choice
from sparkalbert.storage.folders import FileSystem, FolderKind, LocalFileSystem, check_target
from sparkalbert.storage.paths import local_path
from sparkalbert.vectors import SUMMARY_FILE

__all__ = [
    "OUTPUT_FORMATS",
    "EmbedSummary",
    "OutputFormat",
    "VectorTarget",
    "check_local_target",
    "embed_texts",
    "embedded_frame",
]

OutputFormat = Literal["parquet", "json"]
OUTPUT_FORMATS: Final[tuple[str, ...]] = get_args(OutputFormat)

_LOGGER: Final = logging.getLogger("sparkalbert")
_PREFIX: Final = "_sparkalbert_"
_EMBEDDINGS: Final = f"{_PREFIX}embeddings"
_RESULTS: Final[dict[OutputLevel, tuple[str, ...]]] = {
    "token": ("tokens", "begin", "end", "vectors"),
    "sentence": ("sentences", "begin", "end", "vectors"),
    "document": ("vector",),
}
_ANNOTATIONS: Final = ("embeddings",)
_ERROR: Final = "error"
_SUCCESS_FILE: Final = "_SUCCESS"
_REPLACEMENT: Final = "\ufffd"
_HAS_OBSERVATIONS: Final = int(pyspark.__version__.partition(".")[0]) >= 4  # noqa: PLR2004 - on Spark Connect


@dataclass(frozen=True)
class VectorTarget:
    """Specifies where vectors are written, and in what form.

    Attributes
    ----------
    path
        The folder to write.
    format
        ``parquet`` or ``json`` (one object per line).
    annotations
        If true, one ``embeddings`` column in Spark NLP's form is written instead of ``tokens``, ``begin``, ``end`` and
        ``vectors``.
    overwrite
        If true, the output of an earlier run is replaced.
    vectors
        ``float``, ``binary`` or ``binary16``, see ``vectorFormat`` of :class:`~sparkalbert.ml.AlbertEmbeddings`.
    level
        ``token``, or ``sentence`` or ``document`` for the means of their tokens' vectors.
    """

    path: str
    format: OutputFormat = "parquet"
    annotations: bool = False
    overwrite: bool = False
    vectors: VectorFormat = "float"
    level: OutputLevel = "token"

    def __post_init__(self) -> None:
        check_choice("output format", self.format, OUTPUT_FORMATS)
        if self.vectors != "float" and (self.annotations or self.format != "parquet"):
            msg = "Binary vectors require Parquet output and cannot be combined with annotations."
            raise ParamError(msg)
        if self.level != "token" and self.annotations:
            msg = f"Annotations have a vector for each token, but level is {self.level!r}. Leave one of them out."
            raise ParamError(msg)


@dataclass(frozen=True)
class EmbedSummary:
    """Summarizes a job.

    Attributes
    ----------
    rows, tokens
        What was embedded; None, as every other count, if Spark cannot count while it writes (a Connect client of Spark
        3.5).
    duration_s
        Seconds from the call to the finished output.
    nulls
        Rows whose text is null.
    failures
        Rows that could not be embedded, with ``onError`` ``null``; otherwise None. Their tokens are not counted.
    replaced_texts
        Texts that contain U+FFFD, which stands for bytes that are not characters in the encoding that was read.
    replacement_characters
        How often these texts contain it: once for each such byte, or for a character of several bytes that is cut off.
    windows
        Sequences of pieces that cover the sentences: one for each sentence, several if it is longer than
        ``maxSentenceLength``. Equal sequences are computed once.
    pieceless_tokens
        Tokens without a piece, such as a lone zero-width space, whose vectors are zeros. With ``compatibility``
        ``spark-nlp`` they are left out and not counted.
    """

    rows: int | None
    tokens: int | None
    duration_s: float
    nulls: int | None = None
    failures: int | None = None
    replaced_texts: int | None = None
    replacement_characters: int | None = None
    windows: int | None = None
    pieceless_tokens: int | None = None


def embed_texts(
    spark: SparkSession,
    embeddings: AlbertEmbeddings,
    source: TextSource,
    target: VectorTarget,
    report: Report | None = None,
) -> EmbedSummary:
    """Embed texts and return what was done. The output appears when it is complete.

    The summary is also written to ``_summary.json`` in the output, if this process reaches the folder and can write
    there. If anything fails once the vectors are complete, they are kept, and a logged warning names their folder. Only
    if more rows failed than ``maxErrorFraction`` allows, they are removed, or the error names the folder to remove.

    Parameters
    ----------
    spark
        Any session, classic or Connect.
    embeddings
        The model and its Params; the stage is not changed, and its columns are ignored.
    source, target
        What to read and where to write.
    report
        Called from time to time with the progress, see :func:`.progress.reported_progress`, which also names the jobs.
        If None, the jobs of a classic session stay in the caller's job group.

    Raises
    ------
    InputError, ColumnError
        If the texts cannot be read, or if an input column has the name of a result.
    OutputError
        If `target` exists and must not be replaced, contains the texts, or cannot be written.
    InferenceError
        If the Spark job fails for another reason; an error of sparkalbert on a worker keeps its class. Also if more
        rows than ``maxErrorFraction`` allows could not be embedded.
    """
    started_s = time.monotonic()
    _check_own_input(source, target)
    with ExitStack() as stack:
        stack.enter_context(raise_job_errors())
        check_remote = partial(_check_remote, spark, overwrite=target.overwrite)
        path, files = stack.enter_context(
            spark_folder(spark, target.path, _vectors_folder, overwrite=target.overwrite, check_remote=check_remote)
        )
        stack.enter_context(source.settings(spark))
        stage = embeddings.copy().setVectorFormat(target.vectors).setOutputLevel(target.level)
        observation = None if is_connect_session(spark) and not _HAS_OBSERVATIONS else Observation()
        if observation is None and stage.getOnError() == "null":
            _LOGGER.warning(
                "A Connect client of Spark %s cannot count rows while it writes, so maxErrorFraction "
                "(--max-error-fraction) is checked only within each partition, from its row %d on, and not for all "
                "rows at the end. The column '%s' has the rows that failed. A client of Spark 4 counts them.",
                pyspark.__version__, MIN_ROWS, _ERROR,
            )  # fmt: skip
        texts = source.read(spark)
        if target.overwrite and reads_from(texts, target.path):
            raise _contains_texts(source, target)
        frame = embedded_frame(texts, stage, source, annotations=target.annotations, observation=observation)
        stack.enter_context(reported_progress(spark, f"sparkalbert: {source.path}", report))
        mode = "overwrite" if target.overwrite else "error"
        frame.write.format(target.format).mode(mode).save(path)
        counts: dict[str, int] = {} if observation is None else observation.get
        try:
            _check_failures(counts, stage, target.path if files is None else None)
        except InferenceError:
            if files is not None:
                _remove_unwanted(files, path)
            raise
        names = [field.name for field in fields(EmbedSummary) if field.name != "duration_s"]
        summary = EmbedSummary(duration_s=time.monotonic() - started_s, **{name: counts.get(name) for name in names})
        if files is not None:
            _write_summary(files, path, summary, target)
    return summary


def _remove_unwanted(files: FileSystem, folder: str) -> None:
    """Remove vectors that are complete, but of which too many are null."""
    try:
        files.remove(folder)
    except OSError as error:
        _LOGGER.warning("%s could not be removed (%s); too many of its rows are null. Remove it.", folder, error)


def check_local_target(target: VectorTarget) -> None:
    """Check a target on this machine's file system before long work, as :func:`embed_texts` does.

    Raises
    ------
    OutputError
        If it exists and must not be replaced.
    """
    folder = local_path(target.path)
    if folder is not None:
        check_target(folder, _vectors_folder(LocalFileSystem()), overwrite=target.overwrite)


def embedded_frame(
    frame: DataFrame,
    embeddings: AlbertEmbeddings,
    source: TextSource,
    *,
    annotations: bool = False,
    observation: Observation | None = None,
) -> DataFrame:
    """Return the columns to keep and the results, one row for each row.

    Strings that are kept are written as they were embedded: invalid UTF-8 is replaced by U+FFFD.

    Results are ``tokens`` (array<string>), ``begin``, ``end`` (array<int>, as in Spark NLP: UTF-16 units of the text,
    `end` inclusive) and ``vectors`` (array<array<float>>), of equal length; or, as `annotations`, the single column
    ``embeddings``. A null text has null results, an empty text empty results. With ``vectorFormat`` ``binary`` or
    ``binary16``, ``vectors`` is array<binary>. With ``compatibility`` ``spark-nlp``, tokens that Spark NLP leaves out
    are left out. With ``outputLevel`` ``sentence`` there are ``sentences`` in the place of tokens, with ``document``
    only ``vector`` (array<float> or binary; zeros for an empty text). With ``onError`` ``null`` there is one more
    column, ``error``: why a row has no vectors.

    An `observation` gets the counts of :class:`EmbedSummary` when the rows are written. They are counted in the same
    pass: a second job would compute all vectors again.

    Raises
    ------
    ColumnError
        If a column to keep has the name of a result.
    """
    level = embeddings.getOutputLevel()
    may_fail = embeddings.getOnError() == "null"
    results = (*(_ANNOTATIONS if annotations else _RESULTS[level]), *([_ERROR] if may_fail else []))
    names = frame.columns if source.id_cols is None else source.id_cols
    kept = [find_column(frame, name, source.path) for name in names]
    _check_names([column.name for column in kept], results)
    text = find_column(frame, source.text_col, source.path).column
    stage = embeddings._for_job(source.text_col, counts_rows=observation is not None)  # noqa: SLF001 - for this job
    embedded = text_pipeline(stage, source.text_col, _PREFIX).fit(frame).transform(frame)
    if observation is not None:
        embedded = embedded.observe(observation, *_counts(text, may_fail=may_fail))
    columns = [F.col(_EMBEDDINGS)] if annotations else _result_columns(embeddings, level)
    if may_fail:
        columns = [*columns, F.col(error_column(_EMBEDDINGS))]
    has_text = text.isNotNull()
    shown = [F.when(has_text, column).alias(name) for name, column in zip(results, columns, strict=True)]
    carried = [valid_strings(column.column, column.type).alias(column.name) for column in kept]
    return embedded.select(*carried, *shown)


def _result_columns(embeddings: AlbertEmbeddings, level: OutputLevel) -> Sequence[Column]:
    vectors = F.col(_EMBEDDINGS)
    if level == "document":
        return [vectors]
    present = F.col(f"{_PREFIX}{level}")
    if level == "token" and embeddings.getCompatibility() == "spark-nlp":
        present = vectors
    is_annotation = level == "token" and embeddings.getVectorFormat() == "float"
    parts = [present.getField(field) for field in ("result", "begin", "end")]
    return [*parts, vectors.getField("embeddings") if is_annotation else vectors]


def _vectors_folder(files: FileSystem) -> FolderKind:
    """Return how to recognize the output of a job: Spark writes the success file last."""
    return FolderKind(_SUCCESS_FILE, is_ours=lambda folder: files.exists(f"{folder}/{_SUCCESS_FILE}"))


def _check_remote(spark: SparkSession, target: str, *, overwrite: bool) -> None:
    """Check a folder that only the Connect server sees: Spark lists no ``_SUCCESS``, so file names decide."""
    found = remote_files(spark, target)
    ours = all(posixpath.basename(path).startswith("part-") for path in found)
    if found and not (ours and overwrite):
        hint = "Pass overwrite=True (--overwrite) to replace it" if ours else "Choose another folder"
        msg = f"{target} already exists. {hint}."
        raise OutputError(msg)


def _check_own_input(source: TextSource, target: VectorTarget) -> None:
    """Check that a folder that is written does not contain the texts that are read, as far as their paths show it."""
    paths = [local_path(path) for path in (source.path, target.path)]
    read, written = (path.rstrip("/") if local is None else Path(os.path.realpath(local)).as_posix()
                     for path, local in zip((source.path, target.path), paths, strict=True))  # fmt: skip
    if read == written or read.startswith(f"{written}/"):
        raise _contains_texts(source, target)


def _contains_texts(source: TextSource, target: VectorTarget) -> OutputError:
    msg = f"{target.path} cannot be written: it contains the texts of {source.path}. Choose another folder."
    return OutputError(msg)


def _check_names(kept: Sequence[str], results: Sequence[str]) -> None:
    taken = [name for name in kept if name.lower() in results]
    if taken:
        msg = (
            f"The input has the columns {', '.join(taken)}, and so do the results. Name the columns to keep with "
            "id_cols (--id-cols), or rename those columns."
        )
        raise ColumnError(msg)


def _counts(text: Column, *, may_fail: bool) -> list[Column]:
    """Return the counts of a job, given the column of its texts."""
    is_replaced = F.coalesce(text.rlike(_REPLACEMENT), F.lit(False))  # also finds bytes that Spark reads unchanged
    valid = valid_strings(text, StringType())
    replacements = F.length(valid) - F.length(F.translate(valid, _REPLACEMENT, ""))
    summed = {
        "nulls": text.isNull().cast("long"),
        "replaced_texts": is_replaced.cast("long"),
        "replacement_characters": F.when(is_replaced, replacements),
        **{name: F.col(f"{_EMBEDDINGS}_{name}") for name in COUNTS},
    }
    counts = [F.coalesce(F.sum(column), F.lit(0)).alias(name) for name, column in summed.items()]
    failures = [F.count(F.col(error_column(_EMBEDDINGS))).alias("failures")] if may_fail else []
    return [F.count(F.lit(1)).alias("rows"), *counts, *failures]


def _check_failures(counts: Mapping[str, int], stage: AlbertEmbeddings, kept: str | None) -> None:
    """Raise InferenceError if too many rows failed.

    Parameters
    ----------
    counts
        The counts of the job.
    stage
        How many may fail.
    kept
        The folder of the output if it cannot be removed from here.
    """
    rows, failures, fraction = counts.get("rows", 0), counts.get("failures", 0), stage.getMaxErrorFraction()
    if failures > fraction * rows:
        msg = (
            f"{failures} of {rows} rows cannot be embedded, more than maxErrorFraction {fraction:g} "
            "(--max-error-fraction) allows. Set onError to 'fail' (--on-error fail) to see the reason of the first, or "
            "increase maxErrorFraction."
        )
        if kept is not None:
            msg = f"{msg} The rows were written to {kept}, which only Spark can reach. Remove that folder."
        raise InferenceError(msg)


def _write_summary(files: FileSystem, folder: str, summary: EmbedSummary, target: VectorTarget) -> None:
    """Write the summary and the format of the vectors beside the vectors, which are complete without it."""
    try:
        with tempfile.TemporaryDirectory() as work:
            path, content = Path(work) / SUMMARY_FILE, {**asdict(summary), "vectors": target.vectors}
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            files.upload(path, f"{folder}/{SUMMARY_FILE}")
    except OSError as error:
        _LOGGER.warning("%s has no %s, which cannot be written: %s", target.path, SUMMARY_FILE, error)
