"""Finds a model by name or path and makes its bundle: known names, the Hub, the cache, embedded models.

The folders beside this file are the embedded models, part of the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.models.cache import cached_bundles
    from sparkalbert.models.embedded import embedded_models
    from sparkalbert.models.find import check_language, find_model
    from sparkalbert.models.inspection import Inspection, inspect_model
    from sparkalbert.models.names import KNOWN_MODELS

__all__ = [
    "KNOWN_MODELS",
    "Inspection",
    "cached_bundles",
    "check_language",
    "embedded_models",
    "find_model",
    "inspect_model",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "KNOWN_MODELS": "sparkalbert.models.names",
        "Inspection": "sparkalbert.models.inspection",
        "cached_bundles": "sparkalbert.models.cache",
        "check_language": "sparkalbert.models.find",
        "embedded_models": "sparkalbert.models.embedded",
        "find_model": "sparkalbert.models.find",
        "inspect_model": "sparkalbert.models.inspection",
    },
)
