"""Re-exports what Spark NLP has in ``sparknlp.embeddings``; ported code changes only the name of the package."""

from __future__ import annotations

from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.chunk_embeddings import ChunkEmbeddings
from sparkalbert.ml.stages.sentence_embeddings import SentenceEmbeddings

__all__ = ["AlbertEmbeddings", "ChunkEmbeddings", "SentenceEmbeddings"]
