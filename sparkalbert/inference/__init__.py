"""Turns pieces into word vectors without Spark: batches, ONNX Runtime, windows, layers and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.inference.batching import BatchingOptions
    from sparkalbert.inference.embedder import Embedder, EmbedderOptions
    from sparkalbert.inference.memory import MemoryPlan, VectorSizes, plan_memory
    from sparkalbert.inference.model import LoadedModel, ModelCache
    from sparkalbert.inference.pooling import VectorOptions
    from sparkalbert.inference.session import EncoderSession, SessionOptions

__all__ = [
    "BatchingOptions",
    "Embedder",
    "EmbedderOptions",
    "EncoderSession",
    "LoadedModel",
    "MemoryPlan",
    "ModelCache",
    "SessionOptions",
    "VectorOptions",
    "VectorSizes",
    "plan_memory",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "BatchingOptions": "sparkalbert.inference.batching",
        "Embedder": "sparkalbert.inference.embedder",
        "EmbedderOptions": "sparkalbert.inference.embedder",
        "EncoderSession": "sparkalbert.inference.session",
        "LoadedModel": "sparkalbert.inference.model",
        "MemoryPlan": "sparkalbert.inference.memory",
        "ModelCache": "sparkalbert.inference.model",
        "SessionOptions": "sparkalbert.inference.session",
        "VectorOptions": "sparkalbert.inference.pooling",
        "VectorSizes": "sparkalbert.inference.memory",
        "plan_memory": "sparkalbert.inference.memory",
    },
)
