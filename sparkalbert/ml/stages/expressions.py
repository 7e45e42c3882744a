"""Spark SQL expressions for what the JVM does: UTF-16 units, and the order of Scala's maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

__all__ = ["as_utf16_units", "bind", "jvm_ordered", "nullable", "utf16_length"]

_BEYOND_BMP: Final = r"[\x{10000}-\x{10FFFF}]"
_FILLED: Final = "\ue000$0"  # a private character before each character that takes two units

_IN_ORDER: Final = 4
_BITS: Final = 0xFFFFFFFF
_LEVEL_BITS: Final = 5
_LEVELS: Final = 7


def bind(value: Column, body: Callable[[Column], Column]) -> Column:
    """Return `body` of a value that Spark computes once, however often `body` uses it."""
    return F.element_at(F.transform(F.array(value), body), 1)


def nullable(column: Column) -> Column:
    """Return a column that Spark considers nullable, as every column of Spark NLP is.

    ``when`` without ``otherwise`` is nullable unless its condition is the literal true; the optimizer removes it.
    """
    return F.when(F.lit(0) < F.lit(1), column)  # Spark warns about 0 == 0


def as_utf16_units(text: Column) -> Column:
    """Return a text with one character per UTF-16 unit of `text`.

    Spark's functions count characters; in this text they count the units of the JVM's strings.
    """
    return F.regexp_replace(text, _BEYOND_BMP, _FILLED)


def utf16_length(text: Column) -> Column:
    """Return the number of UTF-16 units of a text."""
    return F.shiftright(F.length(F.encode(text, "UTF-16BE")), 1)


def jvm_ordered(entries: Column) -> Column:
    """Return the entries (``array<struct<key,value>>``) of a map in the order of Scala's immutable maps.

    Spark NLP's metadata are such maps. Up to four entries keep the order in which they were added; more entries form a
    hash trie, whose order follows from the hash codes of the keys alone.
    """
    ranked = F.transform(
        entries, lambda entry: F.struct(_rank(entry.getField("key")).alias("rank"), entry.alias("entry"))
    )
    in_order = F.transform(F.array_sort(ranked), lambda one: one.getField("entry"))
    return F.when(F.size(entries) > _IN_ORDER, in_order).otherwise(entries)


def _rank(key: Column) -> Column:
    """Return the position of a key in a hash trie: its hash read from the lowest five bits upwards."""
    return bind(bind(_hash_code(key), _improved), _from_low_to_high)


def _hash_code(text: Column) -> Column:
    """Return ``String.hashCode`` without sign; right for the characters of the BMP."""
    characters = F.filter(F.split(text, ""), lambda one: one != "")
    return F.aggregate(characters, F.lit(0).cast("long"), lambda code, one: _low(code * F.lit(31) + F.ascii(one)))


def _improved(code: Column) -> Column:
    """Return ``scala.collection.immutable.HashMap.improve``."""
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
