"""Checkpoints of random weights, in any shape: for speed and memory, which do not ask what weights mean.

Written as Hugging Face writes an ALBERT, so that every program under comparison reads the same numbers.
It knows shapes only; the vocabulary is somebody else's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from sparkalbert.bundle.folder import CONFIG_FILE, TOKENIZER_CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.weight_names import checkpoint_shapes
from sparkalbert.text.tokenizer_files import vocabulary_path

__all__ = ["checkpoint_folder", "random_tensors", "write_random_checkpoint"]

_WEIGHTS: Final = "model.safetensors"
_STANDARD_DEVIATION: Final = 0.05


def write_random_checkpoint(folder: Path, config: AlbertConfig, tokenizer: Path, *, seed: int = 0) -> Path:
    """Write a checkpoint and return its folder; the same arguments give the same numbers everywhere.

    Parameters
    ----------
    folder
        The folder to make.
    config
        Shape of the model.
    tokenizer
        Where ``spiece.model`` and its options are taken from; no larger than ``config.vocab_size``.
    seed
        Of NumPy's PCG64.
    """
    return checkpoint_folder(folder, config, tokenizer, random_tensors(config, seed=seed))


def checkpoint_folder(
    folder: Path, config: AlbertConfig, tokenizer: Path, tensors: Mapping[str, npt.NDArray[np.float32]]
) -> Path:
    """Write a configuration, a vocabulary and tensors as a Hugging Face folder and return it.

    Parameters
    ----------
    folder
        The folder to make.
    config, tokenizer
        See :func:`write_random_checkpoint`.
    tensors
        float32 arrays under the names of :func:`sparkalbert.convert.weight_names.checkpoint_shapes`.
    """
    folder.mkdir(parents=True)
    (folder / CONFIG_FILE).write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
    vocabulary = vocabulary_path(tokenizer)
    shutil.copyfile(vocabulary, folder / VOCABULARY_FILE)
    options = vocabulary.parent / TOKENIZER_CONFIG_FILE
    if options.is_file():
        shutil.copyfile(options, folder / TOKENIZER_CONFIG_FILE)
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    save_file(contiguous, folder / _WEIGHTS, metadata={"format": "pt"})
    return folder


def random_tensors(config: AlbertConfig, *, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Return a seeded tensor for every name a checkpoint must hold; norms scale by about one.

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
