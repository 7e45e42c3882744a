"""What Spark NLP keeps in ``sparknlp.annotator``; ported code changes the package's name only."""

from __future__ import annotations

from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.chunk_embeddings import ChunkEmbeddings
from sparkalbert.ml.stages.n_gram_generator import NGramGenerator
from sparkalbert.ml.stages.sentence_detector import SentenceDetector
from sparkalbert.ml.stages.sentence_embeddings import SentenceEmbeddings
from sparkalbert.ml.stages.tokenizer import Tokenizer, TokenizerModel

__all__ = [
    "AlbertEmbeddings",
    "ChunkEmbeddings",
    "NGramGenerator",
    "SentenceDetector",
    "SentenceEmbeddings",
    "Tokenizer",
    "TokenizerModel",
]
