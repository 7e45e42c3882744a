"""The student: ALBERT's architecture in plain torch, and its checkpoint in Hugging Face's format.

The module computes what ``transformers.AlbertModel`` computes (one inner layer per group, gelu_new), but query, key and
value are one product, and positions may start anywhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from sparkalbert.distill.work import whole_file
from sparkalbert.errors import CheckpointError

__all__ = ["Student", "StudentConfig", "load_student", "save_student"]

_LAYER = "encoder.albert_layer_groups.{group}.albert_layers.0."


@dataclass(frozen=True)
class StudentConfig:
    """Sizes of the student, under the names of ``AlbertConfig``."""

    vocab_size: int = 11_520
    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_hidden_groups: int = 1
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12

    def to_albert(self) -> dict[str, Any]:
        """Return the contents of ``config.json``."""
        return {
            "architectures": ["AlbertModel"],
            "model_type": "albert",
            "vocab_size": self.vocab_size,
            "embedding_size": self.embedding_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_hidden_groups": self.num_hidden_groups,
            "inner_group_num": 1,
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": "gelu_new",
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "classifier_dropout_prob": 0.1,
            "max_position_embeddings": self.max_position_embeddings,
            "type_vocab_size": 2,
            "initializer_range": 0.02,
            "layer_norm_eps": self.layer_norm_eps,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "dtype": "float32",
        }


class Layer(nn.Module):  # type: ignore[misc]
    """One layer: self-attention and the feed-forward network.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        hidden, intermediate = config.hidden_size, config.intermediate_size
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.attention_dense = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, config.layer_norm_eps)
        self.ffn = nn.Linear(hidden, intermediate)
        self.ffn_output = nn.Linear(intermediate, hidden)
        self.full_layer_layer_norm = nn.LayerNorm(hidden, config.layer_norm_eps)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return the layer's output for its input, both ``[batch, pieces, hidden_size]``.

        Parameters
        ----------
        hidden
            The input.
        mask
            bool ``[batch, 1, 1, pieces]``, False for padding.
        """
        batch, width, size = hidden.shape
        packed = self.qkv(hidden).view(batch, width, 3, self.heads, size // self.heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        context = self.attention_dense(_attend(query, key, value, mask).transpose(1, 2).reshape(batch, width, size))
        hidden = self.attention_norm(hidden + context)
        # Training uses the exact gelu, which is faster; the two differ by less than the rounding of bf16.
        activated = functional.gelu(self.ffn(hidden), approximate="none" if self.training else "tanh")
        normed: Tensor = self.full_layer_layer_norm(hidden + self.ffn_output(activated))
        return normed


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    if query.is_cuda:
        return functional.scaled_dot_product_attention(query, key, value, mask)
    # Plain products: on CPUs the backward pass of the fused attention takes twice as long for short texts.
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).to(value.dtype) @ value


class Student(nn.Module):  # type: ignore[misc]
    """ALBERT without pooler and head. Modules that Hugging Face has too have the same names.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        embedding = config.embedding_size
        self.word_embeddings = nn.Embedding(config.vocab_size, embedding)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, embedding)
        self.token_type_embeddings = nn.Embedding(2, embedding)
        self.embedding_norm = nn.LayerNorm(embedding, config.layer_norm_eps)
        self.embedding_hidden_mapping_in = nn.Linear(embedding, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_groups))

    def forward(self, ids: Tensor, mask: Tensor, starts: Tensor | None = None, num_layers: int | None = None) -> Tensor:
        """Return the vectors of the last layer, ``[batch, pieces, hidden_size]``.

        Parameters
        ----------
        ids
            int64 ``[batch, pieces]``.
        mask
            bool ``[batch, pieces]``, False for padding.
        starts
            int64 ``[batch]``, the position of each first piece; 0 by default.
        num_layers
            How many layers are applied; by default ``num_hidden_layers``. 0 returns the embeddings after the first
            group's last normalization.
        """
        batch, width = ids.shape
        positions = torch.arange(width, device=ids.device).expand(batch, width)
        if starts is not None:
            positions = positions + starts[:, None]
        embedded = self.word_embeddings(ids) + self.position_embeddings(positions)
        embedded = embedded + self.token_type_embeddings.weight[0]
        hidden: Tensor = self.embedding_hidden_mapping_in(self.embedding_norm(embedded))
        attended = mask[:, None, None, :]
        config = self.config
        num_layers = config.num_hidden_layers if num_layers is None else num_layers
        if num_layers == 0:
            hidden = self.layers[0].full_layer_layer_norm(hidden)
        for layer in range(num_layers):
            hidden = self.layers[int(layer / (config.num_hidden_layers / config.num_hidden_groups))](hidden, attended)
        return hidden


_NAMES = {
    "word_embeddings": "embeddings.word_embeddings",
    "position_embeddings": "embeddings.position_embeddings",
    "token_type_embeddings": "embeddings.token_type_embeddings",
    "embedding_norm": "embeddings.LayerNorm",
    "embedding_hidden_mapping_in": "encoder.embedding_hidden_mapping_in",
}
_LAYER_NAMES = {
    "qkv": ("attention.query", "attention.key", "attention.value"),
    "attention_dense": ("attention.dense",),
    "attention_norm": ("attention.LayerNorm",),
    "ffn": ("ffn",),
    "ffn_output": ("ffn_output",),
    "full_layer_layer_norm": ("full_layer_layer_norm",),
}


def _checkpoint_names(name: str) -> list[str]:
    """Return the names in the checkpoint of the tensors that one of the student is made of."""
    module, _, kind = name.rpartition(".")
    if module in _NAMES:
        return [f"{_NAMES[module]}.{kind}"]
    _, group, part = module.split(".")
    return [f"{_LAYER.format(group=group)}{source}.{kind}" for source in _LAYER_NAMES[part]]


def save_student(student: Student, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` in the format of ``transformers.AlbertModel``.

    The tensors keep the student's dtype; :func:`load_student` returns float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, value in student.state_dict().items():
        parts = _checkpoint_names(name)
        for part, values in zip(parts, value.detach().cpu().chunk(len(parts)), strict=True):
            tensors[part] = values.clone()
    with whole_file(folder / "model.safetensors") as path:
        save_file(tensors, path, metadata={"format": "pt"})
    with whole_file(folder / "config.json") as path:
        path.write_text(json.dumps(student.config.to_albert(), indent=2) + "\n", encoding="utf-8")


def load_student(folder: Path) -> Student:
    """Return the student that :func:`save_student` wrote.

    Raises
    ------
    CheckpointError
        If the folder does not hold one.
    """
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = StudentConfig(**{name: content[name] for name in StudentConfig.__dataclass_fields__})
        student = Student(config)
        tensors = load_file(folder / "model.safetensors")
        state = {
            name: torch.cat([tensors[part].float() for part in _checkpoint_names(name)])
            for name in student.state_dict()
        }
        student.load_state_dict(state)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, RuntimeError, SafetensorError) as error:
        msg = (
            f"{folder} is not the checkpoint of a student ({type(error).__name__}: {error}), expected an output "
            "folder of a training."
        )
        raise CheckpointError(msg) from error
    return student
