"""The model folder that sparkalbert runs: layout, manifest, checksums, finding and moving it."""

from sparkalbert.bundle.cache import cache_home, node_home
from sparkalbert.bundle.conversion import cached_bundles
from sparkalbert.bundle.folder import Bundle, write_bundle
from sparkalbert.bundle.installation import installed
from sparkalbert.bundle.manifest import FileRecord, Manifest, Precision
from sparkalbert.bundle.names import KNOWN_MODELS
from sparkalbert.bundle.resolve import embedded_models, find_model
from sparkalbert.bundle.transport import PackedBundle, install, install_pack, pack

__all__ = [
    "KNOWN_MODELS",
    "Bundle",
    "FileRecord",
    "Manifest",
    "PackedBundle",
    "Precision",
    "cache_home",
    "cached_bundles",
    "embedded_models",
    "find_model",
    "install",
    "install_pack",
    "installed",
    "node_home",
    "pack",
    "write_bundle",
]
