"""The Params of :class:`~sparkalbert.AlbertEmbeddings`: Spark NLP's, then our own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast, get_args

from pyspark.ml.param import Param, TypeConverters

from sparkalbert.bundle import Precision
from sparkalbert.bundle.manifest import PRECISIONS
from sparkalbert.errors import ParamError
from sparkalbert.inference import BatchingOptions, EmbedderOptions, SessionOptions, VectorOptions
from sparkalbert.inference.pooling import MIN_SENTENCE_LENGTH, POOLINGS, Pooling
from sparkalbert.ml.stages.params import (
    HasLazyAnnotator,
    HasParamKeywords,
    HasStorageRef,
    declare_param,
)
from sparkalbert.ml.stages.shipping import DISTRIBUTIONS, Distribution
from sparkalbert.options import check_choice, checked_integer
from sparkalbert.text.pieces.encoding import ENCODINGS, Encoding

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AlbertEmbeddingsParams", "Compatibility", "OnError", "OutputLevel", "PersistModel", "VectorFormat"]

T = TypeVar("T")

_MAX_LENGTH_LIMIT: Final = 512
Compatibility = Literal["none", "spark-nlp"]
PersistModel = Literal["value", "reference"]
VectorFormat = Literal["float", "binary", "binary16"]
OutputLevel = Literal["token", "sentence", "document"]
OnError = Literal["fail", "null"]


class SparkNlpParams(HasLazyAnnotator, HasStorageRef):
    """Params that Spark NLP's ``AlbertEmbeddings`` has, with its names and defaults."""

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

    def getDimension(self) -> int:
        """Gets the width of a vector."""
        return int(self.getOrDefault(self.dimension))

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


def _check_fraction(value: float) -> None:
    if not 0 <= value <= 1:
        msg = f"maxErrorFraction is {value!r}, expected a number from 0 to 1."
        raise ParamError(msg)


class AlbertEmbeddingsParams(SparkNlpParams, HasParamKeywords):
    """All Params of the stage except its columns."""

    model = declare_param("model", "Name or folder of the model, as pretrained() takes it.", TypeConverters.toString)
    revision = declare_param(
        "revision", "Commit, branch or tag of a model on the Hugging Face Hub.", TypeConverters.toString
    )
    precision = declare_param(
        "precision",
        "Number format of a model that has to be converted: fp32, fp16 or int8. A bundle keeps its own.",
        TypeConverters.toString,
    )
    doLowerCase = declare_param(
        "doLowerCase",
        "If true, the model was trained on lower-cased text; for a model that has to be converted and whose files do "
        "not state it. Left to the files by default.",
        TypeConverters.toBoolean,
    )
    keepAccents = declare_param(
        "keepAccents",
        "If true, the model was trained on text with its accents; as doLowerCase.",
        TypeConverters.toBoolean,
    )
    removeSpace = declare_param(
        "removeSpace",
        "If true, the tokenizer collapses white space; as doLowerCase.",
        TypeConverters.toBoolean,
    )
    modelDigest = declare_param(
        "modelDigest",
        "The digest that the model's bundle must have; any model is accepted by default.",
        TypeConverters.toString,
    )
    encoding = declare_param(
        "encoding",
        "'sentence' encodes the text of a sentence as a whole, as ALBERT was trained; 'token' encodes each token on "
        "its own, as Spark NLP does.",
        TypeConverters.toString,
    )
    compatibility = declare_param(
        "compatibility",
        "'none' gives each token a vector. 'spark-nlp' gives Spark NLP's rows: tokens are encoded on their own, tokens "
        "without a piece or beyond maxSentenceLength are left out, vectors are those of batch size 1.",
        TypeConverters.toString,
    )
    pooling = declare_param(
        "pooling",
        "Which pieces of a word make its vector: first, last, mean or first_last.",
        TypeConverters.toString,
    )
    layers = declare_param(
        "layers",
        "The layers whose mean is taken: [-1] is the last, [-4,-3,-2,-1] the last four, 0 the embedding. Layers after "
        "the highest one are not computed.",
        TypeConverters.toListInt,
    )
    piecesPerBatch = declare_param(
        "piecesPerBatch",
        "Maximum number of pieces per batch, padding included; by default what was measured best for the model's "
        "precision and hidden size.",
        TypeConverters.toInt,
    )
    vectorFormat = declare_param(
        "vectorFormat",
        "'float' gives numbers that Spark can compute with. 'binary' gives a plain column array<binary>, each vector "
        "as little-endian float32: much faster to store, see binary_to_array. 'binary16' is the same in float16: half "
        "the size, and numbers rounded to 11 significant bits.",
        TypeConverters.toString,
    )
    outputLevel = declare_param(
        "outputLevel",
        "'token' gives a vector for each token. 'sentence' and 'document' give a plain column of the means of their "
        "tokens' vectors: a list with a vector for each sentence, or one vector; zeros without tokens.",
        TypeConverters.toString,
    )
    onError = declare_param(
        "onError",
        "What a row that cannot be embedded does: 'fail' ends the job, with the row's position in its partition; "
        "'null' gives null, and the reason in the column <outputCol>_error.",
        TypeConverters.toString,
    )
    maxErrorFraction = declare_param(
        "maxErrorFraction",
        "With onError 'null', the fraction of a partition's rows that may fail; more end the job. It counts from the "
        "hundredth row on: a partition of fewer rows never ends the job, even if all of them fail.",
        TypeConverters.toFloat,
    )
    deterministic = declare_param(
        "deterministic",
        "Whether Spark may treat the column as deterministic, as some lakehouse writers require of what MERGE reads. "
        "Spark may then compute it twice, under explode for instance; the vectors are the same. False by default.",
        TypeConverters.toBoolean,
    )
    memoryBudgetMb = declare_param(
        "memoryBudgetMb",
        "Resident memory in MB (1,000,000 bytes) that the Python workers of a task may take: the one of the vectors, "
        "and before Spark 4.1 those of SentenceDetector and Tokenizer, 480 MB. It sizes batches, groups of rows "
        "and output; a model that does not fit is refused before any job. No limit by default.",
        TypeConverters.toInt,
    )
    threads = declare_param("threads", "Threads of one forward pass; spark.task.cpus by default.", TypeConverters.toInt)
    device = declare_param("device", "cpu, cuda (the GPU that Spark gave the task) or cuda:N.", TypeConverters.toString)
    modelDistribution = declare_param(
        "modelDistribution",
        "How the model reaches the workers: path (every worker sees its folder), file (Spark sends one file to each "
        "executor), or auto.",
        TypeConverters.toString,
    )
    persistModel = declare_param(
        "persistModel",
        "What save() writes of the model: its value (all files) or a reference (name or path, and digest).",
        TypeConverters.toString,
    )

    def setModel(self, value: str) -> Self:
        """Sets the model by name or folder, as :meth:`pretrained` takes it; it is found when it is first used."""
        return self._set(model=value)

    def getModel(self) -> str:
        """Gets the model's name or folder."""
        return str(self.getOrDefault(self.model))

    def setRevision(self, value: str) -> Self:
        """Sets the commit, branch or tag of a model on the Hugging Face Hub."""
        return self._set(revision=value)

    def getRevision(self) -> str:
        """Gets revision, if set."""
        return str(self.getOrDefault(self.revision))

    def setPrecision(self, value: Precision) -> Self:
        """Sets the number format of a model that has to be converted."""
        return self._set_choice(self.precision, value, PRECISIONS)

    def getPrecision(self) -> Precision:
        """Gets precision, if set."""
        return cast(Precision, check_choice("precision", self.getOrDefault(self.precision), PRECISIONS))

    def setDoLowerCase(self, value: bool) -> Self:
        """Sets whether the model was trained on lower-cased text."""
        return self._set(doLowerCase=value)

    def getDoLowerCase(self) -> bool:
        """Gets doLowerCase, if set."""
        return bool(self.getOrDefault(self.doLowerCase))

    def setKeepAccents(self, value: bool) -> Self:
        """Sets whether the model was trained on text with its accents."""
        return self._set(keepAccents=value)

    def getKeepAccents(self) -> bool:
        """Gets keepAccents, if set."""
        return bool(self.getOrDefault(self.keepAccents))

    def setRemoveSpace(self, value: bool) -> Self:
        """Sets whether the tokenizer collapses white space."""
        return self._set(removeSpace=value)

    def getRemoveSpace(self) -> bool:
        """Gets removeSpace, if set."""
        return bool(self.getOrDefault(self.removeSpace))

    def setModelDigest(self, value: str) -> Self:
        """Sets the digest that the model's bundle must have."""
        return self._set(modelDigest=value)

    def setEncoding(self, value: str) -> Self:
        """Sets the encoding: ``sentence`` or ``token``."""
        return self._set_choice(self.encoding, value, ENCODINGS)

    def getEncoding(self) -> Encoding:
        """Gets encoding or its default value, which is ``token`` with compatibility ``spark-nlp``.

        Raises
        ------
        ParamError
            If it was set to ``sentence`` with that compatibility.
        """
        encoding = check_choice("encoding", self.getOrDefault(self.encoding), ENCODINGS)
        if self.getCompatibility() == "none" or encoding == "token":
            return cast(Encoding, encoding)
        if self.isSet(self.encoding):
            msg = (
                f"encoding is {encoding!r}, but compatibility {self.getCompatibility()!r} encodes each token on its "
                "own. Leave encoding unset, or set compatibility to 'none'."
            )
            raise ParamError(msg)
        return "token"

    def setCompatibility(self, value: str) -> Self:
        """Sets ``none`` for a vector for every token, or ``spark-nlp`` for Spark NLP's rows."""
        return self._set_choice(self.compatibility, value, get_args(Compatibility))

    def getCompatibility(self) -> Compatibility:
        """Gets compatibility or its default value."""
        value = check_choice("compatibility", self.getOrDefault(self.compatibility), get_args(Compatibility))
        return cast(Compatibility, value)

    def setPooling(self, value: str) -> Self:
        """Sets the pooling: ``first``, ``last``, ``mean`` or ``first_last``."""
        return self._set_choice(self.pooling, value, POOLINGS)

    def getPooling(self) -> Pooling:
        """Gets pooling or its default value."""
        return cast(Pooling, check_choice("pooling", self.getOrDefault(self.pooling), POOLINGS))

    def setLayers(self, value: Sequence[int]) -> Self:
        """Sets the layers whose mean is taken."""
        if value is not None:
            value = list(VectorOptions(layers=value).layers)  # type: ignore[arg-type]
        return self._set(layers=value)

    def getLayers(self) -> list[int]:
        """Gets layers or its default value."""
        return list(self.getOrDefault(self.layers))

    def setPiecesPerBatch(self, value: int) -> Self:
        """Sets the maximum number of pieces per batch; at least 1."""
        return self._set_checked(self.piecesPerBatch, value, partial(checked_integer, "piecesPerBatch", minimum=1))

    def getPiecesPerBatch(self) -> int:
        """Gets piecesPerBatch, if set."""
        return checked_integer("piecesPerBatch", self.getOrDefault(self.piecesPerBatch), minimum=1)

    def setVectorFormat(self, value: str) -> Self:
        """Sets the format of vectors: ``float``, ``binary`` or ``binary16``."""
        return self._set_choice(self.vectorFormat, value, get_args(VectorFormat))

    def getVectorFormat(self) -> VectorFormat:
        """Gets vectorFormat or its default value."""
        value = check_choice("vectorFormat", self.getOrDefault(self.vectorFormat), get_args(VectorFormat))
        return cast(VectorFormat, value)

    def setOutputLevel(self, value: str) -> Self:
        """Sets what has a vector: each ``token``, ``sentence`` or ``document``."""
        return self._set_choice(self.outputLevel, value, get_args(OutputLevel))

    def getOutputLevel(self) -> OutputLevel:
        """Gets outputLevel or its default value."""
        value = check_choice("outputLevel", self.getOrDefault(self.outputLevel), get_args(OutputLevel))
        return cast(OutputLevel, value)

    def setOnError(self, value: str) -> Self:
        """Sets what a row that cannot be embedded does: ``fail`` or ``null``."""
        return self._set_choice(self.onError, value, get_args(OnError))

    def getOnError(self) -> OnError:
        """Gets onError or its default value."""
        return cast(OnError, check_choice("onError", self.getOrDefault(self.onError), get_args(OnError)))

    def setMaxErrorFraction(self, value: float) -> Self:
        """Sets the fraction of a partition's rows that may fail, 0 to 1."""
        return self._set_checked(self.maxErrorFraction, value, _check_fraction)

    def getMaxErrorFraction(self) -> float:
        """Gets maxErrorFraction or its default value."""
        value = float(self.getOrDefault(self.maxErrorFraction))
        _check_fraction(value)
        return value

    def setDeterministic(self, value: bool) -> Self:
        """Sets whether Spark may treat the column as deterministic, and compute it more than once."""
        return self._set(deterministic=value)

    def getDeterministic(self) -> bool:
        """Gets deterministic or its default value."""
        return bool(self.getOrDefault(self.deterministic))

    def setMemoryBudgetMb(self, value: int) -> Self:
        """Sets the resident memory that the Python workers of a task may take, in MB."""
        return self._set_checked(self.memoryBudgetMb, value, _check_budget)

    def getMemoryBudgetMb(self) -> int:
        """Gets memoryBudgetMb, if set."""
        value = int(self.getOrDefault(self.memoryBudgetMb))
        _check_budget(value)
        return value

    def setThreads(self, value: int) -> Self:
        """Sets the threads of one forward pass; at least 1."""
        return self._set_checked(self.threads, value, partial(checked_integer, "threads", minimum=1))

    def getThreads(self) -> int:
        """Gets threads, if set."""
        return checked_integer("threads", self.getOrDefault(self.threads), minimum=1)

    def setDevice(self, value: str) -> Self:
        """Sets the device: ``cpu``, ``cuda`` or ``cuda:N``."""
        return self._set_checked(self.device, value, lambda device: SessionOptions(device=device))

    def getDevice(self) -> str:
        """Gets device or its default value."""
        return str(self.getOrDefault(self.device))

    def setModelDistribution(self, value: str) -> Self:
        """Sets how the model reaches the workers: ``auto``, ``path`` or ``file``."""
        return self._set_choice(self.modelDistribution, value, DISTRIBUTIONS)

    def getModelDistribution(self) -> Distribution:
        """Gets modelDistribution or its default value."""
        value = check_choice("modelDistribution", self.getOrDefault(self.modelDistribution), DISTRIBUTIONS)
        return cast(Distribution, value)

    def setPersistModel(self, value: str) -> Self:
        """Sets what ``save()`` writes of the model: ``value`` or ``reference``."""
        return self._set_choice(self.persistModel, value, get_args(PersistModel))

    def getPersistModel(self) -> PersistModel:
        """Gets persistModel or its default value."""
        value = check_choice("persistModel", self.getOrDefault(self.persistModel), get_args(PersistModel))
        return cast(PersistModel, value)

    def _set_defaults(self) -> None:
        """Set the defaults: Spark NLP's, and those of the other Params."""
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
            persistModel="value",
            vectorFormat="float",
            outputLevel="token",
            onError="fail",
            maxErrorFraction=0.5,
            deterministic=False,
        )

    def _value_if_set(self, param: Param[Any], getter: Callable[[], T]) -> T | None:
        """Return the value that a getter checks, None if the Param is not set."""
        return getter() if self.isSet(param) else None

    def _embedder_options(self) -> EmbedderOptions:
        """Return the Params that decide vectors and their computation, as the engine takes them."""
        self.getEngine()
        return EmbedderOptions(
            encoding=self.getEncoding(),
            case_sensitive=self.getCaseSensitive(),
            vectors=VectorOptions(self.getPooling(), tuple(self.getLayers()), self.getMaxSentenceLength()),
            batching=BatchingOptions(
                self._value_if_set(self.piecesPerBatch, self.getPiecesPerBatch),
                self._value_if_set(self.batchSize, self.getBatchSize),
            ),
            session=SessionOptions(device=self.getDevice()),
        )


def _check_budget(value: int) -> None:
    if value < 1:
        msg = f"memoryBudgetMb is {value}, expected at least 1."
        raise ParamError(msg)
