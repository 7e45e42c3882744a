"""The Spark stages; the only folder that knows Spark."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkalbert.ml.annotation import Annotation
    from sparkalbert.ml.light_pipeline import LightPipeline
    from sparkalbert.ml.session.spark_session import start
    from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
    from sparkalbert.ml.stages.chunk_embeddings import ChunkEmbeddings
    from sparkalbert.ml.stages.doc2_chunk import Doc2Chunk
    from sparkalbert.ml.stages.document_assembler import DocumentAssembler
    from sparkalbert.ml.stages.embeddings_finisher import EmbeddingsFinisher
    from sparkalbert.ml.stages.finisher import Finisher
    from sparkalbert.ml.stages.n_gram_generator import NGramGenerator
    from sparkalbert.ml.stages.sentence_detector import SentenceDetector
    from sparkalbert.ml.stages.sentence_embeddings import SentenceEmbeddings
    from sparkalbert.ml.stages.tokenizer import Tokenizer, TokenizerModel
    from sparkalbert.ml.vectors import binary_to_array

__all__ = [
    "AlbertEmbeddings",
    "Annotation",
    "ChunkEmbeddings",
    "Doc2Chunk",
    "DocumentAssembler",
    "EmbeddingsFinisher",
    "Finisher",
    "LightPipeline",
    "NGramGenerator",
    "SentenceDetector",
    "SentenceEmbeddings",
    "Tokenizer",
    "TokenizerModel",
    "binary_to_array",
    "start",
]

# Loaded when first used: a worker that unpickles one task must not import every stage.
_HOMES = {
    "AlbertEmbeddings": "stages.albert_embeddings",
    "Annotation": "annotation",
    "ChunkEmbeddings": "stages.chunk_embeddings",
    "Doc2Chunk": "stages.doc2_chunk",
    "DocumentAssembler": "stages.document_assembler",
    "EmbeddingsFinisher": "stages.embeddings_finisher",
    "Finisher": "stages.finisher",
    "LightPipeline": "light_pipeline",
    "NGramGenerator": "stages.n_gram_generator",
    "SentenceDetector": "stages.sentence_detector",
    "SentenceEmbeddings": "stages.sentence_embeddings",
    "Tokenizer": "stages.tokenizer",
    "TokenizerModel": "stages.tokenizer",
    "binary_to_array": "vectors",
    "start": "session.spark_session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
