"""Re-exports what Spark NLP has in ``sparknlp.annotator``; ported code changes only the name of the package."""

from __future__ import annotations

from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.chunk_embeddings import ChunkEmbeddings
from sparkalbert.ml.stages.n_gram_generator import NGramGenerator
from sparkalbert.ml.stages.normalizer import Normalizer, NormalizerModel
from sparkalbert.ml.stages.regex_tokenizer import RegexTokenizer
from sparkalbert.ml.stages.sentence_detector import SentenceDetector
from sparkalbert.ml.stages.sentence_embeddings import SentenceEmbeddings
from sparkalbert.ml.stages.stop_words_cleaner import StopWordsCleaner
from sparkalbert.ml.stages.text_matcher import TextMatcher, TextMatcherModel
from sparkalbert.ml.stages.text_resource import ReadAs
from sparkalbert.ml.stages.tokenizer import Tokenizer, TokenizerModel

__all__ = [
    "AlbertEmbeddings",
    "ChunkEmbeddings",
    "NGramGenerator",
    "Normalizer",
    "NormalizerModel",
    "ReadAs",
    "RegexTokenizer",
    "SentenceDetector",
    "SentenceEmbeddings",
    "StopWordsCleaner",
    "TextMatcher",
    "TextMatcherModel",
    "Tokenizer",
    "TokenizerModel",
]
