"""The sentence vector stage: sentences and word vectors in, one vector per sentence out.

How vectors become one is :mod:`sparkalbert.ml.worker.vector_tasks`' business; here are the Params.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from pyspark.ml.param import TypeConverters
from pyspark.sql import DataFrame

from sparkalbert.errors import ColumnError
from sparkalbert.ml.schema import DOCUMENT, SENTENCE_EMBEDDINGS, WORD_EMBEDDINGS
from sparkalbert.ml.stages.annotator import TaskAnnotator
from sparkalbert.ml.stages.params import HasPoolingStrategy, HasStorageRef, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.worker.vector_tasks import SENTENCE_FIELDS, WORD_FIELDS, SentenceVectorTask, Strategy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SentenceEmbeddings"]

_DIMENSION: Final = 100  # what Spark NLP writes into the column's metadata unless told otherwise


class SentenceEmbeddings(TaskAnnotator, HasPoolingStrategy, HasStorageRef, StageReadWrite):
    """Adds one vector per sentence (or document): the mean or the sum of its words' vectors.

    A word belongs to the sentence that its metadata names. A sentence without words gets an empty
    vector. Sums are made in single precision in the words' order, which gives Spark NLP's bits.

    Parameters
    ----------
    **params
        Params by name: ``inputCols`` (a document or sentence column and a word embeddings column),
        ``outputCol``, ``poolingStrategy``, ``dimension``, ``storageRef``.

    Examples
    --------
    >>> pooled = SentenceEmbeddings(inputCols=["sentence", "embeddings"], poolingStrategy="SUM")
    >>> pooled.getPoolingStrategy()
    'SUM'
    """

    name = "SentenceEmbeddings"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT, WORD_EMBEDDINGS)
    outputAnnotatorType = SENTENCE_EMBEDDINGS
    _fields: ClassVar = {DOCUMENT: SENTENCE_FIELDS, WORD_EMBEDDINGS: WORD_FIELDS}

    dimension = declare_param(
        "dimension",
        "Width of a vector as the column's metadata tells it, 100 unless set. It changes no vector.",
        TypeConverters.toInt,
    )

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(outputCol="sentence_embeddings", poolingStrategy="AVERAGE", lazyAnnotator=False)
        self.setParams(**params)

    def setDimension(self, value: int) -> Self:
        """Sets the width that the column's metadata tells."""
        return self._set(dimension=value)

    def getDimension(self) -> int:
        """Gets dimension, 100 unless set."""
        return int(self.getOrDefault(self.dimension)) if self.isSet(self.dimension) else _DIMENSION

    def _task(self) -> SentenceVectorTask:
        return SentenceVectorTask(cast(Strategy, self.getPoolingStrategy()))

    def _column_metadata(self, dataset: DataFrame, found: Mapping[str, str]) -> dict[str, Any]:
        column = found[WORD_EMBEDDINGS]
        own = self.getStorageRef() if self.isSet(self.storageRef) else None
        origin = own or dataset.schema[column].metadata.get("ref")
        if origin is None:
            msg = (
                f"Could not find a ref name in column {column}. Make sure {column} was created appropriately "
                f"with a valid storageRef, or set the storageRef of {self.uid}."
            )
            raise ColumnError(msg)
        return {"annotatorType": SENTENCE_EMBEDDINGS, "dimension": self.getDimension(), "ref": origin}
