"""Caches the rows of a benchmark in memory, in the same partitions for every system.

Each core gets one partition, and all partitions about the same amount of text. A long job balances itself; a short
one would measure how the rows happened to be distributed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

__all__ = ["cached_rows", "dealt_rows"]


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
