"""Translates the tensor names of Keras and of Google's code into PyTorch's, and finds the prefix before them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from sparkalbert.convert.checkpoint.stored import StoredTensor
from sparkalbert.convert.weights.names import IGNORED_PREFIXES

__all__ = ["from_google", "from_keras", "from_pytorch", "split_prefix", "without_heads"]

_NORM: Final = {"gamma": "weight", "beta": "bias"}
_KERAS: Final = {**_NORM, "kernel": "weight", "embeddings": "weight"}
_GOOGLE: Final = (
    (r"/(word|position|token_type)_embeddings$", r"/\1_embeddings/weight"),
    (r"/transformer/group_(\d+)/inner_group_(\d+)/", r"/albert_layer_groups.\1.albert_layers.\2."),
    (r"\.attention_1/(?:self|output)/", ".attention."),
    (r"\.ffn_1/intermediate/output/dense/", ".ffn_output."),
    (r"\.ffn_1/intermediate/dense/", ".ffn."),
    (r"\.LayerNorm_1/", ".full_layer_layer_norm."),
    (r"\.LayerNorm/", ".attention.LayerNorm."),
)
"""The scopes of ``modeling.py`` of google-research/albert, in the order in which they are replaced."""

_OPTIMIZER: Final = re.compile(r"/(?:(?:adam|lamb)_[mv]|Adam(?:_1)?)$")


def from_pytorch(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Return tensors with today's names of the parameters of layer norms; checkpoints of 2019 have others."""
    old = re.compile(r"(?<=LayerNorm\.)(?:gamma|beta)$")
    return {old.sub(lambda found: _NORM[found[0]], name): tensor for name, tensor in tensors.items()}


def from_keras(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Return the tensors of Hugging Face's TensorFlow classes under the names of their PyTorch classes."""
    return dict(
        _renamed(name.removesuffix(":0").replace("_._", "/"), tensor, _KERAS) for name, tensor in tensors.items()
    )


def from_google(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Return the tensors of Google's TensorFlow code under the names of Hugging Face's PyTorch classes."""
    renamed: dict[str, StoredTensor] = {}
    for stored, tensor in tensors.items():
        if _OPTIMIZER.search(stored):
            continue
        name = stored
        for pattern, replacement in _GOOGLE:
            name = re.sub(pattern, replacement, name)
        renamed.update([_renamed(name, tensor, {**_NORM, "kernel": "weight"})])
    return renamed


def _renamed(name: str, tensor: StoredTensor, endings: Mapping[str, str]) -> tuple[str, StoredTensor]:
    """Return the dotted name of a tensor, and the tensor; a kernel is ``[in, out]``."""
    *scopes, ending = re.split("[/.]", name)
    return ".".join([*scopes, endings.get(ending, ending)]), replace(tensor, transposed=ending == "kernel")


def without_heads(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Return the tensors that are not in a task head beside the model."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(IGNORED_PREFIXES)}


def split_prefix(names: Iterable[str], required: Collection[str]) -> Counter[str]:
    """Return how many required names there are under each prefix.

    Parameters
    ----------
    names
        The names in a file.
    required
        The names that a model needs, without prefix.

    Examples
    --------
    >>> split_prefix(["module.albert.pooler.bias", "module.albert.encoder.bias"], {"encoder.bias"})
    Counter({'module.albert.': 1})
    """
    found: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        starts = (start for start in range(len(parts)) if ".".join(parts[start:]) in required)
        start = next(starts, None)
        if start is not None:
            found["".join(f"{part}." for part in parts[:start])] += 1
    return found
