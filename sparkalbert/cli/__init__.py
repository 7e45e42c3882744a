"""The ``sparkalbert`` command: it parses arguments, calls the layers below, and shows results as tables."""

from sparkalbert.cli.app import run

__all__ = ["run"]
