"""Re-exports what Spark NLP has in ``sparknlp.annotation``; ported code changes only the name of the package."""

from __future__ import annotations

from sparkalbert.ml.annotation import Annotation

__all__ = ["Annotation"]
