"""The embedding stage, which adds one vector per token.

Columns and Params are checked on the driver, the bundle is made available to the workers, and a column is added; no
Spark job starts before rows are requested.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pyspark import keyword_only
from pyspark.sql import DataFrame, SparkSession

from sparkalbert.bundle import Precision
from sparkalbert.errors import ModelNotFoundError, ParamError
from sparkalbert.machine import available_cores
from sparkalbert.ml.columns import check_output
from sparkalbert.ml.schema import DOCUMENT, TOKEN, WORD_EMBEDDINGS
from sparkalbert.ml.stages.checked_model import CheckedModel
from sparkalbert.ml.stages.embedding_params import (
    AlbertEmbeddingsParams,
    Compatibility,
    OnError,
    OutputLevel,
    VectorFormat,
)
from sparkalbert.ml.stages.model_params import PersistModel
from sparkalbert.ml.stages.output_forms import OutputOptions, output_form
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.python_pass import WorkerColumn
from sparkalbert.ml.stages.row_errors import add_column_with_companions, companion_columns
from sparkalbert.ml.stages.saved_model import SavedModel, download_bundle, upload_bundle
from sparkalbert.ml.stages.shipping import Distribution, ship_model
from sparkalbert.ml.stages.spark_nlp_model import SavedStage, is_spark_nlp
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.embedding_tasks import AnnotationTask
from sparkalbert.ml.worker.model import HeldModel, ModelHandle
from sparkalbert.ml.worker.row_errors import RowErrorsTask
from sparkalbert.models import check_language
from sparkalbert.models.folders import folder_kind
from sparkalbert.storage.folders import FileSystem
from sparkalbert.storage.paths import is_folder, local_path

if TYPE_CHECKING:
    from typing_extensions import Self

    from sparkalbert.inference.pooling import Pooling
    from sparkalbert.text.pieces.encoding import Encoding

__all__ = ["AlbertEmbeddings"]


class AlbertEmbeddings(WorkerStage, AlbertEmbeddingsParams, StageReadWrite):
    """Adds ALBERT token embeddings: one vector per token, in order, always the same vector.

    The input is either a document (or sentence) and a token annotation column, in any order, which gives an annotation
    column as Spark NLP's ``AlbertEmbeddings`` does; or one ``array<string>`` column of tokens, which gives
    ``array<array<float>>``. With ``vectorFormat`` ``binary`` or ``binary16`` either gives ``array<binary>``, see
    :func:`~sparkalbert.binary_to_array`. With ``outputLevel`` ``sentence`` or ``document``, annotations give a plain
    column of the means of their tokens' vectors: one vector for each sentence, or one for each row. A null row gives
    null, an empty row empty. A row that cannot be embedded ends the job, or with ``onError`` ``null`` is null, and the
    reason is in the column ``<outputCol>_error``. A token without a piece (a lone zero-width space, say) gets the zero
    vector and, in annotations, ``pieceId`` -1 and ``isOOV`` true. So does a token outside all sentences; its
    ``sentence`` is -1.

    ``setCompatibility("spark-nlp")`` gives Spark NLP's rows instead: each token is encoded on its own, tokens without a
    piece or beyond ``maxSentenceLength`` get no annotation, and vectors are those of its batch size 1. At larger batch
    sizes, 8 by default, Spark NLP attends to the padding of a batch (seen in 5.5.3), so its vectors depend on the other
    sentences in the batch; here they never do. In a row of several documents tokens belong to the sentence in their
    metadata; in Spark NLP's rows they belong to every sentence at their place, of whichever document.

    Create the stage with :meth:`pretrained`, :meth:`loadSavedModel` or :meth:`load`, or set ``model``. The value of
    ``model`` at the time of ``transform`` decides, however it was set.

    Parameters
    ----------
    inputCols
        Two annotation columns, or one column of token lists.
    outputCol
        The column to add.
    model, revision, precision
        The model, as :meth:`pretrained` takes it.
    **params
        Any other Param by its name; see ``explainParams()``.

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
    outputAnnotatorType = WORD_EMBEDDINGS
    _inputs: ClassVar = AnnotationTask.inputs
    _ends_pass = True
    _load_hint = "load() takes the folder of a saved stage or of a model; for a model's name use pretrained(name)."
    _job_column: str | None = None
    _counts_rows: bool = False

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        model: str | None = None,
        revision: str | None = None,
        precision: Precision | None = None,
        doLowerCase: bool | None = None,
        keepAccents: bool | None = None,
        removeSpace: bool | None = None,
        modelDigest: str | None = None,
        pooling: Pooling | None = None,
        layers: Sequence[int] | None = None,
        encoding: Encoding | None = None,
        compatibility: Compatibility | None = None,
        caseSensitive: bool | None = None,
        maxSentenceLength: int | None = None,
        vectorFormat: VectorFormat | None = None,
        outputLevel: OutputLevel | None = None,
        onError: OnError | None = None,
        maxErrorFraction: float | None = None,
        deterministic: bool | None = None,
        dimension: int | None = None,
        storageRef: str | None = None,
        batchSize: int | None = None,
        piecesPerBatch: int | None = None,
        memoryBudgetMb: int | None = None,
        threads: int | None = None,
        device: str | None = None,
        modelDistribution: Distribution | None = None,
        persistModel: PersistModel | None = None,
        lazyAnnotator: bool | None = None,
        engine: str | None = None,
        configProtoBytes: list[int] | None = None,
    ) -> None:
        super().__init__()
        self._set_defaults()
        self.setParams(**self._input_kwargs)

    @staticmethod
    def pretrained(
        name: str = "albert_base_uncased",
        lang: str | None = None,
        remote_loc: str | None = None,
        *,
        precision: Precision | None = None,
        revision: str | None = None,
        do_lower_case: bool | None = None,
        keep_accents: bool | None = None,
        remove_space: bool | None = None,
    ) -> AlbertEmbeddings:
        """Return the stage with a model found by name or path.

        Parameters
        ----------
        name
            A folder, an embedded model (``albert_mini_en``), a known name (``albert_xlarge_uncased``) or
            ``owner/name@revision`` on the Hugging Face Hub, which is downloaded and converted once.
        lang
            Spark NLP's language code. By default it follows from the name; a name that is listed for another
            language is refused.
        remote_loc
            A folder on the driver's file system that contains `name`.
        precision
            ``fp32``, ``fp16`` or ``int8``, for a model that has to be converted; ``fp32`` by default.
        revision
            A commit, branch or tag of a Hub repository.
        do_lower_case, keep_accents, remove_space
            Options of the tokenizer of a model that has to be converted; None leaves them to its files.

        Raises
        ------
        ModelNotFoundError
            If no model has that name, or if `remote_loc` is on another file system. Never returns None.
        DownloadError
            If the model could not be downloaded.
        """
        check_language(name, lang)
        stage = AlbertEmbeddings(
            model=name if remote_loc is None else _model_in(remote_loc, name),
            precision=precision,
            revision=revision,
            doLowerCase=do_lower_case,
            keepAccents=keep_accents,
            removeSpace=remove_space,
        )
        return _with_model(stage)

    @staticmethod
    def loadSavedModel(
        folder: str,
        spark_session: SparkSession | None = None,
        *,
        do_lower_case: bool | None = None,
        keep_accents: bool | None = None,
        remove_space: bool | None = None,
    ) -> AlbertEmbeddings:
        """Return the stage with a model from a folder.

        Parameters
        ----------
        folder
            A Hugging Face checkpoint, a sparkalbert bundle, an exported ONNX graph in Spark NLP's import layout
            (``model.onnx`` and ``assets/spiece.model``), or an ``AlbertEmbeddings`` that Spark NLP saved, whose uid and
            Params are used. Anything but a bundle is converted once into the cache.
        spark_session
            Not needed; accepted because Spark NLP's method takes it.
        do_lower_case, keep_accents, remove_space
            As for :meth:`pretrained`. Of a model that Spark NLP saved, ``caseSensitive`` states the first two if true.

        Raises
        ------
        ModelNotFoundError
            If there is no such folder.
        CheckpointError
            If the folder cannot be converted.
        ConfigError
            If no file states an option of the tokenizer, and the vocabulary contradicts the default.
        """
        del spark_session
        path = local_path(folder)
        if path is None or not is_folder(path):
            msg = f"Folder {folder} not found. loadSavedModel takes a folder on the driver's file system."
            raise ModelNotFoundError(msg)
        stage = AlbertEmbeddings(
            model=str(path.absolute()), doLowerCase=do_lower_case, keepAccents=keep_accents, removeSpace=remove_space
        )
        _with_model(stage)
        saved = SavedStage.read(path)
        if saved is None:
            return stage
        stage._resetUid(saved.uid)
        return stage.setParams(**{name: value for name, value in saved.params.items() if stage.hasParam(name)})

    def getDimension(self) -> int:
        """Gets the width of a vector: as set, else that of the model, else Spark NLP's default."""
        if self.isSet(self.dimension) or not self.isSet(self.model):
            return int(self.getOrDefault(self.dimension))
        return self._checked_model().dimension

    def getStorageRef(self) -> str:
        """Gets the name of the vectors' origin: as set, else the model's name."""
        if self.isSet(self.storageRef) or not self.isSet(self.model):
            return str(self.getOrDefault(self.storageRef))
        return self._bundle().manifest.name

    def _checked_model(self, annotator_bytes: int = 0) -> CheckedModel:
        """Return the model with its options, checked against each other.

        Parameters
        ----------
        annotator_bytes
            Memory that other workers of the task use, subtracted from ``memoryBudgetMb``.
        """
        bundle, options = self._bundle(), self._embedder_options()
        budget_mb = self._value_if_set(self.memoryBudgetMb, self.getMemoryBudgetMb)
        checked = CheckedModel.of(bundle, options, budget_mb, annotator_bytes=annotator_bytes)
        if self.isSet(self.dimension) and self.getDimension() != checked.dimension:
            msg = (
                f"dimension is {self.getDimension()}, but model {self.getModel()!r} with pooling "
                f"{self.getPooling()!r} has vectors of {checked.dimension}. Leave dimension unset."
            )
            raise ParamError(msg)
        return checked

    def _accepts_columns(self, value: Sequence[str]) -> bool:
        """Return whether the input is one column of token lists."""
        return len(value) == 1

    def _worker_column(self, dataset: DataFrame) -> WorkerColumn:
        form = output_form(dataset, self._input_names(), self.inputAnnotatorTypes, self._output_options(), self.uid)
        checked = self._checked_model(form.annotator_bytes)
        threads = self._value_if_set(self.threads, self.getThreads)
        max_error_fraction = self.getMaxErrorFraction() if self.getOnError() == "null" else None
        # Everything is checked: only now is the model sent, if it has to be.
        handle = ship_model(dataset, checked.bundle, self.getModelDistribution())
        task = RowErrorsTask(
            form.make_task(checked.worker_model(handle, threads)),
            self._job_column or self.getOutputCol(),
            max_error_fraction,
            counted=self._counts_rows,
            in_job=self._job_column is not None,
        )
        metadata = self._annotation_metadata(checked) if form.is_annotation else None
        return WorkerColumn(task, form.columns, form.fields, form.type, metadata, self.getDeterministic())

    def _transform(self, dataset: DataFrame) -> DataFrame:
        output = self.getOutputCol()
        companions = companion_columns(output, may_fail=self.getOnError() == "null", counted=self._counts_rows)
        if not companions:
            return super()._transform(dataset)
        for name in (output, *companions.values()):
            check_output(dataset, name, self.uid)
        return add_column_with_companions(dataset, output, self._worker_column(dataset), companions)

    def _for_job(self, text_col: str, *, counts_rows: bool) -> Self:
        """Return a copy for the batch job.

        Parameters
        ----------
        text_col
            The column of texts, which messages name in the place of the output column.
        counts_rows
            If true, the columns ``<outputCol>_tokens`` and so on are added, one for each of `COUNTS`.
        """
        stage = self.copy()
        stage._job_column, stage._counts_rows = text_col, counts_rows  # noqa: SLF001 - a copy of this stage
        return stage

    def _output_options(self) -> OutputOptions:
        return OutputOptions(
            level=self.getOutputLevel(),
            vector_format=self.getVectorFormat(),
            compatibility=self.getCompatibility(),
            lower_case=not self.getCaseSensitive(),
            counted=self._counts_rows,
        )

    def _annotation_metadata(self, checked: CheckedModel) -> Mapping[str, Any]:
        return {
            "annotatorType": self.outputAnnotatorType,
            "dimension": checked.dimension,
            # If storageRef is not set, getStorageRef would look for the model again.
            "ref": self.getStorageRef() if self.isSet(self.storageRef) else checked.bundle.manifest.name,
        }

    def _local_task(self) -> AnnotationTask:
        """Return the task for a LightPipeline, which keeps the model loaded as long as it exists."""
        for param, expected in ((self.vectorFormat, "float"), (self.outputLevel, "token")):
            if self.getOrDefault(param) != expected:
                msg = (
                    f"{param.name} of {self.uid} is {self.getOrDefault(param)!r}, which gives no annotations. "
                    f"LightPipeline expects {expected!r}."
                )
                raise ParamError(msg)
        checked = self._checked_model()
        threads = self._value_if_set(self.threads, self.getThreads) or available_cores()
        model = checked.worker_model(ModelHandle.in_place(checked.bundle), threads)
        return self._output_options().annotation_task(HeldModel(model.load(), checked.sizes))

    @classmethod
    def _from_other_folder(cls, path: str, spark: SparkSession) -> Self | None:
        """Return the stage with the model in a folder that is not a saved stage."""
        folder = local_path(path)
        if folder is None or not is_folder(folder) or any(folder.glob("metadata/part-*")):
            return None
        return None if folder_kind(folder) is None else cast("Self", cls.loadSavedModel(path, spark))

    @classmethod
    def _from_metadata(cls, metadata: dict[str, Any], spark: SparkSession, path: str) -> Self:
        if not is_spark_nlp(metadata):
            return super()._from_metadata(metadata, spark, path)
        if local_path(path) is None:
            msg = (
                f"{path} is a model that Spark NLP saved. Its graph is converted here, so copy the folder to the "
                "driver's file system and use AlbertEmbeddings.loadSavedModel(folder, spark)."
            )
            raise ModelNotFoundError(msg)
        return cast("Self", cls.loadSavedModel(path, spark))

    def _save_files(self, folder: str, files: FileSystem | None) -> dict[str, Any] | None:
        if not self.isSet(self.model):
            return None
        bundle = self._bundle()
        by_value = self.getPersistModel() == "value"
        if by_value:
            upload_bundle(bundle, folder, files)
        return SavedModel.of(self.getModel(), self._model_options(), bundle.digest, by_value=by_value).to_metadata()

    def _load_files(self, metadata: Mapping[str, Any], spark: SparkSession, path: str) -> None:
        saved = SavedModel.from_metadata(dict(metadata), path)
        if saved is None:
            return
        if saved.by_value:
            bundle = download_bundle(spark, path, saved.digest)
            self.clear(self.revision)
            saved = replace(saved, model=str(bundle.path), revision=None)
        self._set(model=saved.model)
        self._saved_model = saved


def _model_in(folder: str | os.PathLike[str], name: str) -> str:
    """Return the path of a model in a folder; on another file system its URI, which is refused by name."""
    folder = os.fspath(folder)
    local = local_path(folder)
    return f"{folder.rstrip('/')}/{name}" if local is None else str(local.absolute() / name)


def _with_model(stage: AlbertEmbeddings) -> AlbertEmbeddings:
    """Return a stage whose model was found, with the uid that Spark NLP gives a stage created from a model."""
    # Finds the model now, so that a wrong name fails here.
    stage._bundle()  # noqa: SLF001
    stage._resetUid(f"ALBERT_EMBEDDINGS_{uuid.uuid4().hex[-12:]}")  # noqa: SLF001
    return stage
