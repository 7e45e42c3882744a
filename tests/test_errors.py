import inspect
import re

import pytest

from sparkalbert import errors
from sparkalbert.errors import SparkAlbertError, problem_list

CLASSES = [member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, SparkAlbertError)]


@pytest.mark.parametrize("error", CLASSES)
def test_each_error_is_in_the_tree_and_a_builtin(error):
    if error is SparkAlbertError:
        return
    root, builtin = error.__bases__
    assert root is SparkAlbertError
    assert builtin.__module__ == "builtins"
    assert re.search(rf"── {error.__name__} \({builtin.__name__}\)", errors.__doc__)


def test_the_tree_shows_no_other_error():
    shown = re.findall(r"── (\w+)", errors.__doc__)
    assert sorted([*shown, "SparkAlbertError"]) == sorted(error.__name__ for error in CLASSES)


def test_problems_are_counted():
    assert problem_list("x", ["a"]) == "x has 1 problem:\n  - a"
    assert problem_list("x", ["a", "b"]) == "x has 2 problems:\n  - a\n  - b"
