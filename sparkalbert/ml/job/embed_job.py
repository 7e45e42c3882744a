"""The batch job: read texts, embed them, write the vectors, whole or not at all.

It runs the pipeline of the model card on whatever session it is given and knows nothing about
command lines and screens.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import pyspark
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, InferenceError, ParamError
from sparkalbert.ml.job.output_folder import output_folder
from sparkalbert.ml.job.progress import Report, reported_progress
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.job.text_source import TextSource, fine_splits
from sparkalbert.ml.schema import reference
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.embedding_params import VectorFormat

__all__ = ["OUTPUT_FORMATS", "EmbedSummary", "OutputFormat", "VectorTarget", "embed_texts", "embedded_frame"]

OutputFormat = Literal["parquet", "json"]
OUTPUT_FORMATS: Final[tuple[str, ...]] = get_args(OutputFormat)

_PREFIX: Final = "_sparkalbert_"
_ARRAYS: Final = ("tokens", "begin", "end", "vectors")
_ANNOTATIONS: Final = ("embeddings",)
_OWN_ERROR: Final = "sparkalbert.errors."
_CAUSE: Final = "Caused by: "
_SPARK_ERRORS: Final = ("pyspark.", "py4j.")  # a Connect client may come without py4j: no import


@dataclass(frozen=True)
class VectorTarget:
    """Where vectors go, and in what form.

    Attributes
    ----------
    path
        The folder to appear.
    format
        ``parquet`` or ``json`` (an object a line).
    annotations
        Whether to write one ``embeddings`` column as Spark NLP has it instead of ``tokens``, ``begin``,
        ``end`` and ``vectors``.
    overwrite
        Whether the output of an earlier run may be replaced.
    vectors
        ``float`` or ``binary``, see ``vectorFormat`` of :class:`~sparkalbert.ml.AlbertEmbeddings`.
    """

    path: str
    format: OutputFormat = "parquet"
    annotations: bool = False
    overwrite: bool = False
    vectors: VectorFormat = "float"

    def __post_init__(self) -> None:
        if self.format not in OUTPUT_FORMATS:
            msg = f"output format is {self.format!r}, expected one of {', '.join(OUTPUT_FORMATS)}."
            raise ParamError(msg)
        if self.vectors == "binary" and (self.annotations or self.format != "parquet"):
            msg = (
                "vectors are to be binary, which goes into Parquet, in a column of their own: no annotations."
            )
            raise ParamError(msg)


@dataclass(frozen=True)
class EmbedSummary:
    """What a job did. Counts are None where Spark cannot count along (a Connect client of 3.5)."""

    rows: int | None
    tokens: int | None
    duration_s: float


def embed_texts(
    spark: SparkSession,
    embeddings: AlbertEmbeddings,
    source: TextSource,
    target: VectorTarget,
    report: Report | None = None,
) -> EmbedSummary:
    """Embed texts and return what was done.

    Parameters
    ----------
    spark
        Any session, classic or Connect.
    embeddings
        The model and its Params; its columns are set here.
    source, target
        What to read and where to write.
    report
        Told now and then how far Spark is.

    Raises
    ------
    InputError, ColumnError
        When the texts cannot be read, or an input column has the name of a result.
    OutputError
        When `target` exists and may not be replaced.
    InferenceError
        When the Spark job fails; the message ends with the reason.
    """
    started_s = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_named_failures())
        path = stack.enter_context(output_folder(spark, target.path, overwrite=target.overwrite))
        stack.enter_context(fine_splits(spark))
        stage = embeddings.setVectorFormat(target.vectors)
        frame = embedded_frame(source.read(spark), stage, source, annotations=target.annotations)
        counted, observation = _counted(frame, _ANNOTATIONS[0] if target.annotations else _ARRAYS[0])
        if report is not None:
            stack.enter_context(reported_progress(spark, f"sparkalbert: {source.path}", report))
        mode = "overwrite" if target.overwrite else "error"
        counted.write.format(target.format).mode(mode).save(path)
    counts: dict[str, Any] = {} if observation is None else observation.get
    return EmbedSummary(counts.get("rows"), counts.get("tokens"), time.monotonic() - started_s)


def embedded_frame(
    frame: DataFrame, embeddings: AlbertEmbeddings, source: TextSource, *, annotations: bool = False
) -> DataFrame:
    """Return the columns to keep and the results, one row for each row.

    Results are ``tokens`` (array<string>), ``begin``, ``end`` (array<int>, as in Spark NLP: UTF-16 units
    of the text, `end` inclusive) and ``vectors`` (array<array<float>>), of equal length; or, as
    `annotations`, the one column ``embeddings``. A null text has null results, an empty one empty ones.
    With ``vectorFormat`` ``binary``, ``vectors`` is array<binary>.

    Raises
    ------
    ColumnError
        When a column to keep has the name of a result.
    """
    results = _ANNOTATIONS if annotations else _ARRAYS
    kept = frame.columns if source.id_cols is None else list(source.id_cols)
    _check_names(kept, results)
    embedded = text_pipeline(embeddings, source.text_col, _PREFIX).fit(frame).transform(frame)
    token, vectors = F.col(f"{_PREFIX}token"), F.col(f"{_PREFIX}embeddings")
    columns: Sequence[Column] = [
        *(token.getField(field) for field in ("result", "begin", "end")),
        vectors if embeddings.getVectorFormat() == "binary" else vectors.getField("embeddings"),
    ]
    has_text = F.col(reference(source.text_col)).isNotNull()
    shown = [
        F.when(has_text, column).alias(name)
        for name, column in zip(results, [vectors] if annotations else columns, strict=True)
    ]
    return embedded.select(*(F.col(reference(name)) for name in kept), *shown)


def _check_names(kept: Sequence[str], results: Sequence[str]) -> None:
    taken = [name for name in kept if name.lower() in results]
    if taken:
        msg = (
            f"The input has the columns {', '.join(taken)}, and so have the results. Name the columns to "
            "keep with --id-cols, or rename those."
        )
        raise ColumnError(msg)


def _counted(frame: DataFrame, column: str) -> tuple[DataFrame, Observation | None]:
    """Rows and tokens counted while they are written: a second count would compute all vectors again."""
    if is_connect_session(frame.sparkSession) and int(pyspark.__version__.split(".")[0]) < 4:  # noqa: PLR2004
        return frame, None
    observation = Observation()
    tokens = F.sum(F.when(F.col(column).isNotNull(), F.size(column)).otherwise(0))
    return frame.observe(
        observation, F.count(F.lit(1)).alias("rows"), F.coalesce(tokens, F.lit(0)).alias("tokens")
    ), observation


@contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(_SPARK_ERRORS):
            raise
        msg = f"The Spark job failed: {_reason(str(error))}"
        raise InferenceError(msg) from error


def _reason(trace: str) -> str:
    """The line of a failed job's trace that tells a person what happened."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(_OWN_ERROR):
            return line.partition(": ")[2]
    causes = [line.removeprefix(_CAUSE) for line in lines if line.startswith(_CAUSE)]
    return (causes or lines or ["no reason given"])[-1 if causes else 0]
