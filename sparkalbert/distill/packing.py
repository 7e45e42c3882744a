"""A trained checkpoint and its model card as one bundle, ready to be embedded in the package.

It knows nothing about training; converting is the work of :mod:`sparkalbert.convert`.
"""

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
    """Return the fp32 bundle of a checkpoint, with its model card as one of the bundle's files.

    Parameters
    ----------
    checkpoint
        A Hugging Face ALBERT folder; the card is its ``MODEL_CARD.md``, where it has one.
    target
        The bundle's folder; a bundle that is there already is replaced.

    Raises
    ------
    CheckpointError
        When the checkpoint cannot be converted.
    OutputError
        When `target` holds something else than a bundle.
    """
    card = checkpoint / MODEL_CARD_FILE
    with tempfile.TemporaryDirectory() as scratch:
        plain = convert_checkpoint(checkpoint, Path(scratch) / target.name)
        with write_bundle(target, replace(plain.manifest, files={}), overwrite=True) as folder:
            for name in plain.manifest.files:
                shutil.copyfile(plain.path / name, folder / name)
            if card.is_file():
                shutil.copyfile(card, folder / MODEL_CARD_FILE)
    return Bundle.open(target)
