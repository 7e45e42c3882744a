"""Seeded random ALBERT checkpoints, small enough to convert in milliseconds.

Every number comes from NumPy's PCG64, so the bytes are the same on every machine. The weights are so large that
attention and activations leave their linear range.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from sparkalbert.config import AlbertConfig
from tests import tiny_vocabulary

SHAPE: Mapping[str, Any] = {
    "vocab_size": tiny_vocabulary.VOCABULARY_SIZE,
    "embedding_size": 16,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 512,
}


def write(folder: Path, *, seed: int = 0, prefix: str = "", **config_overrides: Any) -> Path:
    """Write config.json, model.safetensors and spiece.model; return the folder."""
    config = tiny_config(**config_overrides)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=2))
    tensors = random_tensors(config, seed=seed)
    save_file({prefix + name: values for name, values in tensors.items()}, folder / "model.safetensors")
    tiny_vocabulary.write(folder)
    return folder


def tiny_config(**overrides: Any) -> AlbertConfig:
    return AlbertConfig(**{**SHAPE, **overrides})


def random_tensors(config: AlbertConfig, *, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Return tensors under the names of Hugging Face's AlbertModel, pooler included.

    Names and shapes are written out here independently, so that an error in the converter's table is found.
    """
    hidden, narrow, wide = config.hidden_size, config.embedding_size, config.intermediate_size
    rng = np.random.Generator(np.random.PCG64(seed))
    tensors: dict[str, npt.NDArray[np.float32]] = {}

    def normal(name: str, *shape: int, std: float) -> None:
        tensors[name] = rng.standard_normal(shape, dtype=np.float32) * np.float32(std)

    def linear(name: str, rows: int, columns: int) -> None:
        normal(f"{name}.weight", rows, columns, std=min(0.2, 1.2 / columns**0.5))
        normal(f"{name}.bias", rows, std=0.1)

    def norm(name: str, width: int) -> None:
        normal(f"{name}.weight", width, std=0.2)
        tensors[f"{name}.weight"] += 1
        normal(f"{name}.bias", width, std=0.1)

    normal("embeddings.word_embeddings.weight", config.vocab_size, narrow, std=0.2)
    normal("embeddings.position_embeddings.weight", config.max_position_embeddings, narrow, std=0.1)
    normal("embeddings.token_type_embeddings.weight", config.type_vocab_size, narrow, std=0.1)
    norm("embeddings.LayerNorm", narrow)
    linear("encoder.embedding_hidden_mapping_in", hidden, narrow)
    for group in range(config.num_hidden_groups):
        for inner in range(config.inner_group_num):
            layer = f"encoder.albert_layer_groups.{group}.albert_layers.{inner}."
            norm(f"{layer}full_layer_layer_norm", hidden)
            for name in ("query", "key", "value", "dense"):
                linear(f"{layer}attention.{name}", hidden, hidden)
            norm(f"{layer}attention.LayerNorm", hidden)
            linear(f"{layer}ffn", wide, hidden)
            linear(f"{layer}ffn_output", hidden, wide)
    linear("pooler", hidden, hidden)
    return tensors


def checksum(tensors: Mapping[str, npt.NDArray[np.float32]]) -> str:
    """Return the sha256 of names and bytes, by which golden files identify their weights."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()
