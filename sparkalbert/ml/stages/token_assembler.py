"""The stage that puts tokens together to documents again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pyspark import keyword_only
from pyspark.ml.param import TypeConverters

from sparkalbert.ml.schema import DOCUMENT, TOKEN
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.sentence_tasks import AssemblyTask

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TokenAssembler"]


class TokenAssembler(WorkerStage, StageReadWrite):
    """Adds a document for each document or sentence: its tokens, with a space where they are not adjacent.

    ``begin`` is that of the sentence, ``end`` follows from the length of the new text; the metadata is ``sentence``,
    the position in the row. A sentence without tokens becomes an empty document.

    Parameters
    ----------
    inputCols
        A document or sentence column, and a token column.
    outputCol
        The column to add.
    preservePosition
        If true, the white space of the sentence goes between the tokens instead of a space.
    lazyAnnotator
        If true, a LightPipeline leaves the stage out.

    Examples
    --------
    >>> TokenAssembler(inputCols=["sentence", "clean"], outputCol="text").setPreservePosition(
    ...     True
    ... ).getPreservePosition()
    True
    """

    name = "TokenAssembler"
    inputAnnotatorTypes: ClassVar = (DOCUMENT, TOKEN)
    outputAnnotatorType = DOCUMENT
    _inputs: ClassVar = AssemblyTask.inputs

    preservePosition = declare_param(
        "preservePosition",
        "If true, the white space of the sentence goes between the tokens instead of a space.",
        TypeConverters.toBoolean,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        preservePosition: bool | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self.setParams(**self._input_kwargs)

    def setPreservePosition(self, value: bool) -> Self:
        """Sets whether the white space of the sentence goes between the tokens."""
        return self._set(preservePosition=value)

    def getPreservePosition(self) -> bool | None:
        """Gets preservePosition, None by default, which means false."""
        value: bool | None = self._value_or_none(self.preservePosition)
        return value

    def _task(self) -> AssemblyTask:
        return AssemblyTask(bool(self.getPreservePosition()))
