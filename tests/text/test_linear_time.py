import pytest

from tests.linear_time import assert_linear_time


def quadratic(text):
    return sum(1 for _ in text for _ in text)


def test_quadratic_time_is_found():
    with pytest.raises(AssertionError, match="more than linear time"):
        assert_linear_time(quadratic, lambda length: "a" * length, 3_000)


def test_linear_time_passes():
    assert_linear_time(sorted, lambda length: "ab" * (length // 2), 800_000)
