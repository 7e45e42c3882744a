"""From the name of a model to a bundle that is ready to run: known names, the Hub, the cache, embedded models.

The folders beside this file are the embedded models, part of the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.models.cache import cached_bundles
    from sparkalbert.models.find import embedded_models, find_model
    from sparkalbert.models.names import KNOWN_MODELS

__all__ = ["KNOWN_MODELS", "cached_bundles", "embedded_models", "find_model"]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "KNOWN_MODELS": "sparkalbert.models.names",
        "cached_bundles": "sparkalbert.models.cache",
        "embedded_models": "sparkalbert.models.find",
        "find_model": "sparkalbert.models.find",
    },
)
