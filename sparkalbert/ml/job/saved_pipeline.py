"""Reads a folder in which a pipeline or an AlbertEmbeddings stage was saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pyspark.ml import Pipeline, PipelineModel

from sparkalbert.errors import InputError
from sparkalbert.ml.session.spark_session import start
from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings

__all__ = ["read_pipeline"]

_CLASSES: Final[dict[str, Any]] = {
    "AlbertEmbeddings": AlbertEmbeddings,
    "Pipeline": Pipeline,
    "PipelineModel": PipelineModel,
}


def read_pipeline(folder: Path) -> Any:
    """Return the Pipeline, PipelineModel or AlbertEmbeddings of a local folder.

    The Spark session reads it; if there is none, one is started.

    Raises
    ------
    InputError
        If something else was saved there.
    """
    parts = sorted(folder.glob("metadata/part-*"))
    try:
        name = str(json.loads("".join(part.read_text(encoding="utf-8") for part in parts))["class"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"The metadata of {folder} cannot be read ({type(error).__name__}: {error}). Save the pipeline again."
        raise InputError(msg) from error
    package, _, kind = name.rpartition(".")
    if kind not in _CLASSES or not package.startswith(("pyspark.", "sparkalbert.")):
        msg = f"{folder} contains a {name}, expected one of {', '.join(_CLASSES)} of pyspark and sparkalbert."
        raise InputError(msg)
    start()
    return _CLASSES[kind].load(str(folder))
