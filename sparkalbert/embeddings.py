"""What Spark NLP keeps in ``sparknlp.embeddings``; ported code changes the package's name only."""

from __future__ import annotations

from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.chunk_embeddings import ChunkEmbeddings
from sparkalbert.ml.stages.sentence_embeddings import SentenceEmbeddings

__all__ = ["AlbertEmbeddings", "ChunkEmbeddings", "SentenceEmbeddings"]
