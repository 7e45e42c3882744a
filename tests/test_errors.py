import inspect
import re

import pytest

from sparkalbert import errors
from sparkalbert.errors import CheckpointError, SparkAlbertError, listed_problems, problem_list

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


@pytest.mark.parametrize("subject", ["config.json", "The checkpoint /data/who has 2 problems: mine", "a\nb\x85c"])
def test_listed_problems_have_their_subject(subject):
    error = CheckpointError(problem_list(subject, ["a has 3 rows", "b"]))
    assert listed_problems(error) == [f"{subject}: a has 3 rows", f"{subject}: b"]


def test_a_problem_of_several_lines_is_one_problem():
    assert listed_problems(CheckpointError(problem_list("x", ["a:\n  at line 3", "b"]))) == [
        "x: a:\n  at line 3",
        "x: b",
    ]


@pytest.mark.parametrize("message", ["x has no y. Copy it.", "x has no y:\n  at line 3\n  at line 4", ""])
def test_another_message_is_one_problem(message):
    assert listed_problems(CheckpointError(message)) == [message]
