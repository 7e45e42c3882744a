"""The last stage: vectors out of annotations, as plain arrays or ML vectors.

Only Spark SQL expressions, evaluated in the JVM. It knows columns, nothing about models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.ml import Transformer
from pyspark.ml.functions import array_to_vector
from pyspark.ml.param import TypeConverters
from pyspark.ml.param.shared import HasInputCols, HasOutputCols
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.schema import (
    WITH_VECTORS,
    annotator_type,
    check_column,
    is_annotation_type,
    reference,
)
from sparkalbert.ml.stages.local import LocalStep, RunsLocally, left_out
from sparkalbert.ml.stages.params import HasParamKeywords, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EmbeddingsFinisher"]


class EmbeddingsFinisher(
    Transformer, HasInputCols, HasOutputCols, HasParamKeywords, StageReadWrite, RunsLocally
):
    """Adds, for each embeddings column, a column of its vectors: ``array<array<float>>`` or ML vectors.

    Parameters
    ----------
    **params
        Params by name: ``inputCols``, ``outputCols``, ``outputAsVector``, ``cleanAnnotations``.

    Examples
    --------
    >>> finisher = EmbeddingsFinisher(inputCols=["embeddings"], outputAsVector=True)
    >>> finisher.setOutputCols("vectors").getOutputCols()
    ['vectors']
    """

    name = "EmbeddingsFinisher"

    outputAsVector = declare_param(
        "outputAsVector",
        "Whether vectors come as ML vectors (of doubles) rather than as arrays of floats.",
        TypeConverters.toBoolean,
    )
    cleanAnnotations = declare_param(
        "cleanAnnotations", "Whether every annotation column is dropped.", TypeConverters.toBoolean
    )

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(outputCols=[], outputAsVector=False, cleanAnnotations=False)
        self.setParams(**params)

    def setInputCols(self, *value: str | list[str]) -> Self:
        """Sets the embeddings columns: names, or one list of names."""
        return self._set(inputCols=_names(value))

    def setOutputCols(self, *value: str | list[str]) -> Self:
        """Sets the names of the new columns; ``finished_`` and the input's name unless set."""
        return self._set(outputCols=_names(value))

    def setOutputAsVector(self, value: bool) -> Self:
        """Sets whether vectors come as ML vectors."""
        return self._set(outputAsVector=value)

    def getOutputAsVector(self) -> bool:
        """Gets outputAsVector or its default value."""
        return bool(self.getOrDefault(self.outputAsVector))

    def setCleanAnnotations(self, value: bool) -> Self:
        """Sets whether every annotation column is dropped."""
        return self._set(cleanAnnotations=value)

    def getCleanAnnotations(self) -> bool:
        """Gets cleanAnnotations or its default value."""
        return bool(self.getOrDefault(self.cleanAnnotations))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        names = self._column_names()
        for column in names:
            _check_embeddings(dataset, column, self.uid)
        finished = dataset
        for column, output in names.items():
            vectors = F.col(reference(column)).getField("embeddings")
            finished = finished.withColumn(output, self._form(vectors))
        if not self.getCleanAnnotations():
            return finished
        kept = [field.name for field in finished.schema.fields if not is_annotation_type(field.dataType)]
        return finished.select([F.col(reference(name)) for name in kept])

    def _column_names(self) -> dict[str, str]:
        """Output column of each input column."""
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols: setInputCols("embeddings") or other embeddings columns.'
            raise ParamError(msg)
        columns = self.getInputCols()
        outputs = self.getOutputCols() or [f"finished_{column}" for column in columns]
        if len(columns) != len(outputs):
            msg = (
                f"inputCols and outputCols length must match, found {len(columns)} and {len(outputs)} in "
                f"{self.uid}. Please name one output column for each input column."
            )
            raise ParamError(msg)
        return dict(zip(columns, outputs, strict=True))

    def _form(self, vectors: Column) -> Column:
        if not self.getOutputAsVector():
            return vectors
        # array_to_vector fails on null.
        return F.transform(vectors, lambda vector: F.when(vector.isNotNull(), array_to_vector(vector)))

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:  # noqa: ARG002 - nothing is read
        """Nothing: Spark NLP's LightPipeline passes it by, and gives vectors with parse_embeddings."""
        return left_out


def _names(value: Sequence[str | list[str]]) -> Any:
    return value[0] if len(value) == 1 and isinstance(value[0], list) else list(value)


def _check_embeddings(dataset: DataFrame, column: str, stage: str) -> None:
    field = check_column(dataset, column, stage)
    if not is_annotation_type(field.dataType):
        found = field.dataType.simpleString()
        msg = f"{stage}: column [{column}] must be an NLP Annotation column, found {found}."
        raise ColumnError(msg)
    kind = annotator_type(dataset, column)
    if kind is not None and kind not in WITH_VECTORS:
        msg = (
            f"{stage}: column [{column}] must be a type of either WordEmbeddings, BertEmbeddings, "
            f"ChunkEmbeddings, or SentenceEmbeddings, found {kind}."
        )
        raise ColumnError(msg)
