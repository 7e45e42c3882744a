"""Contains everything that uses Spark: stages, workers, sessions and batch jobs.

Outside of it, only :mod:`sparkalbert.base` imports pyspark at run time, and ``sparkalbert doctor``, to check it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

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
    from sparkalbert.ml.stages.multi_document_assembler import MultiDocumentAssembler
    from sparkalbert.ml.stages.n_gram_generator import NGramGenerator
    from sparkalbert.ml.stages.normalizer import Normalizer, NormalizerModel
    from sparkalbert.ml.stages.regex_tokenizer import RegexTokenizer
    from sparkalbert.ml.stages.sentence_detector import SentenceDetector
    from sparkalbert.ml.stages.sentence_embeddings import SentenceEmbeddings
    from sparkalbert.ml.stages.stop_words_cleaner import StopWordsCleaner
    from sparkalbert.ml.stages.text_matcher import TextMatcher, TextMatcherModel
    from sparkalbert.ml.stages.token_assembler import TokenAssembler
    from sparkalbert.ml.stages.tokenizer import Tokenizer, TokenizerModel
    from sparkalbert.ml.vectors import binary_to_array, binary_to_vector

__all__ = [
    "AlbertEmbeddings",
    "Annotation",
    "ChunkEmbeddings",
    "Doc2Chunk",
    "DocumentAssembler",
    "EmbeddingsFinisher",
    "Finisher",
    "LightPipeline",
    "MultiDocumentAssembler",
    "NGramGenerator",
    "Normalizer",
    "NormalizerModel",
    "RegexTokenizer",
    "SentenceDetector",
    "SentenceEmbeddings",
    "StopWordsCleaner",
    "TextMatcher",
    "TextMatcherModel",
    "TokenAssembler",
    "Tokenizer",
    "TokenizerModel",
    "binary_to_array",
    "binary_to_vector",
    "start",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "AlbertEmbeddings": "sparkalbert.ml.stages.albert_embeddings",
        "Annotation": "sparkalbert.ml.annotation",
        "ChunkEmbeddings": "sparkalbert.ml.stages.chunk_embeddings",
        "Doc2Chunk": "sparkalbert.ml.stages.doc2_chunk",
        "DocumentAssembler": "sparkalbert.ml.stages.document_assembler",
        "EmbeddingsFinisher": "sparkalbert.ml.stages.embeddings_finisher",
        "Finisher": "sparkalbert.ml.stages.finisher",
        "LightPipeline": "sparkalbert.ml.light_pipeline",
        "MultiDocumentAssembler": "sparkalbert.ml.stages.multi_document_assembler",
        "NGramGenerator": "sparkalbert.ml.stages.n_gram_generator",
        "Normalizer": "sparkalbert.ml.stages.normalizer",
        "NormalizerModel": "sparkalbert.ml.stages.normalizer",
        "RegexTokenizer": "sparkalbert.ml.stages.regex_tokenizer",
        "SentenceDetector": "sparkalbert.ml.stages.sentence_detector",
        "SentenceEmbeddings": "sparkalbert.ml.stages.sentence_embeddings",
        "StopWordsCleaner": "sparkalbert.ml.stages.stop_words_cleaner",
        "TextMatcher": "sparkalbert.ml.stages.text_matcher",
        "TextMatcherModel": "sparkalbert.ml.stages.text_matcher",
        "TokenAssembler": "sparkalbert.ml.stages.token_assembler",
        "Tokenizer": "sparkalbert.ml.stages.tokenizer",
        "TokenizerModel": "sparkalbert.ml.stages.tokenizer",
        "binary_to_array": "sparkalbert.ml.vectors",
        "binary_to_vector": "sparkalbert.ml.vectors",
        "start": "sparkalbert.ml.session.spark_session",
    },
)
