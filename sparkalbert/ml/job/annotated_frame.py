"""What a pipeline of the model card's shape computes of a DataFrame, collected on the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import ArrayType, StringType, StructType

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.columns import find_column, quote_name, wrong_type
from sparkalbert.ml.failures import raise_job_errors
from sparkalbert.ml.schema import DOCUMENT, TOKEN, WORD_EMBEDDINGS
from sparkalbert.ml.session.settings import changed_settings
from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.document_assembler import DocumentAssembler
from sparkalbert.ml.worker.udf import valid_strings

__all__ = ["ANNOTATED", "AnnotatedColumns", "collect_annotated", "collect_texts", "numbered_texts", "text_frame"]

ANNOTATED: Final = (
    "document",
    "sentence_begin",
    "sentence_end",
    "sentence",
    "token_begin",
    "token_end",
    "token",
    "token_sentence",
    "vector_begin",
    "vector_end",
    "vector_sentence",
    "piece",
    "vector",
)
"""What is collected of each row; the last five only if vectors are requested."""

_PREFIX: Final = "_sparkalbert_"
_NUMBER: Final = "_sparkalbert_number"
_ARROW: Final = {"spark.sql.execution.arrow.pyspark.enabled": "true"}
"""Without it, floats reach the driver one by one."""

_STRINGS: Final = ArrayType(StringType())
_ROWS_PER_TASK: Final = 32
_MAX_TASKS: Final = 200


@dataclass(frozen=True)
class AnnotatedColumns:
    """The columns of a pipeline by their role.

    Attributes
    ----------
    text
        The input of the DocumentAssembler.
    document, sentence, token, embeddings
        The annotation columns; without a SentenceDetector `sentence` is the document.
    """

    text: str
    document: str
    sentence: str
    token: str
    embeddings: str

    @classmethod
    def of(cls, pipeline: PipelineModel) -> AnnotatedColumns:
        """Return the columns of a pipeline.

        Raises
        ------
        ParamError
            If it has not one DocumentAssembler and one stage of each kind that follows.
        """
        stages = [stage for stage in pipeline.stages if hasattr(stage, "outputAnnotatorType")]
        assembler = _only(stages, DOCUMENT, "DocumentAssembler", of_class=DocumentAssembler)
        others = [stage for stage in stages if stage is not assembler]
        token = _only(others, TOKEN, "Tokenizer")
        embeddings = _only(others, WORD_EMBEDDINGS, "AlbertEmbeddings", of_class=AlbertEmbeddings)
        if (embeddings.getOutputLevel(), embeddings.getVectorFormat()) != ("token", "float"):
            msg = (
                f"outputLevel and vectorFormat of {embeddings.uid} are {embeddings.getOutputLevel()!r} and "
                f"{embeddings.getVectorFormat()!r}, expected 'token' and 'float'; predict() has output_level for the "
                "other levels."
            )
            raise ParamError(msg)
        inputs = [name for name in embeddings.getInputCols() if name != token.getOutputCol()]
        if len(inputs) != 1 or token.getOutputCol() not in embeddings.getInputCols():
            msg = (
                f"The AlbertEmbeddings of the pipeline reads {embeddings.getInputCols()}, expected a document or "
                f"sentence column and {token.getOutputCol()!r}."
            )
            raise ParamError(msg)
        return cls(
            assembler.getInputCol(),
            assembler.getOutputCol(),
            inputs[0],
            token.getOutputCol(),
            embeddings.getOutputCol(),
        )

    def dimension(self, pipeline: PipelineModel) -> int:
        """Return the width of the pipeline's vectors."""
        stages: list[Any] = pipeline.stages
        return next(
            stage.getDimension()
            for stage in stages
            if isinstance(stage, AlbertEmbeddings) and stage.getOutputCol() == self.embeddings
        )


def text_frame(spark: SparkSession, frame: pd.DataFrame, text_col: str) -> DataFrame:
    """Return a pandas DataFrame as a Spark DataFrame, with a column of texts of type string.

    Spark infers no type from missing values alone, nor from no values: such columns have the type of their pandas
    column, and those of Python objects are strings.

    Raises
    ------
    ColumnError
        If a column has values of several types.
    """
    rows = frame.astype(object).where(frame.notna(), None)  # type: ignore[call-overload]  # Spark refuses NaN in texts
    try:
        if frame.empty:
            return spark.createDataFrame([], _schema(frame, text_col))
        missing = [name for name in frame.columns if not frame[name].notna().any()]
        if not missing:
            return spark.createDataFrame(rows)
        types = _schema(frame[missing], text_col)
        with_values = spark.createDataFrame(rows.assign(**dict.fromkeys(missing, "")))
    except (TypeError, ValueError) as error:  # errors of pyspark and Arrow are such errors, too
        reason = str(error).partition("\n")[0]
        msg = f"The data cannot become a Spark DataFrame ({reason}). Expected values of one type in each column."
        raise ColumnError(msg) from error
    return with_values.withColumns({field.name: F.lit(None).cast(field.dataType) for field in types})


def _schema(frame: pd.DataFrame, text_col: str) -> StructType:
    """Return the Spark types of an empty DataFrame's columns; those of Python objects are strings."""
    schema = StructType()
    for field in pa.Schema.from_pandas(frame, preserve_index=False):
        is_text = field.name == text_col or pa.types.is_null(field.type)
        schema.add(field.name, StringType() if is_text else from_arrow_type(field.type))
    return schema


def numbered_texts(spark: SparkSession, texts: Sequence[str], text_col: str) -> DataFrame:
    """Return texts of this process as a DataFrame, spread over tasks, with the number of each."""
    rows = pd.DataFrame({_NUMBER: range(len(texts)), text_col: pd.Series(texts, dtype=object)})
    tasks = min(max(len(texts) // _ROWS_PER_TASK, 1), _MAX_TASKS)
    with changed_settings(spark, _ARROW):
        return spark.createDataFrame(rows, f"{_NUMBER} long, {quote_name(text_col)} string").repartition(tasks)


def collect_texts(
    spark: SparkSession, texts: Sequence[str], pipeline: PipelineModel, columns: AnnotatedColumns, *, with_vectors: bool
) -> pd.DataFrame:
    """Return what a pipeline computes for texts of this process: :data:`ANNOTATED`, one row for each, in their order.

    Raises
    ------
    ParamError
        If the pipeline adds or removes rows.
    ColumnError, InferenceError
        As for :func:`collect_annotated`.
    """
    frame = numbered_texts(spark, texts, columns.text)
    given, computed = collect_annotated(frame, pipeline, columns, with_vectors=with_vectors)
    if given[_NUMBER].tolist() != list(range(len(texts))):
        msg = (
            "predict() expects one row for each text, but a stage of the pipeline adds or removes rows "
            "(explodeSentences, a filter). Leave it out."
        )
        raise ParamError(msg)
    return computed


def collect_annotated(
    frame: DataFrame, pipeline: PipelineModel, columns: AnnotatedColumns, *, with_vectors: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run a pipeline and return its input columns and what it computed.

    Parameters
    ----------
    frame
        The texts; those of :func:`numbered_texts` come back in their order.
    pipeline
        The pipeline.
    columns
        Its columns.
    with_vectors
        If false, the vectors are not computed.

    Returns
    -------
    tuple of DataFrame
        The columns of `frame`, and :data:`ANNOTATED`.

    Raises
    ------
    ColumnError
        If the column of texts does not contain strings.
    InferenceError
        If the Spark job fails; an error of sparkalbert on a worker keeps its class.
    """
    text = find_column(frame, columns.text, "predict")
    if not isinstance(text.type, StringType):
        raise ColumnError(wrong_type("predict", text, "string"))
    parts = {name: column.alias(_PREFIX + name) for name, column in _parts(columns, with_vectors).items()}
    with raise_job_errors(), changed_settings(frame.sparkSession, _ARROW):
        # toPandas raises on a string that is not valid UTF-8.
        given = [
            valid_strings(F.col(quote_name(field.name)), field.dataType).alias(field.name) for field in frame.schema
        ]
        collected = pipeline.transform(frame).select(*given, *parts.values()).toPandas()
    if _NUMBER in frame.columns:
        collected = collected.sort_values(_NUMBER, ignore_index=True)
    computed = collected[[_PREFIX + name for name in parts]]
    return collected[frame.columns], computed.rename(columns=lambda name: name.removeprefix(_PREFIX))


def _parts(columns: AnnotatedColumns, with_vectors: bool) -> dict[str, Column]:
    document, sentence, token, word = (
        F.col(quote_name(name)) for name in (columns.document, columns.sentence, columns.token, columns.embeddings)
    )
    values: list[Column] = [
        valid_strings(document.getField("result"), _STRINGS),
        *(sentence.getField(field) for field in ("begin", "end")),
        valid_strings(sentence.getField("result"), _STRINGS),  # without a SentenceDetector it is the document
        *(token.getField(field) for field in ("begin", "end", "result")),
        _metadata(token, "sentence"),
    ]
    if with_vectors:
        values += [
            *(word.getField(field) for field in ("begin", "end")),
            _metadata(word, "sentence"),
            _metadata(word, "pieceId"),
            word.getField("embeddings"),
        ]
    return dict(zip(ANNOTATED, values, strict=False))


def _metadata(column: Column, key: str) -> Column:
    return F.transform(column, lambda annotation: annotation.getField("metadata").getItem(key).cast("int"))


def _only(stages: Sequence[Any], kind: str, name: str, of_class: type | None = None) -> Any:
    found = [
        stage
        for stage in stages
        if stage.outputAnnotatorType == kind and (of_class is None or isinstance(stage, of_class))
    ]
    if len(found) != 1:
        msg = (
            f"The pipeline has {len(found)} stages that add a column of type {kind!r}, expected one {name}. predict() "
            "takes pipelines of DocumentAssembler, SentenceDetector, Tokenizer and AlbertEmbeddings."
        )
        raise ParamError(msg)
    return found[0]
