"""The student: ALBERT's architecture in plain torch, and its checkpoint in Hugging Face's format.

The module computes what ``transformers.AlbertModel`` computes (one group, one inner layer, gelu_new),
with query, key and value in one product and positions that may start anywhere. It knows nothing about
the teacher or the loss.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Student", "StudentConfig", "load_student", "save_student"]

_LAYER = "encoder.albert_layer_groups.0.albert_layers.0"


@dataclass(frozen=True)
class StudentConfig:
    """Sizes of the student; the names are those of ``AlbertConfig``."""

    vocab_size: int = 11_520
    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12

    def to_albert(self) -> dict[str, Any]:
        """Return the content of ``config.json``."""
        return {
            "architectures": ["AlbertModel"],
            "model_type": "albert",
            "vocab_size": self.vocab_size,
            "embedding_size": self.embedding_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_hidden_groups": 1,
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


class Student(nn.Module):  # type: ignore[misc]
    """ALBERT without pooler and head.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        narrow, hidden, inner = config.embedding_size, config.hidden_size, config.intermediate_size
        self.pieces = nn.Embedding(config.vocab_size, narrow)
        self.positions = nn.Embedding(config.max_position_embeddings, narrow)
        self.types = nn.Embedding(2, narrow)
        self.embedding_norm = nn.LayerNorm(narrow, config.layer_norm_eps)
        self.widen = nn.Linear(narrow, hidden)
        self.attention_in = nn.Linear(hidden, 3 * hidden)
        self.attention_out = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, config.layer_norm_eps)
        self.inner = nn.Linear(hidden, inner)
        self.outer = nn.Linear(inner, hidden)
        self.layer_norm = nn.LayerNorm(hidden, config.layer_norm_eps)

    def forward(
        self, ids: Tensor, mask: Tensor, starts: Tensor | None = None, loops: int | None = None
    ) -> Tensor:
        """Return the last layer's vectors, ``[batch, pieces, hidden_size]``.

        Parameters
        ----------
        ids
            int64 ``[batch, pieces]``.
        mask
            bool ``[batch, pieces]``, False at padding.
        starts
            int64 ``[batch]``, position of each first piece; 0 when None.
        loops
            How often the layer is applied, ``num_hidden_layers`` times when None. 0 gives the embeddings
            after the layer's last normalization.
        """
        batch, width = ids.shape
        places = torch.arange(width, device=ids.device).expand(batch, width)
        if starts is not None:
            places = places + starts[:, None]
        embedded = self.pieces(ids) + self.positions(places) + self.types.weight[0]
        hidden: Tensor = self.widen(self.embedding_norm(embedded))
        attended = mask[:, None, None, :]
        loops = self.config.num_hidden_layers if loops is None else loops
        if loops == 0:
            hidden = self.layer_norm(hidden)
        for _ in range(loops):
            hidden = self._layer(hidden, attended)
        return hidden

    def _layer(self, hidden: Tensor, mask: Tensor) -> Tensor:
        batch, width, size = hidden.shape
        heads = self.config.num_attention_heads
        packed = self.attention_in(hidden).view(batch, width, 3, heads, size // heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        # Plain products: on CPUs the fused attention's backward pass takes twice the time on short texts.
        scores = (query * (size // heads) ** -0.5) @ key.transpose(-1, -2)
        mixed = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).to(value.dtype) @ value
        mixed = self.attention_out(mixed.transpose(1, 2).reshape(batch, width, size))
        hidden = self.attention_norm(hidden + mixed)
        # In training the exact gelu, which is faster; bf16 rounds more than the two differ.
        inner = functional.gelu(self.inner(hidden), approximate="none" if self.training else "tanh")
        normed: Tensor = self.layer_norm(hidden + self.outer(inner))
        return normed


_NAMES = {
    "pieces.weight": "embeddings.word_embeddings.weight",
    "positions.weight": "embeddings.position_embeddings.weight",
    "types.weight": "embeddings.token_type_embeddings.weight",
    "embedding_norm": "embeddings.LayerNorm",
    "widen": "encoder.embedding_hidden_mapping_in",
    "attention_out": f"{_LAYER}.attention.dense",
    "attention_norm": f"{_LAYER}.attention.LayerNorm",
    "inner": f"{_LAYER}.ffn",
    "outer": f"{_LAYER}.ffn_output",
    "layer_norm": f"{_LAYER}.full_layer_layer_norm",
}
_PARTS = [f"{_LAYER}.attention.{part}" for part in ("query", "key", "value")]


def save_student(student: Student, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` as ``transformers.AlbertModel`` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, value in student.state_dict().items():
        module, _, kind = name.rpartition(".")
        if module == "attention_in":
            for part, piece in zip(_PARTS, value.chunk(3), strict=True):
                tensors[f"{part}.{kind}"] = piece.detach().float().cpu().contiguous().clone()
            continue
        target = _NAMES[name] if name in _NAMES else f"{_NAMES[module]}.{kind}"
        tensors[target] = value.detach().float().cpu().contiguous()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    content = json.dumps(student.config.to_albert(), indent=2) + "\n"
    (folder / "config.json").write_text(content, encoding="utf-8")


def load_student(folder: Path) -> Student:
    """Return the student that :func:`save_student` wrote."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = StudentConfig(**{name: content[name] for name in StudentConfig.__dataclass_fields__})
    student = Student(config)
    tensors = load_file(folder / "model.safetensors")
    state: dict[str, Tensor] = {}
    for name in student.state_dict():
        module, _, kind = name.rpartition(".")
        if module == "attention_in":
            state[name] = torch.cat([tensors[f"{part}.{kind}"] for part in _PARTS])
        else:
            state[name] = tensors[_NAMES[name] if name in _NAMES else f"{_NAMES[module]}.{kind}"]
    student.load_state_dict(state)
    return student
