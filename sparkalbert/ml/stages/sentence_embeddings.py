"""The sentence vector stage, which pools the vectors of each sentence's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from pyspark import keyword_only
from pyspark.ml.param import TypeConverters

from sparkalbert.errors import ColumnError
from sparkalbert.ml.columns import InputColumn
from sparkalbert.ml.schema import DOCUMENT, SENTENCE_EMBEDDINGS, WORD_EMBEDDINGS
from sparkalbert.ml.stages.params import HasPoolingStrategy, HasStorageRef, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.pooling_tasks import SentenceVectorTask, Strategy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SentenceEmbeddings"]

_DIMENSION: Final = 100  # what Spark NLP writes into the column's metadata by default


class SentenceEmbeddings(WorkerStage, HasPoolingStrategy, HasStorageRef, StageReadWrite):
    """Adds one vector per sentence (or document): the mean or the sum of its words' vectors.

    A word belongs to the sentence in its metadata. A sentence without words gets an empty vector. Sums are computed in
    single precision in the words' order, which gives Spark NLP's bits.

    Parameters
    ----------
    inputCols
        A document or sentence column and a word embeddings column.
    outputCol
        The column to add.
    poolingStrategy
        ``AVERAGE`` or ``SUM``.
    dimension, storageRef
        Width and origin of the vectors in the column's metadata.
    lazyAnnotator
        If true, a LightPipeline leaves the stage out.

    Examples
    --------
    >>> pooled = SentenceEmbeddings(inputCols=["sentence", "embeddings"], poolingStrategy="SUM")
    >>> pooled.getPoolingStrategy()
    'SUM'
    """

    name = "SentenceEmbeddings"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT, WORD_EMBEDDINGS)
    outputAnnotatorType = SENTENCE_EMBEDDINGS
    _inputs: ClassVar = SentenceVectorTask.inputs

    dimension = declare_param(
        "dimension",
        "Width of a vector in the column's metadata, 100 by default. It does not change vectors.",
        TypeConverters.toInt,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        poolingStrategy: Strategy | None = None,
        dimension: int | None = None,
        storageRef: str | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(outputCol="sentence_embeddings", poolingStrategy="AVERAGE", lazyAnnotator=False)
        self.setParams(**self._input_kwargs)

    def setDimension(self, value: int) -> Self:
        """Sets the width in the column's metadata."""
        return self._set(dimension=value)

    def getDimension(self) -> int:
        """Gets dimension, 100 by default."""
        return int(self.getOrDefault(self.dimension)) if self.isSet(self.dimension) else _DIMENSION

    def _task(self) -> SentenceVectorTask:
        return SentenceVectorTask(cast(Strategy, self.getPoolingStrategy()))

    def _column_metadata(self, columns: Sequence[InputColumn]) -> Mapping[str, Any]:
        _, words = columns
        own = self.getStorageRef() if self.isSet(self.storageRef) else None
        origin = own or words.field.metadata.get("ref")
        if origin is None:
            msg = (
                f"Could not find a ref name in column {words.name}. Make sure {words.name} was created appropriately "
                f"with a valid storageRef, or set the storageRef of {self.uid}."
            )
            raise ColumnError(msg)
        return {"annotatorType": SENTENCE_EMBEDDINGS, "dimension": self.getDimension(), "ref": origin}
