import pytest

from sparkalbert.errors import ParamError
from sparkalbert.text.segmentation.java_regex import compile_java, remove_java, split_java
from sparkalbert.text.segmentation.regex_tokens import RegexTokenizerOptions, RegexTokenSplitter


def split(text, **options):
    return [tuple(token) for token in RegexTokenSplitter(RegexTokenizerOptions(**options)).split(text)]


def test_places_are_utf16_units():
    assert split("a \U0001f642\U0001f642 b") == [("a", 0, 1), ("\U0001f642\U0001f642", 2, 6), ("b", 7, 8)]
    assert split("a \U0001f642 b", min_length=2, max_length=2) == [("\U0001f642", 2, 4)]


def test_a_match_that_contains_the_next_token_puts_it_too_far_left():
    assert split("x-b-b", pattern="-b-") == [("x", 0, 1), ("b", 2, 3)]


def test_lower_case_comes_before_the_pattern_and_may_be_longer():
    assert split("AB\u0130b c", pattern="[A-Z]", to_lowercase=True) == [("abi\u0307b c", 0, 7)]


@pytest.mark.parametrize(("preserve", "start", "stop"), [(True, 0, 7), (False, 2, 6)])
def test_white_space_is_removed_after_the_length_was_checked(preserve, start, stop):
    trimmed = split("  a  b ,\t", pattern=",", trim_whitespace=True, preserve_position=preserve, min_length=2)
    assert trimmed == [("ab", start, stop)]
    blank = split("  ,a", pattern=",", trim_whitespace=True, preserve_position=preserve)
    assert blank == [("", 0 if preserve else 2, 2 if preserve else 0), ("a", 3, 4)]


@pytest.mark.parametrize(
    ("pattern", "text", "parts"),
    [
        ("(?=b)", "bab", ["ba", "b"]),
        ("", "ab", ["a", "b"]),
        ("a", "aa", []),
        ("x", "", [""]),
        ("(?=b)|b", "ab", ["a", "b"]),
    ],
)
def test_split_as_java_does(pattern, text, parts):
    """Seen on Java 17."""
    assert split_java(compile_java(pattern, "pattern"), text) == parts


def test_remove_as_java_does():
    """After a match of no characters Java goes on one character later."""
    assert remove_java(compile_java("(?=b)|b", "pattern"), "abb") == "abb"
    assert remove_java(compile_java("b", "pattern"), "abb") == "a"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "("}, "pattern '\\('"),
        ({"min_length": -1}, "minLength must be at least 0, got -1"),
        ({"max_length": 0}, "maxLength must be at least 1, got 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ParamError, match=message):
        RegexTokenizerOptions(**options)
