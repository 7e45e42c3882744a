"""In which order the JVM shows the entries of a map.

Spark NLP's metadata are Scala's immutable maps. Up to four entries stand as they were put in; more are
a hash trie, whose order follows from the keys' hash codes alone. Where output shows metadata as a list
or a string, that order is part of it. Spark SQL expressions only.
"""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkalbert.ml.stages.expressions import let

__all__ = ["jvm_ordered"]

_IN_ORDER: Final = 4
_BITS: Final = 0xFFFFFFFF
_LEVEL_BITS: Final = 5
_LEVELS: Final = 7


def jvm_ordered(entries: Column) -> Column:
    """Return the entries (``array<struct<key,value>>``) of a map in the order of a Scala map."""
    ranked = F.transform(
        entries, lambda entry: F.struct(_rank(entry.getField("key")).alias("rank"), entry.alias("entry"))
    )
    in_order = F.transform(F.array_sort(ranked), lambda one: one.getField("entry"))
    return F.when(F.size(entries) > _IN_ORDER, in_order).otherwise(entries)


def _rank(key: Column) -> Column:
    """Return the place of a key in a hash trie: its hash read from the lowest five bits upwards."""
    return let(let(_hash_code(key), _improved), _from_low_to_high)


def _hash_code(text: Column) -> Column:
    """``String.hashCode`` as a number without sign; right for the characters of the BMP."""
    characters = F.filter(F.split(text, ""), lambda one: one != "")
    return F.aggregate(
        characters, F.lit(0).cast("long"), lambda code, one: _low(code * F.lit(31) + F.ascii(one))
    )


def _improved(code: Column) -> Column:
    """``scala.collection.immutable.HashMap.improve``."""
    first = _low(code + _low(F.shiftleft(code, 9)).bitwiseXOR(F.lit(_BITS)))
    second = first.bitwiseXOR(F.shiftright(first, 14))
    third = _low(second + F.shiftleft(second, 4))
    return third.bitwiseXOR(F.shiftright(third, 10))


def _from_low_to_high(code: Column) -> Column:
    rank = F.lit(0).cast("long")
    for level in range(_LEVELS):
        digit = F.shiftright(code, _LEVEL_BITS * level).bitwiseAND(F.lit((1 << _LEVEL_BITS) - 1))
        rank = rank + F.shiftleft(digit.cast("long"), _LEVEL_BITS * (_LEVELS - 1 - level))
    return rank


def _low(number: Column) -> Column:
    """Return the low 32 bits of a long."""
    return number.bitwiseAND(F.lit(_BITS))
