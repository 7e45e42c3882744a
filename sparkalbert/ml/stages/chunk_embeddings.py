"""The chunk vector stage: chunks and word vectors in, one vector per chunk out.

How vectors become one is :mod:`sparkalbert.ml.worker.vector_tasks`' business; here are the Params.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pyspark.ml.param import TypeConverters
from pyspark.sql import DataFrame

from sparkalbert.ml.schema import CHUNK, WORD_EMBEDDINGS
from sparkalbert.ml.stages.annotator import TaskAnnotator
from sparkalbert.ml.stages.params import HasPoolingStrategy, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.worker.vector_tasks import CHUNK_FIELDS, CHUNK_WORD_FIELDS, ChunkVectorTask, Strategy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ChunkEmbeddings"]


class ChunkEmbeddings(TaskAnnotator, HasPoolingStrategy, StageReadWrite):
    """Adds one vector per chunk: the mean or the sum of the vectors of the words inside it.

    A word is inside when it belongs to the sentence that the chunk's metadata names and lies between
    the chunk's ``begin`` and ``end``. A chunk without words is left out.

    Parameters
    ----------
    **params
        Params by name: ``inputCols`` (a chunk column and a word embeddings column), ``outputCol``,
        ``poolingStrategy``, ``skipOOV``.

    Notes
    -----
    Spark NLP takes the chunk's sentence for a position among the sentences that have vectors. After a
    sentence without any vector, its chunks therefore miss their words; here they do not.

    Examples
    --------
    >>> pooled = ChunkEmbeddings(inputCols=["chunk", "embeddings"], outputCol="chunk_embeddings")
    >>> pooled.setSkipOOV(False).getSkipOOV()
    False
    """

    name = "ChunkEmbeddings"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (CHUNK, WORD_EMBEDDINGS)
    outputAnnotatorType = WORD_EMBEDDINGS
    _fields: ClassVar = {CHUNK: CHUNK_FIELDS, WORD_EMBEDDINGS: CHUNK_WORD_FIELDS}

    skipOOV = declare_param(
        "skipOOV",
        "Whether words marked isOOV (without a vector of their own) count only where a chunk has no others; "
        "true unless set.",
        TypeConverters.toBoolean,
    )

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(outputCol="chunk_embeddings", poolingStrategy="AVERAGE", lazyAnnotator=False)
        self.setParams(**params)

    def setSkipOOV(self, value: bool) -> Self:
        """Sets whether words without a vector of their own are left out."""
        return self._set(skipOOV=value)

    def getSkipOOV(self) -> bool | None:
        """Gets skipOOV, None unless set."""
        value: bool | None = self._value_or_none(self.skipOOV)
        return value

    def _task(self) -> ChunkVectorTask:
        return ChunkVectorTask(
            cast(Strategy, self.getPoolingStrategy()), skip_oov=self.getSkipOOV() is not False
        )

    def _column_metadata(self, dataset: DataFrame, found: Mapping[str, str]) -> dict[str, Any]:
        """The words' metadata: the vectors have their width and origin."""
        words = dataset.schema[found[WORD_EMBEDDINGS]].metadata
        return {**words, "annotatorType": WORD_EMBEDDINGS}
