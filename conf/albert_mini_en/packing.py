"""Packs a trained checkpoint and its model card into the bundle that is part of the package."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from sparkalbert.bundle import Bundle, write_bundle
from sparkalbert.convert import convert_checkpoint

__all__ = ["MODEL_CARD_FILE", "pack"]

MODEL_CARD_FILE = "MODEL_CARD.md"


def pack(checkpoint: Path, target: Path) -> Bundle:
    """Write the fp32 bundle of a checkpoint, with its model card as one of the files, and open it.

    Weights that float16 represents exactly are stored as float16.

    Parameters
    ----------
    checkpoint
        A Hugging Face ALBERT folder; its ``MODEL_CARD.md`` is optional.
    target
        The folder of the bundle. A bundle that is already there is replaced.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be converted.
    OutputError
        If `target` holds anything other than a bundle.
    """
    card = checkpoint / MODEL_CARD_FILE
    with tempfile.TemporaryDirectory() as scratch:
        plain = convert_checkpoint(checkpoint, Path(scratch) / target.name, halve=True)
        with write_bundle(target, replace(plain.manifest, files={}), overwrite=True) as folder:
            for name in plain.manifest.files:
                shutil.copyfile(plain.path / name, folder / name)
            if card.is_file():
                shutil.copyfile(card, folder / MODEL_CARD_FILE)
    return Bundle.open(target)
