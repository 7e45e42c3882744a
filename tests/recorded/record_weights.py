"""Records the same ALBERT in the formats of torch and TensorFlow: python -m tests.recorded.record_weights torch

It runs by hand, from the project's root, in environments of its own: ``torch`` needs ``torch==2.13.0``,
``tensorflow`` needs ``tensorflow-cpu tf-keras transformers==4.57.1``; both need ``sentencepiece`` and ``safetensors``.
See README.md for the files that it writes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests import tiny_checkpoint

FOLDER = Path(__file__).with_name("weights")
SHAPE: dict[str, Any] = {
    "embedding_size": 4,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_hidden_groups": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 9,
}
SEED = 5
CONFIG = tiny_checkpoint.tiny_config(**SHAPE)
POSITIONS = "embeddings.position_embeddings.weight"
QUERY = "encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"

# How google-research/albert names what transformers names otherwise: from HF to Google, in this order.
GOOGLE = (
    (r"\.weight$", ".kernel"),
    (r"_embeddings\.kernel$", "_embeddings"),
    (r"(LayerNorm|layer_norm)\.kernel$", r"\1.gamma"),
    (r"(LayerNorm|layer_norm)\.bias$", r"\1.beta"),
    (r"albert_layer_groups\.(\d+)\.albert_layers\.(\d+)\.", r"transformer.group_\1.inner_group_\2."),
    (r"\d\.attention\.LayerNorm\.", lambda found: found[0].replace("attention.", "")),
    (r"full_layer_layer_norm", "LayerNorm_1"),
    (r"attention\.(query|key|value)", r"attention_1.self.\1"),
    (r"attention\.dense", "attention_1.output.dense"),
    (r"\.ffn_output\.", ".ffn_1.intermediate.output.dense."),
    (r"\.ffn\.", ".ffn_1.intermediate.dense."),
    (r"^pooler\.", "pooler.dense."),
    (r"\.", "/"),
)


def tensors(*, rounded: bool = False) -> dict[str, Any]:
    """Return the tensors that the files hold; in those of torch, two have other number formats."""
    found = tiny_checkpoint.random_tensors(CONFIG, seed=SEED)
    if rounded:
        bits = found[POSITIONS].view(np.uint32)
        bits = bits + 0x7FFF + ((bits >> 16) & 1) & 0xFFFF0000  # to the nearest bfloat16, ties to even
        found[POSITIONS] = bits.astype(np.uint32).view(np.float32)
        found[QUERY] = found[QUERY].astype(np.float16).astype(np.float32)
    return found


def google_tensors(hugging_face: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of Hugging Face's AlbertModel as Google's code stores them."""
    renamed = {}
    for original, values in hugging_face.items():
        name = original
        for pattern, replacement in GOOGLE:
            name = re.sub(pattern, replacement, name)
        renamed[f"bert/{name}"] = values.T if name.endswith("/kernel") else values
    return renamed


def record_torch() -> None:
    """Write a state dict with every kind of storage, in both formats of torch.save."""
    import torch

    tensors = {
        f"module.albert.{name}": torch.from_numpy(values)
        for name, values in tiny_checkpoint.random_tensors(CONFIG, seed=SEED).items()
    }
    words = torch.nn.Parameter(tensors["module.albert.embeddings.word_embeddings.weight"])
    tensors["module.albert.embeddings.word_embeddings.weight"] = words
    tensors["module.predictions.decoder.weight"] = words  # tied
    positions = tensors["module.albert.embeddings.position_embeddings.weight"]
    tensors["module.albert.embeddings.position_embeddings.weight"] = positions.to(torch.bfloat16)
    layer = "module.albert.encoder.albert_layer_groups.0.albert_layers.0."
    tensors[f"{layer}attention.query.weight"] = tensors[f"{layer}attention.query.weight"].half()
    tensors[f"{layer}ffn.weight"] = tensors[f"{layer}ffn.weight"].t().contiguous().t()  # strided
    joined = torch.cat([tensors[f"{layer}attention.{name}.bias"] for name in ("key", "value")])
    tensors[f"{layer}attention.value.bias"] = joined[len(joined) // 2 :]  # a part of a storage
    tensors["module.albert.embeddings.position_ids"] = torch.arange(9)[None]
    module = torch.nn.Linear(2, 2)
    state = module.state_dict()  # an OrderedDict with attributes
    state.clear()
    state.update(tensors)
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
               FOLDER / "zip.bin")  # fmt: skip
    torch.save(state, FOLDER / "legacy.bin", _use_new_zipfile_serialization=False)


def record_tensorflow() -> None:
    """Write tf_model.h5 with Hugging Face's class, and a checkpoint with Google's names."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    from transformers import AlbertConfig, TFAlbertForMaskedLM

    model = TFAlbertForMaskedLM(AlbertConfig(**CONFIG.to_dict()))
    model(np.array([[2, 5, 3]]))
    tensors = tiny_checkpoint.random_tensors(CONFIG, seed=SEED)
    for weight in model.albert.weights:
        name = weight.name.removesuffix(":0").split("/albert/", 1)[1].replace("_._", "/").replace("/", ".")
        is_kernel = name.endswith(".kernel")
        name = re.sub(r"\.(kernel|gamma|embeddings)$", ".weight", re.sub(r"\.beta$", ".bias", name))
        weight.assign(tensors[name].T if is_kernel else tensors[name])
    model.save_weights(FOLDER / "tf_model.h5")

    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        for name, values in google_tensors(tensors).items():
            tf.compat.v1.get_variable(name, initializer=np.ascontiguousarray(values))
            if name.endswith("kernel"):
                tf.compat.v1.get_variable(f"{name}/adam_m", initializer=np.zeros(1, dtype=np.float32))
        tf.compat.v1.get_variable("cls/predictions/output_bias", initializer=np.zeros(3, dtype=np.float32))
        tf.compat.v1.get_variable("global_step", initializer=np.int64(7))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(FOLDER / "model.ckpt"), write_meta_graph=False)
    (FOLDER / "checkpoint").unlink()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    {"torch": record_torch, "tensorflow": record_tensorflow}[sys.argv[1]]()
