"""Loads a :class:`.Predictor` from a model, by name or folder, or from a pipeline."""

from __future__ import annotations

import difflib
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.models import find_model
from sparkalbert.models.find import folder_kind
from sparkalbert.nlu.predictor import Predictor
from sparkalbert.nlu.sources import ModelSource, PipelineSource, Source, StageSource
from sparkalbert.storage.paths import local_path
from sparkalbert.word_embedder import WordEmbedder

if TYPE_CHECKING:
    from pyspark.ml import Pipeline, PipelineModel

__all__ = ["load"]

_BY_NAME: Final = "word_embedding_albert"
_FROM_DISK: Final = "word_embedding_from_disk"
_OPTIONS: Final = tuple(
    name
    for name, option in inspect.signature(WordEmbedder.load).parameters.items()
    if option.kind == option.KEYWORD_ONLY
)
_WITHOUT_EFFECT: Final = ("apple_silicon", "m1_chip", "streamlit_caching", "verbose", "version_checks")
_FIND_OPTIONS: Final = (
    "revision",
    "precision",
    "allow_download",
    "do_lower_case",
    "keep_accents",
    "remove_space",
)
_PARAMS: Final = {"max_sentence_length": "maxSentenceLength"}
_METADATA: Final = "metadata"


def load(
    model: str | os.PathLike[str] | Pipeline | PipelineModel | None = None,
    path: str | os.PathLike[str] | None = None,
    *,
    compatibility: Literal["none", "spark-nlp"] = "none",
    gpu: bool = False,
    **options: Any,
) -> Predictor:
    """Load a model whose :meth:`~sparkalbert.nlu.Predictor.predict` turns texts into a frame of vectors.

    Parameters
    ----------
    model
        An NLU reference (``en.embed.albert.xlarge_uncased``), any other name or folder of a model that
        :meth:`sparkalbert.WordEmbedder.load` takes, the folder of a saved pipeline or stage, or a pipeline.
    path
        A folder; NLU's keyword for it.
    compatibility
        ``spark-nlp`` for the rows and vectors of Spark NLP at batch size 1; requires pyspark.
    gpu
        If true, `device` is ``cuda``; NLU's keyword for it.
    **options
        The options of :meth:`sparkalbert.WordEmbedder.load`: ``pooling`` (the pieces of a word), ``layers``,
        ``precision``, ``revision``, ``threads``, ... A saved pipeline has its own. NLU's ``verbose``,
        ``streamlit_caching``, ``version_checks``, ``m1_chip`` and ``apple_silicon`` are accepted and have no effect:
        every machine runs the same build, and messages go to Python's logger ``sparkalbert``.

    Raises
    ------
    ModelNotFoundError
        If no such model exists; the message names similar models.
    ParamTypeError
        If there is no such option.
    ParamError
        If an option is invalid for the model, or a pipeline has other stages than ``predict`` needs.
    BundleError, CheckpointError, ConfigError, DownloadError
        As :meth:`sparkalbert.WordEmbedder.load` does.

    Examples
    --------
    >>> frame = load("albert_mini_en", threads=1).predict("I love NLP.")
    >>> frame.columns.tolist(), frame["token"].tolist()
    (['token', 'word_embedding_albert'], ['I', 'love', 'NLP', '.'])
    """
    found = path if model is None else model
    if found is None or (model is not None and path is not None):
        msg = "load() expects either a model or a path, for example load('albert_mini_en')."
        raise ParamError(msg)
    chosen = _checked_options(options)
    if gpu:
        chosen["device"] = "cuda"
    if compatibility != "none":
        chosen["compatibility"] = compatibility
    if not isinstance(found, (str, os.PathLike)):
        return Predictor(_pipeline_source(found, chosen), _FROM_DISK)
    folder = _model_folder(found)
    if folder is None:
        return Predictor(_model_source(found, chosen), _BY_NAME)
    is_saved = (folder / _METADATA).is_dir()
    if is_saved and folder_kind(folder) is None:
        return Predictor(_pipeline_source(_read(folder), chosen), _FROM_DISK)
    return Predictor(_model_source(folder, chosen, of_spark_nlp=is_saved), _FROM_DISK)


def _checked_options(options: dict[str, Any]) -> dict[str, Any]:
    known = sorted([*_OPTIONS, *_WITHOUT_EFFECT, "compatibility", "gpu", "path"])
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            msg = f"load() has no option {name!r}.{hint} Its options: {', '.join(known)}."
            raise ParamTypeError(msg)
    return {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}


def _model_folder(model: str | os.PathLike[str]) -> Path | None:
    """Return the folder of a model or of a saved pipeline, None if `model` is a name."""
    path = local_path(os.fspath(model))
    if path is None:
        return None
    path = path.expanduser()
    is_folder = path.is_dir() and (folder_kind(path) is not None or (path / _METADATA).is_dir())
    return path if is_folder else None


def _model_source(model: str | os.PathLike[str], options: dict[str, Any], *, of_spark_nlp: bool = False) -> Source:
    if not of_spark_nlp and "compatibility" not in options:
        return ModelSource(WordEmbedder.load(model, **options), threads=options.get("threads"))
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.stages.spark_nlp_model import SavedStage

    bundle = find_model(model, **{name: options[name] for name in _FIND_OPTIONS if name in options})
    stage = AlbertEmbeddings.loadSavedModel(os.fspath(bundle.path))
    # A stage that Spark NLP saved has Params of its own, which are not in the bundle.
    saved = SavedStage.read(Path(model)) if of_spark_nlp else None
    if saved is not None:
        stage.setParams(**{name: value for name, value in saved.params.items() if stage.hasParam(name)})
    params = {_PARAMS.get(name, name): value for name, value in options.items() if name not in _FIND_OPTIONS}
    return StageSource(stage.setParams(**params))


def _pipeline_source(pipeline: Any, options: dict[str, Any]) -> Source:
    from sparkalbert.ml import AlbertEmbeddings, LightPipeline

    if options:
        msg = f"A pipeline has its own {', '.join(options)}. Set the Params of its AlbertEmbeddings."
        raise ParamError(msg)
    if isinstance(pipeline, AlbertEmbeddings):
        return StageSource(pipeline)
    return PipelineSource(LightPipeline(pipeline).pipeline_model)


def _read(folder: Path) -> Any:
    from sparkalbert.ml.job.saved_pipeline import read_pipeline

    return read_pipeline(folder)
