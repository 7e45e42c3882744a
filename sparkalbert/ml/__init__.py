"""The Spark stages; the only folder that knows Spark."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkalbert.ml.albert_embeddings import AlbertEmbeddings
    from sparkalbert.ml.document_assembler import DocumentAssembler
    from sparkalbert.ml.embeddings_finisher import EmbeddingsFinisher
    from sparkalbert.ml.sentence_detector import SentenceDetector
    from sparkalbert.ml.spark_session import start
    from sparkalbert.ml.tokenizer import Tokenizer, TokenizerModel

__all__ = [
    "AlbertEmbeddings",
    "DocumentAssembler",
    "EmbeddingsFinisher",
    "SentenceDetector",
    "Tokenizer",
    "TokenizerModel",
    "start",
]

# Loaded when first used: a worker that unpickles one task must not import every stage.
_HOMES = {
    "AlbertEmbeddings": "albert_embeddings",
    "DocumentAssembler": "document_assembler",
    "EmbeddingsFinisher": "embeddings_finisher",
    "SentenceDetector": "sentence_detector",
    "Tokenizer": "tokenizer",
    "TokenizerModel": "tokenizer",
    "start": "spark_session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
