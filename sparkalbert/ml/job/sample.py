"""Samples a column of texts and measures the size of the whole column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import InputError
from sparkalbert.ml.columns import find_column

__all__ = ["TextSample", "sample_texts"]

_SEED: Final = 0
_MARGIN: Final = 1.2
"""More rows than requested are drawn, because Spark draws each row with a probability."""


@dataclass(frozen=True)
class TextSample:
    """A sample of a column of texts, and the size of the column.

    Attributes
    ----------
    texts
        The sample, without nulls.
    rows
        Number of rows of the whole column, nulls included.
    characters
        Number of characters of all texts.
    """

    texts: Sequence[str]
    rows: int
    characters: int

    @property
    def scale(self) -> float:
        """Characters of all texts divided by those of the sample.

        Examples
        --------
        >>> TextSample(["ab", "abcd"], rows=100, characters=300).scale
        50.0
        """
        return self.characters / max(sum(map(len, self.texts)), 1)


def sample_texts(frame: DataFrame, text_col: str, size: int) -> TextSample:
    """Return a sample of a column of texts. The column is read once to count it and once to draw from it.

    Parameters
    ----------
    frame
        A DataFrame with a column of strings.
    text_col
        Name of the column.
    size
        Maximum number of rows in the sample; a column that has no more texts is taken as a whole.

    Raises
    ------
    ColumnError
        If no such column exists.
    InputError
        If the column contains no text.
    """
    text = find_column(frame, text_col, "plan").column
    counts = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count(text).alias("texts"),
        F.coalesce(F.sum(F.length(text)), F.lit(0)).alias("characters"),
    ).head()
    if counts is None or not counts.characters:
        msg = f"Column {text_col!r} contains no text in {0 if counts is None else counts.rows} rows."
        raise InputError(msg)
    texts = frame.select(text.alias("text")).where(F.col("text").isNotNull())
    if counts.texts > size:
        drawn = texts.sample(fraction=min(1.0, _MARGIN * size / counts.texts), seed=_SEED)
        texts = drawn.orderBy(F.rand(_SEED)).limit(size)
    return TextSample([row.text for row in texts.collect()], int(counts.rows), int(counts.characters))
