"""The Params of :class:`~sparkalbert.AlbertEmbeddings` that decide vectors, output and resources, and all defaults."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, cast, get_args

from pyspark.ml.param import TypeConverters

from sparkalbert.errors import ParamError
from sparkalbert.inference import BatchingOptions, EmbedderOptions, SessionOptions, VectorOptions
from sparkalbert.inference.pooling import POOLINGS, Pooling
from sparkalbert.ml.stages.model_params import ModelParams
from sparkalbert.ml.stages.params import HasParamKeywords, declare_param
from sparkalbert.ml.stages.spark_nlp_params import SparkNlpParams
from sparkalbert.options import check_choice, checked_integer
from sparkalbert.text.pieces.encoding import ENCODINGS, Encoding

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AlbertEmbeddingsParams", "Compatibility", "OnError", "OutputLevel", "VectorFormat"]

Compatibility = Literal["none", "spark-nlp"]
VectorFormat = Literal["float", "binary", "binary16"]
OutputLevel = Literal["token", "sentence", "document"]
OnError = Literal["fail", "null"]


def _check_fraction(value: float) -> None:
    if not 0 <= value <= 1:
        msg = f"maxErrorFraction is {value!r}, expected a number from 0 to 1."
        raise ParamError(msg)


class AlbertEmbeddingsParams(SparkNlpParams, ModelParams, HasParamKeywords):
    """All Params of the stage except its columns."""

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
        "If true, Spark may treat the column as deterministic, which some lakehouse writers require of what MERGE "
        "reads. Spark may then compute it twice, under explode for instance; the vectors are the same on a CPU and may "
        "differ slightly on a GPU. False by default.",
        TypeConverters.toBoolean,
    )
    memoryBudgetMb = declare_param(
        "memoryBudgetMb",
        "Resident memory in MB (1,000,000 bytes) that the Python workers of a task may take: the worker that computes "
        "vectors and, before Spark 4.1, the workers of SentenceDetector and Tokenizer (480 MB). It sizes batches, "
        "groups of rows and output; a model that does not fit is refused before any job. No limit by default.",
        TypeConverters.toInt,
    )
    threads = declare_param("threads", "Threads of one forward pass; spark.task.cpus by default.", TypeConverters.toInt)
    device = declare_param("device", "cpu, cuda (the GPU that Spark gave the task) or cuda:N.", TypeConverters.toString)

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
