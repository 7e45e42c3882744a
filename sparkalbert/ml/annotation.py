"""Defines an annotation as a Python object, with Spark NLP's names.

:class:`~sparkalbert.LightPipeline` returns annotations, and user-defined functions can take and return them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyspark.sql import Row
from pyspark.sql.types import ArrayType, StructType

from sparkalbert.arrays import Float32Array
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, ANNOTATION_TYPE, WITH_VECTORS

__all__ = ["Annotation", "annotation_list", "result_list"]

_SMALLEST_PLAIN: Final = 1e-3
_LARGEST_PLAIN: Final = 1e7
"""``Float.toString`` writes no exponent from `_SMALLEST_PLAIN` up to `_LARGEST_PLAIN`."""


@dataclass(repr=False)
class Annotation:
    """An annotation of a part of a text.

    Attributes
    ----------
    annotatorType
        ``document``, ``token``, ``word_embeddings``, ...
    begin, end
        The part, in UTF-16 units of the document; `end` is inclusive.
    result
        The text of the part, or the annotator's result for it.
    metadata
        Further properties, as text.
    embeddings
        The vector; empty if there is none.

    Examples
    --------
    >>> Annotation("token", 0, 3, "Rare", {"sentence": "0"}, []).copy("rare")
    Annotation(token, 0, 3, rare, {'sentence': '0'}, [])
    """

    annotatorType: str
    begin: int
    end: int
    result: str
    metadata: dict[str, str]
    embeddings: list[float]

    def copy(self, result: str) -> Annotation:
        """Return an annotation that differs in its result only."""
        return Annotation(self.annotatorType, self.begin, self.end, result, self.metadata, self.embeddings)

    def __str__(self) -> str:
        return (
            f"Annotation({self.annotatorType}, {self.begin}, {self.end}, {self.result}, {self.metadata}, "
            f"{self.embeddings})"
        )

    __repr__ = __str__

    @staticmethod
    def dataType() -> StructType:
        """Return the Spark type of an annotation.

        It is the type of annotation columns. Spark NLP's Python class returns another type, without nulls, which its
        own finishers refuse.
        """
        return ANNOTATION_TYPE

    @staticmethod
    def arrayType() -> ArrayType:
        """Return the Spark type of an annotation column."""
        return ANNOTATION_COLUMN_TYPE

    @staticmethod
    def fromRow(row: Any) -> Annotation:
        """Return the annotation of a row of an annotation column."""
        return Annotation(row.annotatorType, row.begin, row.end, row.result, row.metadata, row.embeddings)

    @staticmethod
    def toRow(annotation: Annotation) -> Row:
        """Return an annotation, or any object with its attributes, as a row of :meth:`dataType`."""
        values: Any = [getattr(annotation, field.name) for field in fields(Annotation)]
        return Row(*values)


def annotation_list(annotations: pa.Array, *, with_vectors: bool) -> list[Annotation]:
    """Return Arrow structs as annotations.

    Parameters
    ----------
    annotations
        ``struct`` ``[n]``, as :func:`sparkalbert.ml.worker.arrow.annotation_array` returns them.
    with_vectors
        If true, `embeddings` is filled.
    """
    parts = [annotations.field(name).to_pylist() for name in ("annotatorType", "begin", "end", "result")]
    metadata = [dict(entries) for entries in annotations.field("metadata").to_pylist()]
    vectors = [vector.tolist() if with_vectors else [] for vector in _vectors(annotations)]
    return [Annotation(*values) for values in zip(*parts, metadata, vectors, strict=True)]


def result_list(annotations: pa.Array, *, with_vectors: bool) -> list[str]:
    """Return the results of Arrow structs; if `with_vectors`, the vectors of embeddings as text instead."""
    kinds = annotations.field("annotatorType")
    if with_vectors and len(kinds) and kinds[0].as_py() in WITH_VECTORS:
        return [" ".join(_java_texts(vector)) for vector in _vectors(annotations)]
    results: list[str] = annotations.field("result").to_pylist()
    return results


def _vectors(annotations: pa.Array) -> Iterator[Float32Array]:
    vectors = annotations.field("embeddings")
    flat = np.asarray(vectors.values)
    for start, stop in pairwise(np.asarray(vectors.offsets).tolist()):
        yield flat[start:stop]


def _java_texts(values: Float32Array) -> list[str]:
    """Return floats as Java writes them, with the shortest digits that identify them.

    Examples
    --------
    >>> _java_texts(np.array([0.1, 2, 1e-4, -2.5e7, np.nan, -np.inf], dtype=np.float32))
    ['0.1', '2.0', '1.0E-4', '-2.5E7', 'NaN', '-Infinity']
    """
    texts: list[str] = pa.array(values).cast(pa.string()).to_pylist()
    sizes = np.abs(values)
    # Arrow is five times as fast as NumPy, but it omits '.0' and writes exponents differently.
    usual = (sizes >= _SMALLEST_PLAIN) & (sizes < _LARGEST_PLAIN) & (values != np.trunc(values))
    for index in np.flatnonzero(~usual):
        texts[index] = _java_text(values[index])
    return texts


def _java_text(value: np.float32) -> str:
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return np.format_float_positional(value, unique=True, trim="0")
    text = np.format_float_scientific(value, unique=True, trim="0", exp_digits=1)
    return text.replace("e+", "e").replace("e", "E")
