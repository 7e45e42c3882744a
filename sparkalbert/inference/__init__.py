"""The engine without Spark: piece ids through ONNX Runtime to word vectors."""

from sparkalbert.inference.batching import BatchingOptions
from sparkalbert.inference.embedder import EmbeddedText, EmbedderOptions, WordEmbedder
from sparkalbert.inference.engine import VectorOptions
from sparkalbert.inference.session import EncoderSession, SessionOptions, available_cores

__all__ = [
    "BatchingOptions",
    "EmbeddedText",
    "EmbedderOptions",
    "EncoderSession",
    "SessionOptions",
    "VectorOptions",
    "WordEmbedder",
    "available_cores",
]
