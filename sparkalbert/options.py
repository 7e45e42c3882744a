"""Checks values of options."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TypeGuard

from sparkalbert.errors import ParamError, ParamTypeError

__all__ = ["check_choice", "checked_integer", "is_integer", "near_miss"]


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Return the value of an option if it is one of its choices.

    Raises
    ------
    ParamError
        If it is not; the message suggests the nearest choice.

    Examples
    --------
    >>> check_choice("pooling", "frist", ("first", "last"))
    Traceback (most recent call last):
        ...
    sparkalbert.errors.ParamError: pooling is 'frist', expected one of first, last. Did you mean 'first'?
    """
    if value in choices:
        return value
    msg = f"{name} is {value!r}, expected one of {', '.join(choices)}.{near_miss(value, choices)}"
    raise ParamError(msg)


def near_miss(found: object, known: Sequence[str]) -> str:
    """Return a sentence that suggests the nearest known name, after a space; empty if none is near."""
    import difflib  # here, because every worker imports this module

    close = difflib.get_close_matches(str(found), known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def checked_integer(name: str, value: object, *, minimum: int) -> int:
    """Return an integer option as an int; NumPy's integers are accepted.

    Raises
    ------
    ParamTypeError
        If it is not an integer. A bool is not accepted as one.
    ParamError
        If it is less than `minimum`.

    Examples
    --------
    >>> checked_integer("threads", 2, minimum=1)
    2
    """
    if not is_integer(value):
        msg = f"{name} is {value!r}, expected an integer."
        raise ParamTypeError(msg)
    if value < minimum:
        msg = f"{name} is {value}, expected at least {minimum}."
        raise ParamError(msg)
    return int(value)


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether a value is an integer, Python's or NumPy's; a bool is not."""
    return isinstance(value, Integral) and not isinstance(value, bool)
