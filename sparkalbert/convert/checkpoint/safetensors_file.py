"""Reads the header of a safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from sparkalbert.convert.checkpoint.stored import StoredTensor
from sparkalbert.errors import CheckpointError

__all__ = ["safetensors_tensors"]

_HEADER_LENGTH_BYTES: Final = 8


def safetensors_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file by name; the safetensors library checks the header.

    Raises
    ------
    CheckpointError
        If the file is not a complete safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as checked:
            checked.keys()
        with path.open("rb") as file:
            length_bytes = int.from_bytes(file.read(_HEADER_LENGTH_BYTES), "little")
            header = json.loads(file.read(length_bytes))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        msg = f"{path.name} is not a complete safetensors file ({error}); download it again"
        raise CheckpointError(msg) from error
    start_bytes = _HEADER_LENGTH_BYTES + length_bytes
    return {
        name: StoredTensor(path, start_bytes + entry["data_offsets"][0], entry["dtype"], tuple(entry["shape"]))
        for name, entry in header.items()
        if name != "__metadata__"
    }
