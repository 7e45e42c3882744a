"""The last stage: vectors out of annotations, as plain arrays or ML vectors.

Only Spark SQL expressions, evaluated in the JVM. It knows columns, nothing about models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark.ml import Transformer
from pyspark.ml.functions import array_to_vector
from pyspark.ml.param import TypeConverters
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError
from sparkalbert.ml.schema import WITH_VECTORS, annotator_type, reference
from sparkalbert.ml.stages.finishing import FinisherParams
from sparkalbert.ml.stages.local import LocalStep, RunsLocally, left_out
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EmbeddingsFinisher"]


class EmbeddingsFinisher(Transformer, FinisherParams, StageReadWrite, RunsLocally):
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

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(outputCols=[], outputAsVector=False, cleanAnnotations=False)
        self.setParams(**params)

    def setOutputAsVector(self, value: bool) -> Self:
        """Sets whether vectors come as ML vectors."""
        return self._set(outputAsVector=value)

    def getOutputAsVector(self) -> bool:
        """Gets outputAsVector or its default value."""
        return bool(self.getOrDefault(self.outputAsVector))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        names = self._column_names(dataset)
        for column in names:
            self._check_embeddings(dataset, column)
        finished = dataset
        for column, output in names.items():
            vectors = F.col(reference(column)).getField("embeddings")
            finished = finished.withColumn(output, self._form(vectors))
        return self._cleaned(finished)

    def _check_embeddings(self, dataset: DataFrame, column: str) -> None:
        kind = annotator_type(dataset, column)
        if kind is not None and kind not in WITH_VECTORS:
            msg = (
                f"{self.uid}: column [{column}] must be a type of either WordEmbeddings, BertEmbeddings, "
                f"ChunkEmbeddings, or SentenceEmbeddings, found {kind}."
            )
            raise ColumnError(msg)

    def _form(self, vectors: Column) -> Column:
        if not self.getOutputAsVector():
            return vectors
        # array_to_vector fails on null.
        return F.transform(vectors, lambda vector: F.when(vector.isNotNull(), array_to_vector(vector)))

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:  # noqa: ARG002 - nothing is read
        """Nothing: Spark NLP's LightPipeline passes it by, and gives vectors with parse_embeddings."""
        return left_out
