"""Reads a folder in which a pipeline or an AlbertEmbeddings stage was saved."""

from __future__ import annotations

import json
from typing import Any, Final

from pyspark.ml import Pipeline, PipelineModel

from sparkalbert.errors import InputError
from sparkalbert.ml.failures import raise_input_errors
from sparkalbert.ml.files import literal_path
from sparkalbert.ml.session.spark_session import start
from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.storage.paths import local_path

__all__ = ["read_pipeline"]

_CLASSES: Final[dict[str, Any]] = {
    "AlbertEmbeddings": AlbertEmbeddings,
    "Pipeline": Pipeline,
    "PipelineModel": PipelineModel,
}


def read_pipeline(folder: str) -> Any:
    """Return the Pipeline, PipelineModel or AlbertEmbeddings of a folder.

    The Spark session reads it; if there is none, one is started.

    Parameters
    ----------
    folder
        A path of this machine, or a URI that Spark reads.

    Raises
    ------
    InputError
        If something else was saved there, or Spark cannot read it.
    """
    try:
        name = str(json.loads(_metadata(folder))["class"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        msg = f"The metadata of {folder} cannot be read ({type(error).__name__}: {error}). Save the pipeline again."
        raise InputError(msg) from error
    package, _, kind = name.rpartition(".")
    if kind not in _CLASSES or not package.startswith(("pyspark.", "sparkalbert.")):
        msg = f"{folder} contains a {name}, expected one of {', '.join(_CLASSES)} of pyspark and sparkalbert."
        raise InputError(msg)
    start()
    return _CLASSES[kind].load(folder)


def _metadata(folder: str) -> str:
    local = local_path(folder)
    if local is not None:
        return "".join(part.read_text(encoding="utf-8") for part in sorted(local.glob("metadata/part-*")))
    advice = "Expected a saved pipeline; copy the folder of a model to a local disk."
    with raise_input_errors(f"{folder}/metadata cannot be read", advice):
        return "".join(row[0] for row in start().read.text(literal_path(f"{folder}/metadata")).collect())
