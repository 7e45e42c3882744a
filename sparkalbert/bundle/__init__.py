"""The model folder that sparkalbert runs: layout, manifest, checksums."""

from sparkalbert.bundle.folder import Bundle, write_bundle
from sparkalbert.bundle.manifest import FileRecord, Manifest, Precision

__all__ = ["Bundle", "FileRecord", "Manifest", "Precision", "write_bundle"]
