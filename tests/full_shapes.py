"""The published shapes, for tests that take minutes."""

from collections.abc import Mapping

BASE: Mapping[str, int] = {
    "vocab_size": 30_000,
    "embedding_size": 128,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
}
XLARGE: Mapping[str, int] = {
    "vocab_size": 30_000,
    "embedding_size": 128,
    "hidden_size": 2048,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 8192,
}
