"""Re-exports what scripts use of ``sparknlp.common``; ported code changes only the name of the package."""

from __future__ import annotations

from sparkalbert.ml.schema import AnnotatorType
from sparkalbert.ml.stages.text_resource import ReadAs

__all__ = ["AnnotatorType", "ReadAs"]
