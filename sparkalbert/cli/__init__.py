"""The ``sparkalbert`` command: words of a shell in, calls of the layers below, tables out.

Commands check nothing and compute nothing themselves; they know how to ask and how to show.
"""

from sparkalbert.cli.app import run

__all__ = ["run"]
