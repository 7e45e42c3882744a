"""Imports the attributes of a package when they are first used (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_attributes"]


def lazy_attributes(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    A Spark worker imports our packages to unpickle one task; it must not pay for every stage.

    Parameters
    ----------
    package
        ``__name__`` of the package.
    modules
        The full name of the module that defines each attribute.

    Examples
    --------
    >>> get, names = lazy_attributes("sparkalbert", {"ConfigError": "sparkalbert.errors"})
    >>> get("ConfigError").__name__, names()
    ('ConfigError', ['ConfigError'])
    """

    def get_attribute(name: str) -> Any:
        if name not in modules:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get_attribute, lambda: sorted(modules)
