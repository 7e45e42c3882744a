"""Caches the rows of a benchmark in memory, in the same partitions for every system.

Each core gets one partition, and all partitions about the same amount of text. A long job balances itself; a short
one would measure how the rows happened to be distributed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from pyspark.sql import DataFrame, SparkSession

__all__ = ["CachedPrefixes", "cached_rows", "dealt_rows"]

_KEPT: Final = 2
"""The small and the large job of a slice."""


def dealt_rows(texts: Sequence[str], partitions: int) -> list[list[str]]:
    """Deal texts out like cards, longest first and back and forth, and shuffle each hand.

    Examples
    --------
    >>> [sorted(hand) for hand in dealt_rows(["a", "bb", "ccc", "dddd"], 2)]
    [['a', 'dddd'], ['bb', 'ccc']]
    """
    hands: list[list[str]] = [[] for _ in range(partitions)]
    for number, text in enumerate(sorted(texts, key=len, reverse=True)):
        turn, place = divmod(number, partitions)
        hands[place if turn % 2 == 0 else partitions - 1 - place].append(text)
    for hand in hands:
        random.Random(0).shuffle(hand)  # noqa: S311 - an order, not a secret
    return hands


def cached_rows(spark: SparkSession, texts: Sequence[str], partitions: int) -> DataFrame:
    """Return texts as the column ``text`` of a DataFrame in memory.

    Parameters
    ----------
    spark
        A classic session.
    texts
        The texts.
    partitions
        Number of partitions: the number of tasks that run at a time.
    """
    hands = dealt_rows(texts, partitions)
    numbered = [(number, text) for number, hand in enumerate(hands) for text in hand]
    pairs = spark.sparkContext.parallelize(numbered, 1)
    placed = pairs.partitionBy(partitions, int).map(lambda pair: (pair[1],))
    frame = spark.createDataFrame(placed, "text string").cache()
    frame.count()
    return frame


class CachedPrefixes:
    """The first rows of a text in memory, for the two numbers of rows that were used last.

    Parameters
    ----------
    spark
        A classic session.
    texts
        The texts.
    partitions
        Number of partitions: the number of tasks that run at a time.
    """

    def __init__(self, spark: SparkSession, texts: Sequence[str], partitions: int) -> None:
        self._spark, self._texts, self._partitions = spark, texts, partitions
        self._frames: dict[int, DataFrame] = {}

    def first(self, rows: int) -> DataFrame:
        """Return the first `rows` texts as :func:`cached_rows` does; the rows used least recently leave the memory."""
        frame = self._frames.pop(rows, None)
        if frame is None:
            frame = cached_rows(self._spark, self._texts[:rows], self._partitions)
        self._frames[rows] = frame
        if len(self._frames) > _KEPT:
            self._frames.pop(next(iter(self._frames))).unpersist()
        return frame
