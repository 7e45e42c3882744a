"""A sample of the texts of a DataFrame, and how much there is in all.

It reads and counts; it knows nothing about models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import InputError
from sparkalbert.ml.schema import reference

__all__ = ["TextSample", "sample_texts"]

_SEED: Final = 0
_MARGIN: Final = 1.2
"""More than is wanted is drawn, because Spark draws each row by chance."""


@dataclass(frozen=True)
class TextSample:
    """Some texts for all of them.

    Attributes
    ----------
    texts
        The sample, without nulls.
    rows
        Rows in all, nulls included.
    characters
        Characters of all texts.
    """

    texts: Sequence[str]
    rows: int
    characters: int

    @property
    def scale(self) -> float:
        """How many times the sample's characters there are in all.

        Examples
        --------
        >>> TextSample(["ab", "abcd"], rows=100, characters=300).scale
        50.0
        """
        return self.characters / max(sum(map(len, self.texts)), 1)


def sample_texts(frame: DataFrame, text_col: str, size: int) -> TextSample:
    """Return a sample of a column of texts; reads all of it once, and once more to draw.

    Parameters
    ----------
    frame
        A frame with a column of strings.
    text_col
        The column.
    size
        Most rows of the sample; a smaller frame is taken whole.

    Raises
    ------
    InputError
        When there is no text at all.
    """
    text = F.col(reference(text_col))
    counts = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count(text).alias("texts"),
        F.coalesce(F.sum(F.length(text)), F.lit(0)).alias("characters"),
    ).head()
    if counts is None or not counts.characters:
        msg = f"Column {text_col!r} holds no text in {0 if counts is None else counts.rows} rows."
        raise InputError(msg)
    given = frame.select(text.alias("text")).where(text.isNotNull())
    if counts.texts > size:
        drawn = given.sample(fraction=min(1.0, _MARGIN * size / counts.texts), seed=_SEED)
        given = drawn.orderBy(F.rand(_SEED)).limit(size)
    texts = [row.text for row in given.collect()]
    return TextSample(texts, int(counts.rows), int(counts.characters))
