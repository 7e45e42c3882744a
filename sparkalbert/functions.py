"""Re-exports what Spark NLP has in ``sparknlp.functions``; ported code changes only the name of the package."""

from __future__ import annotations

from sparkalbert.ml.annotation import Annotation
from sparkalbert.ml.annotation_functions import (
    explode_annotations_col,
    filter_by_annotations_col,
    map_annotations,
    map_annotations_array,
    map_annotations_col,
    map_annotations_cols,
    map_annotations_strict,
)

__all__ = [
    "Annotation",
    "explode_annotations_col",
    "filter_by_annotations_col",
    "map_annotations",
    "map_annotations_array",
    "map_annotations_col",
    "map_annotations_cols",
    "map_annotations_strict",
]
