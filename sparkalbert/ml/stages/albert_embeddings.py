"""The Spark stage: sentences and tokens in, one vector per token out.

It checks columns and Params on the driver, has the bundle sent to the workers and adds a column; no
Spark job starts before the user asks for rows. How vectors are made is the layers' below business.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pyspark.ml import Transformer
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkalbert.bundle import Bundle, Precision, find_model
from sparkalbert.errors import BundleError, ColumnError, ModelNotFoundError, ParamError
from sparkalbert.inference import EmbedderOptions, VectorSizes, available_cores, plan_memory
from sparkalbert.ml.schema import (
    ANNOTATIONS,
    BINARY_VECTORS,
    DOCUMENT,
    TOKEN,
    VECTORS,
    WORD_EMBEDDINGS,
    check_column,
    find_annotation_columns,
    is_token_list,
    reference,
)
from sparkalbert.ml.stages.bundle_files import load_bundle, local_path, save_bundle
from sparkalbert.ml.stages.embedding_params import AlbertEmbeddingsParams
from sparkalbert.ml.stages.local import LocalStep, RunsLocally, columns_by_type, task_step
from sparkalbert.ml.stages.params import HasInputCols, HasOutputCol
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.spark_nlp_model import SavedStage, is_spark_nlp
from sparkalbert.ml.worker.distribution import ModelHandle, ship
from sparkalbert.ml.worker.embedding_tasks import (
    ANNOTATION_FIELDS,
    ANNOTATION_INPUTS,
    TOKEN_LIST_INPUTS,
    AnnotationTask,
    TokenListTask,
    WorkerModel,
)
from sparkalbert.ml.worker.udf import arrow_column

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AlbertEmbeddings"]


class AlbertEmbeddings(
    Transformer, HasInputCols, HasOutputCol, AlbertEmbeddingsParams, StageReadWrite, RunsLocally
):
    """Adds ALBERT token embeddings: one vector per token, in order, always the same vector.

    Input is either a document (or sentence) and a token annotation column, in any order, which gives
    an annotation column as Spark NLP's ``AlbertEmbeddings`` does; or one ``array<string>`` column of
    tokens, which gives ``array<array<float>>``. With ``vectorFormat`` ``binary`` either gives
    ``array<binary>``, see :func:`~sparkalbert.ml.binary_to_array`. A null row gives null, an empty one gives
    empty. A token without any piece (a lone zero-width space, say) gets the zero vector and, in annotations,
    ``pieceId`` -1 and ``isOOV`` true.

    ``setCompatibility("spark-nlp")`` gives Spark NLP's rows instead: each token is encoded alone, tokens
    without a piece and what lies beyond ``maxSentenceLength`` get no annotation, and vectors are those of
    its batch size 1. At larger batch sizes, 8 by default, Spark NLP attends to the padding that a
    sentence's neighbours bring with them (seen in 5.5.3), so its vectors change with the company a
    sentence is in; here they never do.

    Get one from :meth:`pretrained`, :meth:`loadSavedModel` or :meth:`load`, or name the model.

    Parameters
    ----------
    **params
        Params by name: ``inputCols`` (two annotation columns or one of token lists), ``outputCol``,
        ``model`` (a name or folder, as :meth:`pretrained` takes it) and any other.

    Examples
    --------
    >>> embeddings = AlbertEmbeddings.pretrained("albert_mini_en").setInputCols("sentence", "token")
    >>> embeddings.setOutputCol("embeddings").getOutputCol()
    'embeddings'
    >>> AlbertEmbeddings(model="albert_mini_en", inputCols=["tokens"], pooling="mean").getPooling()
    'mean'
    """

    name = "AlbertEmbeddings"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (DOCUMENT, TOKEN)
    optionalInputAnnotatorTypes: ClassVar[Sequence[str]] = ()
    outputAnnotatorType = WORD_EMBEDDINGS

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._opened: Bundle | None = None
        self._set_defaults()
        self.setParams(**params)

    @staticmethod
    def pretrained(
        name: str = "albert_base_uncased",
        lang: str = "en",
        remote_loc: str | None = None,
        *,
        precision: Precision | None = None,
    ) -> AlbertEmbeddings:
        """Return the stage with a model found by name or path.

        Parameters
        ----------
        name
            A folder, an embedded model (``albert_mini_en``), a known name
            (``albert_xlarge_uncased``) or ``owner/name@revision`` on the Hugging Face Hub, which is
            fetched and converted once.
        lang
            Language; every model known by name is ``en``.
        remote_loc
            A folder in which `name` is looked up instead.
        precision
            ``fp32``, ``fp16`` or ``int8``, for models that are converted here; None for ``fp32``.

        Raises
        ------
        ModelNotFoundError
            When the name leads nowhere; never None comes back.
        DownloadError
            When the model could not be fetched.
        """
        if lang not in {"en", "xx"}:
            msg = f"No model {name!r} for lang {lang!r}: known names are 'en'. Pass owner/name instead."
            raise ModelNotFoundError(msg)
        model = name if remote_loc is None else Path(remote_loc) / name
        return AlbertEmbeddings._loaded(model, precision)

    @staticmethod
    def loadSavedModel(folder: str, spark_session: SparkSession | None = None) -> AlbertEmbeddings:
        """Return the stage with a model from a folder.

        Parameters
        ----------
        folder
            A Hugging Face checkpoint, a sparkalbert bundle, an exported ONNX graph in Spark NLP's
            import layout (``model.onnx`` and ``assets/spiece.model``), or an ``AlbertEmbeddings`` that
            Spark NLP saved, whose uid and Params are taken over. What is no bundle becomes one in the
            cache.
        spark_session
            Not needed; taken because Spark NLP's takes it.

        Raises
        ------
        ModelNotFoundError
            When there is no such folder.
        CheckpointError
            When the folder cannot be converted.
        """
        del spark_session
        path = local_path(folder)
        if path is None or not path.is_dir():
            msg = f"Folder {folder} not found. loadSavedModel takes a folder on the driver's file system."
            raise ModelNotFoundError(msg)
        saved = SavedStage.read(path)
        if saved is None:
            return AlbertEmbeddings._loaded(path)
        stage = AlbertEmbeddings._loaded(path, uid=saved.uid)
        return stage.setParams(
            **{name: value for name, value in saved.params.items() if stage.hasParam(name)}
        )

    @staticmethod
    def _loaded(
        model: str | Path, precision: Precision | None = None, uid: str | None = None
    ) -> AlbertEmbeddings:
        stage = AlbertEmbeddings()
        # Spark NLP's own uid for a stage that came from a model rather than from its constructor.
        stage._resetUid(uid or f"ALBERT_EMBEDDINGS_{uuid.uuid4().hex[-12:]}")
        if precision is not None:
            stage._set(precision=precision)
        return stage._attach(model)

    def setModel(self, value: str) -> Self:
        """Sets the model by name or folder, as :meth:`pretrained` takes it."""
        return self._attach(value)

    def getModel(self) -> str:
        """Gets the model's name or folder."""
        return str(self.getOrDefault(self.model))

    def setPrecision(self, value: Precision) -> Self:
        """Sets the number format of a model that is converted here."""
        self._set(precision=value)
        return self._attach(self.getModel()) if self.isSet(self.model) else self

    def getPrecision(self) -> Precision:
        """Gets precision, if set."""
        return cast(Precision, self.getOrDefault(self.precision))

    def _attach(self, model: str | Path, bundle: Bundle | None = None) -> Self:
        """Take a model: found by name or folder unless its bundle is given."""
        found = bundle or self._find(model)
        is_folder = isinstance(model, Path) or Path(model).is_dir()
        self._opened = found
        self._setDefault(dimension=found.manifest.dimension, storageRef=found.manifest.name)
        return self._set(model=str(found.path.resolve()) if is_folder else model, modelDigest=found.digest)

    def _find(self, model: str | Path) -> Bundle:
        return find_model(model, precision=self.getPrecision() if self.isSet(self.precision) else None)

    def _bundle(self) -> Bundle:
        """The model's bundle, found again where the stage was loaded."""
        if not self.isSet(self.model):
            msg = f"{self.uid} has no model: use pretrained(name), load(path) or setModel(name)."
            raise ParamError(msg)
        if self._opened is None:
            expected = self.getOrDefault(self.modelDigest)
            bundle = self._find(self.getModel())
            if bundle.digest != expected:
                msg = (
                    f"Model {self.getModel()!r} is not the one {self.uid} was saved with: its digest is "
                    f"{bundle.digest[:16]}, expected {expected[:16]}. Restore that model, or set it anew."
                )
                raise BundleError(msg)
            self._opened = bundle
        return self._opened

    def _accepts_columns(self, value: Sequence[str]) -> bool:
        """One column of token lists is welcome too."""
        return len(value) == 1

    def _transform(self, dataset: DataFrame) -> DataFrame:
        bundle, options, sizes = self._checked_model()
        columns = self._input_columns(dataset)
        handle = ship(dataset, bundle, self.getModelDistribution())
        model = WorkerModel(handle, options, self.getThreads() if self.isSet(self.threads) else None, sizes)
        output = self.getOutputCol()
        binary = self.getVectorFormat() == "binary"
        if len(columns) == 1:
            list_task, form = TokenListTask(model, binary), BINARY_VECTORS if binary else VECTORS
            return dataset.withColumn(output, arrow_column(list_task, columns, TOKEN_LIST_INPUTS, form))
        task = self._annotation_task(model)
        if binary:
            return dataset.withColumn(output, arrow_column(task, columns, ANNOTATION_INPUTS, BINARY_VECTORS))
        metadata = {
            "annotatorType": WORD_EMBEDDINGS,
            "dimension": options.vectors.dimension(bundle.manifest),
            "ref": self.getStorageRef(),
        }
        column = arrow_column(task, columns, ANNOTATION_INPUTS, ANNOTATIONS)
        return dataset.withColumn(output, column).withMetadata(output, metadata)

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        if self.getVectorFormat() == "binary":
            msg = f"vectorFormat of {self.uid} is 'binary', which is for storage: here it must be 'float'."
            raise ParamError(msg)
        found = columns_by_type(self._checked_columns(), self.inputAnnotatorTypes, types, self.uid)
        bundle, options, sizes = self._checked_model()
        threads = self.getThreads() if self.isSet(self.threads) else available_cores()
        model = WorkerModel(ModelHandle.in_place(bundle), options, threads, sizes)
        inputs = [(found[kind], ANNOTATION_FIELDS) for kind in (DOCUMENT, TOKEN)]
        return task_step(self._annotation_task(model), inputs, self.getOutputCol())

    def _annotation_task(self, model: WorkerModel) -> AnnotationTask:
        """What runs over annotation columns, here or in a worker."""
        return AnnotationTask(
            model,
            lower_case=not self.getCaseSensitive(),
            as_spark_nlp=self.getCompatibility() == "spark-nlp",
            binary=self.getVectorFormat() == "binary",
        )

    def _checked_model(self) -> tuple[Bundle, EmbedderOptions, VectorSizes]:
        """The model, what is asked of it, and what that takes, checked against each other."""
        bundle, options = self._bundle(), self._embedder_options()
        options.vectors.check(bundle.manifest)
        dimension = options.vectors.dimension(bundle.manifest)
        if self.isSet(self.dimension) and self.getDimension() != dimension:
            msg = (
                f"dimension is {self.getDimension()}, but model {self.getModel()!r} with pooling "
                f"{self.getPooling()!r} gives vectors of {dimension}. Leave dimension unset."
            )
            raise ParamError(msg)
        budget_mb = self.getMemoryBudgetMb() if self.isSet(self.memoryBudgetMb) else None
        memory = plan_memory(bundle, options.vectors, options.batching, budget_mb)
        return bundle, replace(options, batching=memory.batching), memory.sizes

    def _checked_columns(self) -> list[str]:
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols: setInputCols("sentence", "token") or one column of tokens.'
            raise ParamError(msg)
        names: list[str] = self.getInputCols()
        return names

    def _input_columns(self, dataset: DataFrame) -> list[Column]:
        """The columns the workers read, found and checked on the driver."""
        names = self._checked_columns()
        if len(names) == 1:
            field = check_column(dataset, names[0], self.uid)
            if not is_token_list(field.dataType):
                msg = (
                    f"Column {field.name!r} is {field.dataType.simpleString()}; {self.uid} with one input "
                    "column expects array<string>. Of annotation columns pass two: document and token."
                )
                raise ColumnError(msg)
            if self.getCompatibility() != "none":
                msg = (
                    f"compatibility is {self.getCompatibility()!r}, which leaves tokens out, but the list of "
                    f"vectors for column {field.name!r} must be as long as the list of tokens. Pass two "
                    "annotation columns, or set compatibility to 'none'."
                )
                raise ParamError(msg)
            return [F.col(reference(field.name))]
        if self.getVectorFormat() == "binary" and self.getCompatibility() != "none":
            msg = (
                f"compatibility is {self.getCompatibility()!r}, which leaves tokens out, but binary vectors "
                "come one for each token. Set vectorFormat to 'float', or compatibility to 'none'."
            )
            raise ParamError(msg)
        found = find_annotation_columns(dataset, names, self.inputAnnotatorTypes, self.uid)
        return [
            field.column(F.col(reference(found[kind])))
            for kind in (DOCUMENT, TOKEN)
            for field in ANNOTATION_FIELDS
        ]

    @classmethod
    def _of_metadata(cls, metadata: dict[str, Any], spark: SparkSession, path: str) -> Self:
        if not is_spark_nlp(metadata):
            return super()._of_metadata(metadata, spark, path)
        if local_path(path) is None:
            msg = (
                f"{path} holds a model that Spark NLP saved. Its graph is converted here, so copy the folder "
                "to the driver's file system and use AlbertEmbeddings.loadSavedModel(folder, spark)."
            )
            raise ModelNotFoundError(msg)
        return cast("Self", cls.loadSavedModel(path, spark))

    def _save_files(self, spark: SparkSession, path: str) -> None:
        if self.getPersistModel() == "value":
            save_bundle(spark, self._bundle(), path)

    def _load_files(self, spark: SparkSession, path: str) -> None:
        if self.getPersistModel() == "value":
            bundle = load_bundle(spark, path, self.getOrDefault(self.modelDigest))
            self._attach(bundle.path, bundle)
