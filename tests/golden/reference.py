"""Computes hidden states with Hugging Face's AlbertModel; the only test module that needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from sparkalbert.config import AlbertConfig


def hidden_states(
    config: AlbertConfig,
    tensors: Mapping[str, npt.NDArray[np.float32]],
    input_ids: npt.NDArray[np.int64],
    attention_mask: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Return the hidden states, float32 ``[num_hidden_layers + 1, batch, pieces, hidden]``.

    They come from hooks on the groups, because transformers 5 lists the states of inner layers too.
    """
    import torch
    import transformers

    values = {**config.to_dict(), "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0}
    with torch.device("meta"):
        model = transformers.AlbertModel(
            transformers.AlbertConfig(**values, attn_implementation="eager"),
            add_pooling_layer="pooler.weight" in tensors,
        )
    model.to_empty(device="cpu")
    own_buffers = {name: value for name, value in model.state_dict().items() if name not in tensors}
    assert not own_buffers, f"weights are missing: {list(own_buffers)}"
    state = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in tensors.items()}
    model.load_state_dict(state, strict=True, assign=True)
    positions = torch.arange(config.max_position_embeddings).expand((1, -1))
    model.embeddings.position_ids = positions
    model.embeddings.token_type_ids = torch.zeros_like(positions)
    model.eval()
    states: list[Any] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        states.append(output[0] if isinstance(output, tuple) else output)

    model.encoder.embedding_hidden_mapping_in.register_forward_hook(keep)
    for group in model.encoder.albert_layer_groups:
        group.register_forward_hook(keep)
    with torch.inference_mode():
        model(torch.from_numpy(input_ids), attention_mask=torch.from_numpy(attention_mask))
    assert len(states) == config.num_hidden_layers + 1
    return np.stack([value.numpy() for value in states])


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("numpy", "torch", "transformers")}
