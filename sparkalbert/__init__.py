"""ALBERT token embeddings on Apache Spark: one token in, one vector out, always the same vector.

The names below are loaded when they are first used, because a Spark worker imports this package too
and needs few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkalbert.convert import convert_checkpoint
    from sparkalbert.inference import WordEmbedder
    from sparkalbert.ml import (
        AlbertEmbeddings,
        DocumentAssembler,
        EmbeddingsFinisher,
        LightPipeline,
        SentenceDetector,
        Tokenizer,
    )
    from sparkalbert.vectors import binary_to_numpy

__all__ = [
    "AlbertEmbeddings",
    "DocumentAssembler",
    "EmbeddingsFinisher",
    "LightPipeline",
    "SentenceDetector",
    "Tokenizer",
    "WordEmbedder",
    "binary_to_numpy",
    "convert_checkpoint",
]

_HOMES = {
    "AlbertEmbeddings": "sparkalbert.ml",
    "DocumentAssembler": "sparkalbert.ml",
    "EmbeddingsFinisher": "sparkalbert.ml",
    "LightPipeline": "sparkalbert.ml",
    "SentenceDetector": "sparkalbert.ml",
    "Tokenizer": "sparkalbert.ml",
    "WordEmbedder": "sparkalbert.inference",
    "binary_to_numpy": "sparkalbert.vectors",
    "convert_checkpoint": "sparkalbert.convert",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sparkalbert")
    except PackageNotFoundError:  # sent to executors as a zip, without its metadata
        return "unknown"


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
