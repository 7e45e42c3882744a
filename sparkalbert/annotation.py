"""What Spark NLP keeps in ``sparknlp.annotation``; ported code changes the package's name only."""

from __future__ import annotations

from sparkalbert.ml.annotation import Annotation

__all__ = ["Annotation"]
