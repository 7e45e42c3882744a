"""The Params of :class:`~sparkalbert.AlbertEmbeddings` that Spark NLP's class of that name has too."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Final

from pyspark.ml.param import TypeConverters

from sparkalbert.errors import ParamError
from sparkalbert.inference.pooling import MIN_SENTENCE_LENGTH
from sparkalbert.ml.stages.params import HasLazyAnnotator, HasStorageRef, declare_param
from sparkalbert.options import check_choice, checked_integer

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SparkNlpParams"]

_MAX_LENGTH_LIMIT: Final = 512


class SparkNlpParams(HasLazyAnnotator, HasStorageRef):
    """Params that Spark NLP's ``AlbertEmbeddings`` has, under its names.

    Their defaults are set in `AlbertEmbeddingsParams._set_defaults`.
    """

    batchSize = declare_param(
        "batchSize",
        "Maximum number of sentences per batch. By default batches are filled to piecesPerBatch, which is faster; it "
        "never changes a vector.",
        TypeConverters.toInt,
    )
    dimension = declare_param(
        "dimension",
        "Width of a vector in the column's metadata. It follows from the model; set it only to have it checked.",
        TypeConverters.toInt,
    )
    maxSentenceLength = declare_param(
        "maxSentenceLength",
        "Maximum number of pieces per window, [CLS] and [SEP] included (3 to 512). Longer sentences are covered by "
        "overlapping windows; no word is cut off.",
        TypeConverters.toInt,
    )
    caseSensitive = declare_param(
        "caseSensitive",
        "If true, `result` keeps the case of tokens, and so does encoding 'token'. With encoding 'sentence' the "
        "model's own do_lower_case decides what the model sees.",
        TypeConverters.toBoolean,
    )
    engine = declare_param("engine", "Deep learning engine; always onnx.", TypeConverters.toString)
    configProtoBytes = declare_param(
        "configProtoBytes",
        "TensorFlow's ConfigProto; accepted for ported code and ignored.",
        TypeConverters.toListInt,
    )

    def setBatchSize(self, v: int) -> Self:
        """Sets the maximum number of sentences per batch; at least 1."""
        return self._set_checked(self.batchSize, v, partial(checked_integer, "batchSize", minimum=1))

    def getBatchSize(self) -> int:
        """Gets batchSize or its default value."""
        return checked_integer("batchSize", self.getOrDefault(self.batchSize), minimum=1)

    def setDimension(self, value: int) -> Self:
        """Sets the expected width of the model's vectors."""
        return self._set(dimension=value)

    def setMaxSentenceLength(self, value: int) -> Self:
        """Sets the maximum number of pieces per window, 3 to 512."""
        return self._set_checked(self.maxSentenceLength, value, _check_max_sentence_length)

    def getMaxSentenceLength(self) -> int:
        """Gets maxSentenceLength or its default value."""
        value = int(self.getOrDefault(self.maxSentenceLength))
        _check_max_sentence_length(value)
        return value

    def setCaseSensitive(self, value: bool) -> Self:
        """Sets whether tokens keep their case."""
        return self._set(caseSensitive=value)

    def getCaseSensitive(self) -> bool:
        """Gets caseSensitive or its default value."""
        return bool(self.getOrDefault(self.caseSensitive))

    def setEngine(self, value: str) -> Self:
        """Sets the engine; only ``onnx`` exists here."""
        return self._set_choice(self.engine, value, ("onnx",))

    def getEngine(self) -> str:
        """Gets the engine: ``onnx``."""
        return check_choice("engine", self.getOrDefault(self.engine), ("onnx",))

    def setConfigProtoBytes(self, b: list[int]) -> Self:
        """Accepts TensorFlow's ConfigProto and ignores it, with a warning."""
        warnings.warn("configProtoBytes configures TensorFlow; sparkalbert ignores it.", stacklevel=2)
        return self._set(configProtoBytes=b)

    def getConfigProtoBytes(self) -> list[int] | None:
        """Gets configProtoBytes, None by default."""
        value: list[int] | None = self._value_or_none(self.configProtoBytes)
        return value


def _check_max_sentence_length(value: int) -> None:
    if value > _MAX_LENGTH_LIMIT:
        msg = (
            "AlbertEmbeddings models do not support token sequences longer than 512.\n"
            "Consider splitting up the input first with another annotator e.g. SentenceDetector."
        )
        raise ParamError(msg)
    checked_integer("maxSentenceLength", value, minimum=MIN_SENTENCE_LENGTH)
