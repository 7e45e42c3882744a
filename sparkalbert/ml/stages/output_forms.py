"""The forms of the column that :class:`~sparkalbert.AlbertEmbeddings` adds, and what each reads and computes.

A column of token lists gives lists of vectors. Two annotation columns give annotations, binary vectors, or the means of
sentences or documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql.types import DataType

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.columns import InputColumn, find_annotation_columns, find_column
from sparkalbert.ml.schema import (
    ANNOTATION_COLUMN_TYPE,
    BINARY_VECTOR,
    BINARY_VECTORS,
    VECTOR,
    VECTORS,
    is_token_list,
)
from sparkalbert.ml.stages.embedding_params import Compatibility, OutputLevel, VectorFormat
from sparkalbert.ml.stages.python_pass import annotator_workers_bytes
from sparkalbert.ml.worker.embedding_tasks import AnnotationTask, MeanVectorTask, TokenListTask
from sparkalbert.ml.worker.fields import Field
from sparkalbert.ml.worker.model import EmbedderSource
from sparkalbert.ml.worker.row_errors import ModelTask
from sparkalbert.vectors import BinaryFormat

__all__ = ["OutputForm", "OutputOptions", "output_form"]

_MEAN_TYPES: Final[Mapping[tuple[str, bool], DataType]] = {
    ("sentence", False): VECTORS,
    ("sentence", True): BINARY_VECTORS,
    ("document", False): VECTOR,
    ("document", True): BINARY_VECTOR,
}
"""Spark type of the means of each level, as numbers and as bytes."""


@dataclass(frozen=True)
class OutputOptions:
    """The Params of the stage that decide what its output contains.

    Attributes
    ----------
    level, vector_format, compatibility
        The Params of these names, checked.
    lower_case
        If true, annotations show tokens lower-cased.
    counted
        If true, tasks of annotation columns count their rows, see :class:`~.worker.row_counts.RowCounts`; a column of
        token lists is never counted.
    """

    level: OutputLevel
    vector_format: VectorFormat
    compatibility: Compatibility
    lower_case: bool
    counted: bool

    @property
    def binary(self) -> BinaryFormat | None:
        """How vectors become bytes; None for numbers."""
        return None if self.vector_format == "float" else self.vector_format

    @property
    def as_spark_nlp(self) -> bool:
        """Whether tokens that Spark NLP leaves out are left out."""
        return self.compatibility == "spark-nlp"

    def annotation_task(self, model: EmbedderSource) -> AnnotationTask:
        """Return the task that computes a vector for each token annotation."""
        return AnnotationTask(
            model,
            lower_case=self.lower_case,
            as_spark_nlp=self.as_spark_nlp,
            binary=self.binary,
            counted=self.counted,
        )


@dataclass(frozen=True)
class OutputForm:
    """A form of the output, with its input columns checked.

    Attributes
    ----------
    columns
        The columns that the task reads.
    fields
        What it reads of each of them.
    make_task
        Returns the task of the workers, given their model.
    type
        Spark type of the output.
    annotator_bytes
        Memory of the workers that compute the input columns.
    """

    columns: Sequence[InputColumn]
    fields: Sequence[Sequence[Field]]
    make_task: Callable[[EmbedderSource], ModelTask]
    type: DataType
    annotator_bytes: int

    @property
    def is_annotation(self) -> bool:
        """Whether the output is an annotation column, which has metadata."""
        return self.type == ANNOTATION_COLUMN_TYPE


def output_form(
    dataset: DataFrame, names: Sequence[str], types: Sequence[str], options: OutputOptions, uid: str
) -> OutputForm:
    """Check input columns and options, and return the form of their output.

    Parameters
    ----------
    dataset
        What the stage transforms.
    names
        One column of token lists, or two annotation columns in any order.
    types
        The annotator types of these two, in the order in which a task reads them.
    options
        What the output contains.
    uid
        The stage, for messages.

    Raises
    ------
    ColumnError
        If a column does not exist or has another type.
    ParamError
        If options contradict each other or do not apply to these columns.
    """
    if len(names) == 1:
        return _token_list_form(find_column(dataset, names[0], uid), options, uid)
    if options.binary is not None and options.as_spark_nlp and options.level == "token":
        msg = (
            f"compatibility is {options.compatibility!r}, which leaves tokens out, but there is one binary "
            "vector for each token. Set vectorFormat to 'float', or compatibility to 'none'."
        )
        raise ParamError(msg)
    found = find_annotation_columns(dataset, names, types, uid)
    columns = [found[kind] for kind in types]
    return _annotation_form(columns, options) if options.level == "token" else _mean_form(columns, options)


def _token_list_form(column: InputColumn, options: OutputOptions, uid: str) -> OutputForm:
    if options.level != "token":
        msg = (
            f"outputLevel is {options.level!r}, which {uid} computes from annotations only. Pass two "
            "columns, document and token, or set outputLevel to 'token'."
        )
        raise ParamError(msg)
    if not is_token_list(column.type):
        msg = (
            f"Column {column.name!r} is {column.type.simpleString()}, but {uid} with one input column "
            "expects array<string>. For annotations pass two columns: document and token."
        )
        raise ColumnError(msg)
    if options.compatibility != "none":
        msg = (
            f"compatibility is {options.compatibility!r}, which leaves tokens out, but the list of vectors "
            f"for column {column.name!r} must be as long as the list of tokens. Pass two annotation columns, or "
            "set compatibility to 'none'."
        )
        raise ParamError(msg)
    task = partial(TokenListTask, binary=options.binary)
    kind = VECTORS if options.binary is None else BINARY_VECTORS
    return OutputForm([column], TokenListTask.inputs, task, kind, annotator_bytes=0)


def _annotation_form(columns: Sequence[InputColumn], options: OutputOptions) -> OutputForm:
    kind = ANNOTATION_COLUMN_TYPE if options.binary is None else BINARY_VECTORS
    return OutputForm(columns, AnnotationTask.inputs, options.annotation_task, kind, annotator_workers_bytes())


def _mean_form(columns: Sequence[InputColumn], options: OutputOptions) -> OutputForm:
    task = partial(
        MeanVectorTask,
        of_sentences=options.level == "sentence",
        as_spark_nlp=options.as_spark_nlp,
        binary=options.binary,
        counted=options.counted,
    )
    kind = _MEAN_TYPES[options.level, options.binary is not None]
    return OutputForm(columns, MeanVectorTask.inputs, task, kind, annotator_workers_bytes())
