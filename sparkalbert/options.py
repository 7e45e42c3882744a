"""Checks values of options."""

from __future__ import annotations

from numbers import Integral
from typing import TypeGuard

from sparkalbert.errors import ParamError, ParamTypeError

__all__ = ["checked_integer", "is_integer"]


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
