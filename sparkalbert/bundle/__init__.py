"""The model folder that sparkalbert runs: layout, manifest, checksums, finding and moving it.

Names are imported when first used: a Spark worker opens bundles and never looks for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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

_HOMES: Final = {
    "KNOWN_MODELS": "names",
    "Bundle": "folder",
    "FileRecord": "manifest",
    "Manifest": "manifest",
    "PackedBundle": "transport",
    "Precision": "manifest",
    "cache_home": "cache",
    "cached_bundles": "conversion",
    "embedded_models": "resolve",
    "find_model": "resolve",
    "install": "transport",
    "install_pack": "transport",
    "installed": "installation",
    "node_home": "cache",
    "pack": "transport",
    "write_bundle": "folder",
}


def __getattr__(name: str) -> Any:  # PEP 562
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
