"""Writes Hugging Face checkpoints, with random weights of any shape for measurements of speed and memory.

Every program under comparison then reads the same numbers from the same files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import save_file

from sparkalbert.arrays import Float32Array
from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.files import WEIGHTS_FILE
from sparkalbert.convert.weights.names import checkpoint_shapes
from sparkalbert.text import PieceTokenizer

__all__ = ["random_tensors", "write_checkpoint", "write_random_checkpoint"]

_STANDARD_DEVIATION: Final = 0.05


def write_random_checkpoint(folder: Path, config: AlbertConfig, tokenizer: Path, *, seed: int = 0) -> Path:
    """Write a checkpoint and return its folder; the same arguments give the same weights on every machine.

    Parameters
    ----------
    folder
        The folder to write; it must not exist.
    config
        Shape of the model.
    tokenizer
        A model folder to copy the tokenizer from. The vocabulary must not be larger than
        ``config.vocab_size``.
    seed
        Seed of NumPy's PCG64 generator.
    """
    return write_checkpoint(folder, config, tokenizer, random_tensors(config, seed=seed))


def write_checkpoint(folder: Path, config: AlbertConfig, tokenizer: Path, tensors: Mapping[str, Float32Array]) -> Path:
    """Write a configuration, a vocabulary and tensors as a Hugging Face folder and return it.

    Parameters
    ----------
    folder
        The folder to write; it must not exist.
    config, tokenizer
        See :func:`write_random_checkpoint`.
    tensors
        float32 arrays under the names of :func:`sparkalbert.convert.weights.names.checkpoint_shapes`.
    """
    folder.mkdir(parents=True)
    (folder / CONFIG_FILE).write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
    PieceTokenizer.load(tokenizer).save(folder)
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    save_file(contiguous, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    return folder


def random_tensors(config: AlbertConfig, *, seed: int = 0) -> dict[str, Float32Array]:
    """Return a random tensor for every name that a checkpoint must hold; weights of layer norms are near 1.

    Examples
    --------
    >>> config = AlbertConfig(vocab_size=10, hidden_size=8, num_attention_heads=2, intermediate_size=16)
    >>> random_tensors(config)["embeddings.word_embeddings.weight"].shape
    (10, 128)
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    tensors = {}
    for name, shape in checkpoint_shapes(config).items():
        values = rng.standard_normal(shape, dtype=np.float32) * np.float32(_STANDARD_DEVIATION)
        if "LayerNorm.weight" in name or "layer_norm.weight" in name:
            values += 1
        tensors[name] = values
    return tensors
