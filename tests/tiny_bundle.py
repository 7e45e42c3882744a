"""Tiny real bundles, converted once per process for each shape and precision."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from sparkalbert.bundle import Bundle, Precision
from sparkalbert.convert import convert_checkpoint
from tests import tiny_checkpoint

_FOLDER = tempfile.TemporaryDirectory(prefix="tiny-bundles-")


@cache
def checkpoint(**config_overrides: Any) -> Path:
    """Return the checkpoint that :func:`bundle` converts."""
    name = "-".join(f"{key}-{value}" for key, value in sorted(config_overrides.items())) or "plain"
    return tiny_checkpoint.write(Path(_FOLDER.name) / name, **config_overrides)


def bundle(precision: Precision = "fp32", **config_overrides: Any) -> Bundle:
    """Return the bundle of a seeded tiny checkpoint."""
    return _converted(checkpoint(**config_overrides), precision)


@cache
def overflowing() -> Bundle:
    """Return a bundle whose vectors are too large for float16: with binary16 each row that has tokens fails."""
    source = tiny_checkpoint.write(Path(_FOLDER.name) / "overflowing")
    tensors = load_file(source / "model.safetensors")
    tensors["encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.weight"] *= 1e6
    save_file(tensors, source / "model.safetensors")
    return _converted(source, "fp32")


@cache
def _converted(source: Path, precision: Precision) -> Bundle:
    return convert_checkpoint(source, source.with_name(f"{source.name}-{precision}"), precision=precision)
