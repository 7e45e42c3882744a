"""Spark SQL expressions that several stages build on. It knows columns, nothing about annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

__all__ = ["let", "nullable", "widened"]

_BEYOND_BMP: Final = r"[\x{10000}-\x{10FFFF}]"
_FILLED: Final = "\ue000$0"  # a private character before the one that takes two units


def let(value: Column, body: Callable[[Column], Column]) -> Column:
    """Return `body` of a value that Spark computes once, however often it stands there."""
    return F.element_at(F.transform(F.array(value), body), 1)


def nullable(column: Column) -> Column:
    """Return a column that Spark takes for nullable, as it takes every column of Spark NLP.

    ``when`` without ``otherwise`` says so, unless its condition is the literal true; the optimizer
    removes it.
    """
    return F.when(F.lit(0) == F.lit(0), column)


def widened(text: Column) -> Column:
    """Return a text with one character for each UTF-16 unit of `text`.

    Spark's functions count characters; in this text they count what the JVM's strings count.
    """
    return F.regexp_replace(text, _BEYOND_BMP, _FILLED)
