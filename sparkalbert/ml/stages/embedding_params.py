"""The Params of :class:`~sparkalbert.ml.AlbertEmbeddings`: Spark NLP's, then our own.

Setters check what can be checked without a model. It knows no columns and no sessions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from pyspark.ml.param import TypeConverters

from sparkalbert.errors import ParamError
from sparkalbert.inference import BatchingOptions, EmbedderOptions, SessionOptions, VectorOptions
from sparkalbert.inference.pooling import Pooling
from sparkalbert.ml.stages.params import (
    HasLazyAnnotator,
    HasParamKeywords,
    HasStorageRef,
    declare_param,
)
from sparkalbert.ml.worker.distribution import DISTRIBUTIONS, Distribution
from sparkalbert.text.encoding import Encoding

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["COMPATIBILITIES", "PERSIST_MODELS", "VECTOR_FORMATS", "AlbertEmbeddingsParams", "VectorFormat"]

_MAX_LENGTH_LIMIT: Final = 512
COMPATIBILITIES: Final = ("none", "spark-nlp")
PERSIST_MODELS: Final = ("reference", "value")
VectorFormat = Literal["float", "binary"]
VECTOR_FORMATS: Final[tuple[str, ...]] = get_args(VectorFormat)


class SparkNlpParams(HasLazyAnnotator, HasStorageRef):
    """Params that Spark NLP's ``AlbertEmbeddings`` has, with its names and defaults."""

    batchSize = declare_param(
        "batchSize",
        "Most sentences in one call. Unless it is set, calls are filled to piecesPerCall, which is faster; "
        "it never changes a vector.",
        TypeConverters.toInt,
    )
    dimension = declare_param(
        "dimension",
        "Width of a vector, as the column's metadata tells it. Follows from the model; set it only to have "
        "it checked.",
        TypeConverters.toInt,
    )
    maxSentenceLength = declare_param(
        "maxSentenceLength",
        "Most pieces in one window, [CLS] and [SEP] included (3 to 512). Longer sentences are covered by "
        "overlapping windows; no word is cut off.",
        TypeConverters.toInt,
    )
    caseSensitive = declare_param(
        "caseSensitive",
        "Whether `result` keeps the case of tokens, and whether encoding 'token' does. Under encoding "
        "'sentence' the model's own do_lower_case decides what the model sees.",
        TypeConverters.toBoolean,
    )
    engine = declare_param("engine", "Deep learning engine; always onnx.", TypeConverters.toString)
    configProtoBytes = declare_param(
        "configProtoBytes",
        "TensorFlow's ConfigProto; accepted for ported code and ignored.",
        TypeConverters.toListInt,
    )

    def setBatchSize(self, v: int) -> Self:
        """Sets the most sentences in one call; at least 1."""
        BatchingOptions(max_sequences=v)
        return self._set(batchSize=v)

    def getBatchSize(self) -> int:
        """Gets batchSize or its default value."""
        return int(self.getOrDefault(self.batchSize))

    def setDimension(self, value: int) -> Self:
        """Sets the width that the model's vectors are expected to have."""
        return self._set(dimension=value)

    def getDimension(self) -> int:
        """Gets the width of a vector."""
        return int(self.getOrDefault(self.dimension))

    def setMaxSentenceLength(self, value: int) -> Self:
        """Sets the most pieces in one window, 3 to 512."""
        if value > _MAX_LENGTH_LIMIT:
            msg = (
                "AlbertEmbeddings models do not support token sequences longer than 512.\n"
                "Consider splitting up the input first with another annotator e.g. SentenceDetector."
            )
            raise ParamError(msg)
        VectorOptions(max_sentence_length=value)
        return self._set(maxSentenceLength=value)

    def getMaxSentenceLength(self) -> int:
        """Gets maxSentenceLength or its default value."""
        return int(self.getOrDefault(self.maxSentenceLength))

    def setCaseSensitive(self, value: bool) -> Self:
        """Sets whether tokens keep their case."""
        return self._set(caseSensitive=value)

    def getCaseSensitive(self) -> bool:
        """Gets caseSensitive or its default value."""
        return bool(self.getOrDefault(self.caseSensitive))

    def setEngine(self, value: str) -> Self:
        """Sets the engine; only ``onnx`` exists here."""
        if value != "onnx":
            msg = f"engine is {value!r}, but sparkalbert runs on 'onnx' only."
            raise ParamError(msg)
        return self._set(engine=value)

    def getEngine(self) -> str:
        """Gets the engine: ``onnx``."""
        return str(self.getOrDefault(self.engine))

    def setConfigProtoBytes(self, b: list[int]) -> Self:
        """Accepts TensorFlow's ConfigProto and ignores it, with a warning."""
        warnings.warn("configProtoBytes configures TensorFlow; sparkalbert ignores it.", stacklevel=2)
        return self._set(configProtoBytes=b)

    def getConfigProtoBytes(self) -> list[int] | None:
        """Gets configProtoBytes, None unless set."""
        value: list[int] | None = self._value_or_none(self.configProtoBytes)
        return value


class AlbertEmbeddingsParams(SparkNlpParams, HasParamKeywords):
    """All Params of the stage but its columns."""

    model = declare_param(
        "model", "Name or folder of the model, as find_model takes it.", TypeConverters.toString
    )
    modelDigest = declare_param(
        "modelDigest",
        "Identity of the model's bundle; checked when the stage is used.",
        TypeConverters.toString,
    )
    precision = declare_param(
        "precision",
        "Number format of a model that is converted here: fp32, fp16 or int8. A bundle keeps its own.",
        TypeConverters.toString,
    )
    encoding = declare_param(
        "encoding",
        "'sentence' encodes a sentence's text whole, as ALBERT was trained; 'token' each token alone, as "
        "Spark NLP does.",
        TypeConverters.toString,
    )
    compatibility = declare_param(
        "compatibility",
        "'none' gives each token a vector. 'spark-nlp' gives Spark NLP's rows: tokens encoded alone, those "
        "without a piece or beyond maxSentenceLength left out, the vectors of its batch size 1.",
        TypeConverters.toString,
    )
    pooling = declare_param(
        "pooling",
        "Which pieces make a word's vector: first, last, mean or first_last.",
        TypeConverters.toString,
    )
    layers = declare_param(
        "layers",
        "Layers whose mean is taken: [-1] the last, [-4,-3,-2,-1] the last four, 0 the embedding. Layers "
        "after the highest one are not computed.",
        TypeConverters.toListInt,
    )
    piecesPerCall = declare_param(
        "piecesPerCall",
        "Most pieces in one call, padding included; what was measured best for the model's precision and "
        "hidden size unless set.",
        TypeConverters.toInt,
    )
    vectorFormat = declare_param(
        "vectorFormat",
        "'float' gives numbers Spark can compute with. 'binary' gives one plain column array<binary>, a "
        "vector for each token as little-endian float32: far faster to store, see binary_to_array.",
        TypeConverters.toString,
    )
    memoryBudgetMb = declare_param(
        "memoryBudgetMb",
        "Resident memory that a Python worker may take for this model, in MB. It sizes calls, groups of rows "
        "and output, and a model that does not fit is refused before any job. No bound unless set.",
        TypeConverters.toInt,
    )
    threads = declare_param(
        "threads", "Threads of one call; spark.task.cpus unless set.", TypeConverters.toInt
    )
    device = declare_param(
        "device", "cpu, cuda (the GPU Spark gave the task) or cuda:N.", TypeConverters.toString
    )
    modelDistribution = declare_param(
        "modelDistribution",
        f"How the model reaches the workers: {', '.join(DISTRIBUTIONS)}.",
        TypeConverters.toString,
    )
    persistModel = declare_param(
        "persistModel",
        "What save() writes of the model: its reference (name or path, and digest) or its value (all files).",
        TypeConverters.toString,
    )

    def setEncoding(self, value: str) -> Self:
        """Sets the encoding: ``sentence`` or ``token``."""
        EmbedderOptions(encoding=cast(Encoding, value))
        return self._set(encoding=value)

    def getEncoding(self) -> str:
        """Gets encoding or its default value, which is ``token`` under compatibility ``spark-nlp``.

        Raises
        ------
        ParamError
            When it was set to ``sentence`` under that compatibility.
        """
        encoding = str(self.getOrDefault(self.encoding))
        if self.getCompatibility() == "none" or encoding == "token":
            return encoding
        if self.isSet(self.encoding):
            msg = (
                f"encoding is {encoding!r}, but compatibility {self.getCompatibility()!r} encodes each token "
                "alone. Leave encoding unset, or set compatibility to 'none'."
            )
            raise ParamError(msg)
        return "token"

    def setCompatibility(self, value: str) -> Self:
        """Sets whose rows come out: ``none`` for a vector a token, ``spark-nlp`` for Spark NLP's."""
        if value not in COMPATIBILITIES:
            msg = f"compatibility is {value!r}, expected one of {', '.join(COMPATIBILITIES)}."
            raise ParamError(msg)
        return self._set(compatibility=value)

    def getCompatibility(self) -> str:
        """Gets compatibility or its default value."""
        return str(self.getOrDefault(self.compatibility))

    def setPooling(self, value: str) -> Self:
        """Sets the pooling: ``first``, ``last``, ``mean`` or ``first_last``."""
        VectorOptions(pooling=cast(Pooling, value))
        return self._set(pooling=value)

    def getPooling(self) -> str:
        """Gets pooling or its default value."""
        return str(self.getOrDefault(self.pooling))

    def setLayers(self, value: Sequence[int]) -> Self:
        """Sets the layers whose mean is taken."""
        return self._set(layers=list(value))

    def getLayers(self) -> list[int]:
        """Gets layers or its default value."""
        return list(self.getOrDefault(self.layers))

    def setPiecesPerCall(self, value: int) -> Self:
        """Sets the most pieces in one call; at least 1."""
        BatchingOptions(pieces_per_call=value)
        return self._set(piecesPerCall=value)

    def getPiecesPerCall(self) -> int:
        """Gets piecesPerCall, if set."""
        return int(self.getOrDefault(self.piecesPerCall))

    def setVectorFormat(self, value: str) -> Self:
        """Sets the form of vectors: ``float`` or ``binary``."""
        if value not in VECTOR_FORMATS:
            msg = f"vectorFormat is {value!r}, expected one of {', '.join(VECTOR_FORMATS)}."
            raise ParamError(msg)
        return self._set(vectorFormat=value)

    def getVectorFormat(self) -> VectorFormat:
        """Gets vectorFormat or its default value."""
        return cast(VectorFormat, self.getOrDefault(self.vectorFormat))

    def setMemoryBudgetMb(self, value: int) -> Self:
        """Sets the resident memory that one Python worker may take, in MB."""
        if value < 1:
            msg = f"memoryBudgetMb is {value}, expected at least 1."
            raise ParamError(msg)
        return self._set(memoryBudgetMb=value)

    def getMemoryBudgetMb(self) -> int:
        """Gets memoryBudgetMb, if set."""
        return int(self.getOrDefault(self.memoryBudgetMb))

    def setThreads(self, value: int) -> Self:
        """Sets the threads of one call; at least 1."""
        SessionOptions(threads=value)
        return self._set(threads=value)

    def getThreads(self) -> int:
        """Gets threads, if set."""
        return int(self.getOrDefault(self.threads))

    def setDevice(self, value: str) -> Self:
        """Sets the device: ``cpu``, ``cuda`` or ``cuda:N``."""
        SessionOptions(device=value)
        return self._set(device=value)

    def getDevice(self) -> str:
        """Gets device or its default value."""
        return str(self.getOrDefault(self.device))

    def setModelDistribution(self, value: str) -> Self:
        """Sets how the model reaches the workers."""
        if value not in DISTRIBUTIONS:
            msg = f"modelDistribution is {value!r}, expected one of {', '.join(DISTRIBUTIONS)}."
            raise ParamError(msg)
        return self._set(modelDistribution=value)

    def getModelDistribution(self) -> Distribution:
        """Gets modelDistribution or its default value."""
        return cast(Distribution, self.getOrDefault(self.modelDistribution))

    def setPersistModel(self, value: str) -> Self:
        """Sets what ``save()`` writes of the model: ``reference`` or ``value``."""
        if value not in PERSIST_MODELS:
            msg = f"persistModel is {value!r}, expected one of {', '.join(PERSIST_MODELS)}."
            raise ParamError(msg)
        return self._set(persistModel=value)

    def getPersistModel(self) -> str:
        """Gets persistModel or its default value."""
        return str(self.getOrDefault(self.persistModel))

    def _set_defaults(self) -> None:
        """Spark NLP's defaults where it has them."""
        self._setDefault(
            batchSize=8,
            dimension=768,
            maxSentenceLength=128,
            caseSensitive=False,
            engine="onnx",
            lazyAnnotator=False,
            encoding="sentence",
            compatibility="none",
            pooling="first",
            layers=[-1],
            device="cpu",
            modelDistribution="auto",
            persistModel="reference",
            vectorFormat="float",
        )

    def _embedder_options(self) -> EmbedderOptions:
        """The Params that decide vectors and their computation, as the engine takes them."""
        return EmbedderOptions(
            encoding=cast(Encoding, self.getEncoding()),
            case_sensitive=self.getCaseSensitive(),
            vectors=VectorOptions(
                cast(Pooling, self.getPooling()), tuple(self.getLayers()), self.getMaxSentenceLength()
            ),
            batching=BatchingOptions(
                self.getPiecesPerCall() if self.isSet(self.piecesPerCall) else None,
                self.getBatchSize() if self.isSet(self.batchSize) else None,
            ),
            session=SessionOptions(device=self.getDevice()),
        )
