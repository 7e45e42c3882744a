"""Writes the golden files in this folder with Hugging Face's AlbertModel: python -m tests.golden.make_golden

Needs torch and transformers, so it is run by hand in an environment of its own, from the project's root. The weights
come from tests/tiny_checkpoint.py; a golden file contains their checksum, the configuration, the ids, every hidden
state and the versions of the libraries that computed them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests import tiny_checkpoint
from tests.golden import reference

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "groups": {
        "num_hidden_layers": 5,
        "num_hidden_groups": 2,
        "inner_group_num": 2,
        "hidden_act": "gelu",
        "embedding_size": 17,
        "hidden_size": 48,
        "num_attention_heads": 8,
    },
    "relu": {
        "num_hidden_layers": 2,
        "hidden_act": "relu",
        "embedding_size": 40,
        "hidden_size": 24,
        "num_attention_heads": 1,
        "intermediate_size": 50,
    },
    "eps": {
        "num_hidden_layers": 4,
        "num_hidden_groups": 4,
        "hidden_act": "gelu_python",
        "layer_norm_eps": 1e-5,
        "type_vocab_size": 1,
    },
}
LENGTHS = (1, 5, 12)


def main() -> None:
    """Write one file per shape."""
    for seed, (name, overrides) in enumerate(SHAPES.items()):
        config = tiny_checkpoint.tiny_config(**overrides)
        tensors = tiny_checkpoint.random_tensors(config, seed=seed)
        rng = np.random.default_rng(seed)
        ids = rng.integers(config.vocab_size, size=(len(LENGTHS), max(LENGTHS)))
        mask = (np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]).astype(np.int64)
        np.savez_compressed(
            Path(__file__).with_name(f"{name}.npz"),
            input_ids=ids,
            attention_mask=mask,
            hidden_states=reference.hidden_states(config, tensors, ids, mask),
            provenance=json.dumps(
                {
                    "script": "tests/golden/make_golden.py",
                    "seed": seed,
                    "config_overrides": overrides,
                    "weights_sha256": tiny_checkpoint.checksum(tensors),
                    "versions": reference.versions(),
                },
                sort_keys=True,
            ),
        )


if __name__ == "__main__":
    main()
