"""Reads, writes, verifies and packs bundles: the model folders that sparkalbert runs.

A bundle holds an ONNX graph (``model.onnx``), its weights (``model.onnx.data``), the vocabulary
(``spiece.model`` or ``tokenizer.json``), the configuration (``config.json``) and a manifest with the checksum of every
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.bundle.folder import Bundle, write_bundle
    from sparkalbert.bundle.manifest import FileRecord, Manifest, Precision
    from sparkalbert.bundle.packs import install_pack, installed, pack

__all__ = [
    "Bundle",
    "FileRecord",
    "Manifest",
    "Precision",
    "install_pack",
    "installed",
    "pack",
    "write_bundle",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "Bundle": "sparkalbert.bundle.folder",
        "FileRecord": "sparkalbert.bundle.manifest",
        "Manifest": "sparkalbert.bundle.manifest",
        "Precision": "sparkalbert.bundle.manifest",
        "install_pack": "sparkalbert.bundle.packs",
        "installed": "sparkalbert.bundle.packs",
        "pack": "sparkalbert.bundle.packs",
        "write_bundle": "sparkalbert.bundle.folder",
    },
)
