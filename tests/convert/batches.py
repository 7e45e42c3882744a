"""Vectors of texts in chosen batches."""

import numpy as np

from sparkalbert.bundle import Bundle
from sparkalbert.inference import BatchingOptions, Embedder, EmbedderOptions, LoadedModel, SessionOptions

ONE_BATCH = BatchingOptions(pieces_per_batch=1000, max_sequences=100, overhead_pieces=1000)
"""A batch costs so much that a plan puts all sequences into one."""


def vectors(bundle: Bundle, texts, batching=None) -> np.ndarray:
    """Return the vectors of the words of all texts, float32 ``[words, hidden]``."""
    options = EmbedderOptions(batching=batching or BatchingOptions())
    embedder = Embedder(LoadedModel.load(bundle, SessionOptions()), options)
    return embedder.vectors(embedder.encode_token_lists([text.split() for text in texts]))
