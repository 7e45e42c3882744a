"""The chunk vector stage, which pools the vectors of each chunk's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pyspark import keyword_only
from pyspark.ml.param import TypeConverters

from sparkalbert.ml.columns import InputColumn
from sparkalbert.ml.schema import CHUNK, WORD_EMBEDDINGS
from sparkalbert.ml.stages.params import HasPoolingStrategy, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.pooling_tasks import ChunkVectorTask, Strategy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ChunkEmbeddings"]


class ChunkEmbeddings(WorkerStage, HasPoolingStrategy, StageReadWrite):
    """Adds one vector per chunk: the mean or the sum of the vectors of the words inside it.

    A word is inside a chunk if it belongs to the sentence in the chunk's metadata and is between the chunk's ``begin``
    and ``end``. A chunk without words is left out.

    Parameters
    ----------
    inputCols
        A chunk column and a word embeddings column.
    outputCol
        The column to add.
    poolingStrategy
        ``AVERAGE`` or ``SUM``.
    skipOOV
        If true, words without a vector of their own count only in chunks without other words.
    lazyAnnotator
        If true, a LightPipeline leaves the stage out.

    Notes
    -----
    Spark NLP uses the chunk's sentence as a position among the sentences that have vectors. After a sentence without
    vectors, its chunks therefore miss their words; here they do not.

    Examples
    --------
    >>> pooled = ChunkEmbeddings(inputCols=["chunk", "embeddings"], outputCol="chunk_embeddings")
    >>> pooled.setSkipOOV(False).getSkipOOV()
    False
    """

    name = "ChunkEmbeddings"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (CHUNK, WORD_EMBEDDINGS)
    outputAnnotatorType = WORD_EMBEDDINGS
    _inputs: ClassVar = ChunkVectorTask.inputs

    skipOOV = declare_param(
        "skipOOV",
        "If true, the default, words marked isOOV (without a vector of their own) count only in chunks without other "
        "words.",
        TypeConverters.toBoolean,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        poolingStrategy: Strategy | None = None,
        skipOOV: bool | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(outputCol="chunk_embeddings", poolingStrategy="AVERAGE", lazyAnnotator=False)
        self.setParams(**self._input_kwargs)

    def setSkipOOV(self, value: bool) -> Self:
        """Sets whether words without a vector of their own are left out."""
        return self._set(skipOOV=value)

    def getSkipOOV(self) -> bool | None:
        """Gets skipOOV, None by default."""
        value: bool | None = self._value_or_none(self.skipOOV)
        return value

    def _task(self) -> ChunkVectorTask:
        return ChunkVectorTask(cast(Strategy, self.getPoolingStrategy()), skip_oov=self.getSkipOOV() is not False)

    def _column_metadata(self, columns: Sequence[InputColumn]) -> Mapping[str, Any]:
        """Return the metadata of the word column: the vectors have the same width and origin."""
        _, words = columns
        return {**words.field.metadata, "annotatorType": WORD_EMBEDDINGS}
