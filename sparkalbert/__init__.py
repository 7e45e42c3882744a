"""ALBERT token embeddings on Apache Spark: one token in, one vector out, always the same vector.

The names below are imported when they are first used, because a Spark worker imports this package too and needs few of
them.

Words that have one meaning throughout the project:

token
    A word or punctuation mark, as the Tokenizer finds it. Every token has one vector.
piece
    A subword of ALBERT's SentencePiece vocabulary. A token has zero or more pieces.
sentence
    What the SentenceDetector finds; the context in which a token's vector is computed.
window
    A part of a sentence that fits into the model. Long sentences are covered by overlapping windows.
batch
    The sequences of one forward pass. An *Arrow batch* is what Spark hands to a worker at a time.
bundle
    The model folder that sparkalbert runs: graph, weights, vocabulary, configuration, manifest with checksums.
pack
    A bundle in one file, on its way to other machines.
stage
    A step of a Spark ML pipeline.
phase
    A part of a worker's time: load, tokenize, batch, run, pool, emit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.convert import convert_checkpoint
    from sparkalbert.embedded_text import EmbeddedText
    from sparkalbert.ml import (
        AlbertEmbeddings,
        Annotation,
        ChunkEmbeddings,
        Doc2Chunk,
        DocumentAssembler,
        EmbeddingsFinisher,
        Finisher,
        LightPipeline,
        MultiDocumentAssembler,
        NGramGenerator,
        Normalizer,
        NormalizerModel,
        RegexTokenizer,
        SentenceDetector,
        SentenceEmbeddings,
        StopWordsCleaner,
        TextMatcher,
        TextMatcherModel,
        TokenAssembler,
        Tokenizer,
        TokenizerModel,
        binary_to_array,
        binary_to_vector,
        start,
    )
    from sparkalbert.models import find_model
    from sparkalbert.nlu import load
    from sparkalbert.vectors import binary_to_numpy
    from sparkalbert.word_embedder import WordEmbedder

__all__ = [
    "AlbertEmbeddings",
    "Annotation",
    "ChunkEmbeddings",
    "Doc2Chunk",
    "DocumentAssembler",
    "EmbeddedText",
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
    "WordEmbedder",
    "binary_to_array",
    "binary_to_numpy",
    "binary_to_vector",
    "convert_checkpoint",
    "find_model",
    "load",
    "start",
    "version",
]

_lazy_attribute, _lazy_names = lazy_attributes(
    __name__,
    {
        **dict.fromkeys(__all__[:-1], "sparkalbert.ml"),  # version is defined here
        "EmbeddedText": "sparkalbert.embedded_text",
        "WordEmbedder": "sparkalbert.word_embedder",
        "binary_to_numpy": "sparkalbert.vectors",
        "convert_checkpoint": "sparkalbert.convert",
        "find_model": "sparkalbert.models",
        "load": "sparkalbert.nlu",
    },
)


def version() -> str:
    """Return the version of sparkalbert, as ``sparknlp.version()`` returns that of Spark NLP."""
    from importlib import metadata

    try:
        return metadata.version("sparkalbert")
    except metadata.PackageNotFoundError:  # sent to executors as a zip, without its metadata
        return "unknown"


def __getattr__(name: str) -> Any:
    return version() if name == "__version__" else _lazy_attribute(name)


def __dir__() -> list[str]:
    return [*_lazy_names(), "__version__", "version"]
