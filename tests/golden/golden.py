"""Reads the golden files, which `make_golden.py` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

NAMES = ("eps", "groups", "plain", "relu")


@dataclass(frozen=True)
class Golden:
    input_ids: npt.NDArray[np.int64]
    attention_mask: npt.NDArray[np.int64]
    hidden_states: npt.NDArray[np.float32]
    seed: int
    config_overrides: dict[str, Any]
    weights_sha256: str


def load(name: str) -> Golden:
    with np.load(Path(__file__).with_name(f"{name}.npz")) as arrays:
        provenance = json.loads(str(arrays["provenance"]))
        return Golden(
            arrays["input_ids"],
            arrays["attention_mask"],
            arrays["hidden_states"],
            provenance["seed"],
            provenance["config_overrides"],
            provenance["weights_sha256"],
        )
