import pytest

from sparkalbert.errors import ParamError
from sparkalbert.text.segmentation.normalized_tokens import NormalizerOptions, TokenNormalizer


def normalize(token, **options):
    return TokenNormalizer(NormalizerOptions(**options)).normalize(token)


def test_patterns_are_applied_one_after_the_other():
    assert normalize("C++,\u00e9\u00df1") == ["C++\u00e9\u00df"]
    assert normalize("aab", cleanup_patterns=("ab", "a")) == []
    assert normalize("e-mail", cleanup_patterns=()) == ["e-mail"]


def test_slang_may_become_several_words_which_are_cleaned_too():
    slang = {"im": "I'm  here 2 ", "OK": "fine"}
    assert normalize("IM", slang=slang) == ["Im", "here"]
    assert normalize("IM", slang=slang, lowercase=True, max_length=3) == ["im"]
    assert normalize("OK", slang=slang) == ["OK"]
    assert normalize("OK", slang=slang, slang_match_case=True) == ["fine"]


def test_lengths_are_utf16_units():
    assert normalize("\U0001f642", cleanup_patterns=(), min_length=2, max_length=2) == ["\U0001f642"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cleanup_patterns": ("[",)}, r"cleanupPatterns '\['"),
        ({"min_length": -1}, "minLength must be greater equal than 0, got -1"),
        ({"min_length": 3, "max_length": 2}, r"maxLength must be greater equal than minLength \(3\), got 2"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ParamError, match=message):
        NormalizerOptions(**options)
