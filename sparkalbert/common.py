"""What scripts use of ``sparknlp.common``; ported code changes the package's name only."""

from __future__ import annotations

from sparkalbert.ml.schema import AnnotatorType

__all__ = ["AnnotatorType"]
