import numpy as np
import pytest

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.options import check_choice, checked_integer, is_integer, near_miss


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_of_any_kind(value):
    found = checked_integer("threads", value, minimum=3)
    assert (found, type(found)) == (3, int)
    assert is_integer(value)


@pytest.mark.parametrize("value", [True, np.True_, 3.0, "3", None, [3], np.array([3]), float("nan")])
def test_other_values(value):
    assert not is_integer(value)
    with pytest.raises(ParamTypeError) as caught:
        checked_integer("threads", value, minimum=1)
    assert str(caught.value) == f"threads is {value!r}, expected an integer."


def test_a_value_below_the_minimum():
    with pytest.raises(ParamError) as caught:
        checked_integer("threads", 0, minimum=1)
    assert str(caught.value) == "threads is 0, expected at least 1."


def test_a_choice():
    assert check_choice("pooling", "last", ("first", "last")) == "last"


@pytest.mark.parametrize(("value", "hint"), [("frist", " Did you mean 'first'?"), ("max", ""), (None, ""), (5, "")])
def test_another_value_than_the_choices(value, hint):
    with pytest.raises(ParamError) as caught:
        check_choice("pooling", value, ("first", "last"))
    assert str(caught.value) == f"pooling is {value!r}, expected one of first, last.{hint}"
    assert near_miss(value, ["first", "last"]) == hint
