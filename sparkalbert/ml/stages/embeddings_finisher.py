"""The last stage for vectors, which takes them out of annotations. It consists of Spark SQL expressions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.functions import array_to_vector
from pyspark.ml.param import TypeConverters
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError
from sparkalbert.ml.columns import InputColumn, annotator_type
from sparkalbert.ml.schema import WITH_VECTORS
from sparkalbert.ml.stages.finishing import FinisherParams
from sparkalbert.ml.stages.local import LocalStep, RunsLocally, identity_step
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EmbeddingsFinisher"]


class EmbeddingsFinisher(Transformer, FinisherParams, StageReadWrite, RunsLocally):
    """Adds, for each embeddings column, a column of its vectors: ``array<array<float>>`` or ML vectors.

    Parameters
    ----------
    inputCols
        Embeddings columns.
    outputCols
        The columns to add, one for each.
    outputAsVector
        If true, vectors are ML vectors (of doubles).
    cleanAnnotations
        If true, every annotation column is dropped.

    Examples
    --------
    >>> finisher = EmbeddingsFinisher(inputCols=["embeddings"], outputAsVector=True)
    >>> finisher.setOutputCols("vectors").getOutputCols()
    ['vectors']
    """

    name = "EmbeddingsFinisher"

    outputAsVector = declare_param(
        "outputAsVector",
        "If true, vectors are ML vectors (of doubles) rather than arrays of floats.",
        TypeConverters.toBoolean,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCols: list[str] | None = None,
        outputAsVector: bool | None = None,
        cleanAnnotations: bool | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(outputCols=[], outputAsVector=False, cleanAnnotations=False)
        self.setParams(**self._input_kwargs)

    def setOutputAsVector(self, value: bool) -> Self:
        """Sets whether vectors are ML vectors."""
        return self._set(outputAsVector=value)

    def getOutputAsVector(self) -> bool:
        """Gets outputAsVector or its default value."""
        return bool(self.getOrDefault(self.outputAsVector))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        columns = self._finished_columns(dataset)
        for _, column in columns:
            self._check_embeddings(column)
        finished = dataset
        for output, column in columns:
            finished = self._with_column(finished, output, self._form(column.column.getField("embeddings")))
        return self._cleaned(finished)

    def _check_embeddings(self, column: InputColumn) -> None:
        kind = annotator_type(column.field)
        if kind is not None and kind not in WITH_VECTORS:
            msg = (
                f"{self.uid}: column [{column.name}] must be a type of either WordEmbeddings, BertEmbeddings, "
                f"ChunkEmbeddings, or SentenceEmbeddings, found {kind}."
            )
            raise ColumnError(msg)

    def _form(self, vectors: Column) -> Column:
        if not self.getOutputAsVector():
            return vectors
        # array_to_vector fails on null.
        return F.transform(vectors, lambda vector: F.when(vector.isNotNull(), array_to_vector(vector)))

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        """Return a step that does nothing: Spark NLP's LightPipeline ignores the stage, see parse_embeddings."""
        return identity_step
