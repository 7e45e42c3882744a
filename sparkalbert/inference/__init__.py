"""The engine without Spark: piece ids through ONNX Runtime to word vectors."""

from sparkalbert.inference.batching import BatchingOptions
from sparkalbert.inference.embedder import EmbeddedText, EmbedderOptions, WordEmbedder
from sparkalbert.inference.engine import VectorOptions
from sparkalbert.inference.memory import MemoryPlan, VectorSizes, plan_memory
from sparkalbert.inference.session import EncoderSession, SessionOptions, available_cores

__all__ = [
    "BatchingOptions",
    "EmbeddedText",
    "EmbedderOptions",
    "EncoderSession",
    "MemoryPlan",
    "SessionOptions",
    "VectorOptions",
    "VectorSizes",
    "WordEmbedder",
    "available_cores",
    "plan_memory",
]
