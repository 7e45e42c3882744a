"""Loads a :class:`.Predictor` from a model, by name or folder, or from a pipeline."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.models import find_model
from sparkalbert.models.folders import folder_kind
from sparkalbert.nlu.predictor import Predictor
from sparkalbert.nlu.sources import ModelSource, PipelineSource, Source, StageSource
from sparkalbert.options import near_miss
from sparkalbert.storage.paths import is_folder, is_remote, local_path, with_home
from sparkalbert.word_embedder import WordEmbedder

if TYPE_CHECKING:
    from pyspark.ml import Pipeline, PipelineModel

__all__ = ["load"]

_BY_NAME: Final = "word_embedding_albert"
_FROM_DISK: Final = "word_embedding_from_disk"
_KINDS: Final = {"embed", "embed_sentence"}
_REFERENCE: Final = re.compile(r"([a-z]{2}\.)?(embed|embed_sentence)\.")
_WEB: Final = ("http:", "https:")
_OPTIONS: Final = tuple(
    name
    for name, option in inspect.signature(WordEmbedder.load).parameters.items()
    if option.kind == option.KEYWORD_ONLY
)
_PARAMETERS: Final = (
    "apple_silicon",
    "compatibility",
    "get_tracer",
    "gpu",
    "path",
    "request",
    "streamlit_caching",
    "verbose",
)
"""Those of :func:`load` itself."""

_WITHOUT_EFFECT: Final = ("m1_chip", "version_checks")
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


def load(  # noqa: PLR0913, PLR0917 - NLU's keywords
    model: str | os.PathLike[str] | Pipeline | PipelineModel | None = None,
    path: str | os.PathLike[str] | None = None,
    verbose: bool = False,
    gpu: bool = False,
    streamlit_caching: bool = False,
    apple_silicon: bool = False,
    get_tracer: bool = False,
    *,
    request: str | None = None,
    compatibility: Literal["none", "spark-nlp"] = "none",
    **options: Any,
) -> Predictor:
    """Load a model whose :meth:`~sparkalbert.nlu.Predictor.predict` turns texts into a frame of vectors.

    Parameters
    ----------
    model
        An NLU reference (``en.embed.albert.xlarge_uncased``), any other name or folder of a model that
        :meth:`sparkalbert.WordEmbedder.load` takes, the folder of a saved pipeline or stage, or a pipeline.
    path
        A folder; NLU's keyword for it. A name in `model` then only names the column of vectors, as in NLU.
    verbose, streamlit_caching, apple_silicon, get_tracer
        Have no effect; accepted because NLU's function takes them. Every machine runs the same build, and messages go
        to Python's logger ``sparkalbert``.
    gpu
        If true, `device` is ``cuda``; NLU's keyword for it.
    request
        NLU's keyword for `model`.
    compatibility
        ``spark-nlp`` for the rows and vectors of Spark NLP at batch size 1; requires pyspark.
    **options
        The options of :meth:`sparkalbert.WordEmbedder.load`: ``pooling`` (the pieces of a word), ``layers``,
        ``precision``, ``revision``, ``threads``, ... A saved pipeline has its own. ``version_checks`` and ``m1_chip``
        of older versions of NLU have no effect.

    Returns
    -------
    Predictor
        Its column of vectors is called as in NLU: ``word_embedding_from_disk`` for a folder or pipeline, for a
        reference ``word_embedding_`` and its part after ``embed.`` (``ja.embed.albert_base_japanese_v1``, but
        ``albert`` for ``en.embed.albert.xlarge_uncased``), and ``word_embedding_albert`` for any other name.

    Raises
    ------
    ModelNotFoundError
        If no such model exists; the message names similar models.
    ParamTypeError
        If there is no such option.
    ParamError
        If an option is invalid for the model, or a pipeline has other stages than ``predict`` needs.
    InputError
        If a saved pipeline cannot be read.
    BundleError, CheckpointError, ConfigError, DownloadError
        As :meth:`sparkalbert.WordEmbedder.load` does.

    Examples
    --------
    >>> frame = load("albert_mini_en", threads=1).predict("I love NLP.")
    >>> frame.columns.tolist(), frame["token"].tolist()
    (['token', 'word_embedding_albert'], ['I', 'love', 'NLP', '.'])
    """
    del verbose, streamlit_caching, apple_silicon, get_tracer
    found, column = _requested(model, path, request)
    chosen = _checked_options(options)
    if gpu and not str(chosen.setdefault("device", "cuda")).startswith("cuda"):
        msg = f"load() has gpu=True and device={chosen['device']!r}. Pass one; gpu is NLU's name for device='cuda'."
        raise ParamError(msg)
    if compatibility != "none":
        chosen["compatibility"] = compatibility
    if not isinstance(found, (str, os.PathLike)):
        return Predictor(_pipeline_source(found, chosen), column or _FROM_DISK)
    text = os.fspath(found)
    if is_remote(text) and not text.startswith(_WEB) and importlib.util.find_spec("pyspark") is not None:
        # Spark reads saved pipelines from hdfs: or s3a:
        return Predictor(_pipeline_source(_read(text), chosen), column or _FROM_DISK)
    folder = _model_folder(found)
    if folder is None:
        by_name = _reference_column(text) if _REFERENCE.match(text) else _BY_NAME
        return Predictor(_model_source(found, chosen), column or by_name)
    is_saved = (folder / _METADATA).is_dir()
    if is_saved and folder_kind(folder) is None:
        return Predictor(_pipeline_source(_read(str(folder)), chosen), column or _FROM_DISK)
    return Predictor(_model_source(folder, chosen, of_spark_nlp=is_saved), column or _FROM_DISK)


def _requested(model: Any, path: Any, request: str | None) -> tuple[Any, str | None]:
    """Return what to load, and the name of the column of vectors if a reference and a path are given."""
    if request is not None and model is not None:
        msg = f"load() has two models, {model!r} and request={request!r}. Pass one; request is NLU's name for model."
        raise ParamError(msg)
    model = request if model is None else model
    if model is None and path is None:
        msg = "load() expects either a model or a path, for example load('albert_mini_en')."
        raise ParamError(msg)
    if path is None:
        return model, None
    if model is not None and not isinstance(model, str):
        msg = f"load() has a path and a {type(model).__name__}, expected a name beside a path. Pass one of the two."
        raise ParamError(msg)
    return path, None if model is None else _reference_column(model)


def _reference_column(reference: str) -> str:
    """Return how NLU names the column of vectors: by the part of a reference after its language and kind.

    Examples
    --------
    >>> _reference_column("en.embed.albert.xlarge_uncased"), _reference_column("mr.embed.albert_v2")
    ('word_embedding_albert', 'word_embedding_albert_v2')
    """
    parts = reference.split(".")
    while len(parts) > 1 and (len(parts[0]) == 2 or parts[0] in _KINDS):  # noqa: PLR2004 - a language
        del parts[0]
    return f"word_embedding_{parts[0]}"


def _checked_options(options: dict[str, Any]) -> dict[str, Any]:
    known = sorted({*_OPTIONS, *_WITHOUT_EFFECT, *_PARAMETERS})
    for name in options:
        if name not in known:
            msg = f"load() has no option {name!r}.{near_miss(name, known)} Its options: {', '.join(known)}."
            raise ParamTypeError(msg)
    return {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}


def _model_folder(model: str | os.PathLike[str]) -> Path | None:
    """Return the folder of a model or of a saved pipeline, None if `model` is a name."""
    text = os.fspath(model)
    path = local_path(text) if text.lower().startswith("file:") else Path(with_home(text))
    if path is None:
        return None
    has_folder = is_folder(path) and (folder_kind(path) is not None or (path / _METADATA).is_dir())
    return path if has_folder else None


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


def _read(folder: str) -> Any:
    from sparkalbert.ml.job.saved_pipeline import read_pipeline

    return read_pipeline(folder)
