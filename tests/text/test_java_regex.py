import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.errors import ParamError
from sparkalbert.text.java_regex import compile_java, one_of_class

# Checked once against java.util.regex of Java 17.
MATCHES = [
    (r".+", "a\u2028b\x85c\rd", ["a", "b", "c", "d"]),
    (r"(?s).+", "a\nb", ["a\nb"]),
    (r"\S+", "a\u00a0b c", ["a\u00a0b", "c"]),
    (r"\w+", "été_1", ["t", "_1"]),
    (r"\b\w", "ée a", ["a"]),
    (r"a$", "a a\r\n", ["a"]),
    (r"a\z", "a\n", []),
    (r"a\Z", "a\n", ["a"]),
    (r"(?m)^.", "ab\rcd", ["a", "c"]),
    (r"(?m).$", "ab\rcd", ["b", "d"]),
    (r"\p{L}+", "été 中文 a1", ["été", "中文", "a"]),
    (r"\P{L}+", "a, b", [", "]),
    (r"\pL\pN", "é٣ aa", ["é٣"]),
    (r"\p{IsLu}\p{Ll}", "Éa ab", ["Éa"]),
    (r"\p{Punct}+", "a.-~b¡", [".-~"]),
    (r"[^\p{Alnum}]+", "aé b", ["é "]),
    (r"[a-c[x-z]]+", "abmyz", ["ab", "yz"]),
    (r"[^a-c[x-z]]+", "abmyz", ["m"]),
    (r"[a-z&&[^bc]]+", "abcd", ["a", "d"]),
    (r"[^a-z&&[def]]+", "adz", ["a", "z"]),
    (r"[]a]+", "a]b", ["a]"]),
    (r"[a-]+", "a-b", ["a-"]),
    (r"[a-z-0-7]+", "ab-079", ["ab-07"]),
    (r"[\Qa-\E]+", "a-bQ", ["a-"]),
    (r"\Qa.b\E+", "a.bb aab", ["a.bb"]),
    (r"a(?i)b|c", "aB C c", ["aB", "C", "c"]),
    (r"(?i:a)b", "Ab AB", ["Ab"]),
    (r"\x41\x{1f642}\u0042\0103", "A🙂BC", ["A🙂BC"]),
    (r"\h+\v", "a \u00a0\u2028", [" \u00a0\u2028"]),
    (r"\R", "\r\n\x85", ["\r\n", "\x85"]),
    (r"(?<n>a)\k<n>", "aa", ["aa"]),
    (r"\,|\-", "a-b,", ["-", ","]),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), MATCHES)
def test_matches_are_those_of_java(pattern, text, expected):
    assert [found[0] for found in compile_java(pattern, "splitPattern").finditer(text)] == expected


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"\G", r"\X", r"\p{IsLatin}", r"\q", r"\b{g}", r"(?x)a", r"\x{110000}", r"\xgg"),
        *("(", ")", "[", "[a", "[^]", "[b-a]", r"[a-\w]", "*", "\\", r"(?<=a+)b", r"\p{L", "{", "a{x}"),
    ],
)
def test_what_cannot_be_translated_names_the_param_and_the_pattern(pattern):
    with pytest.raises(ParamError) as raised:
        compile_java(pattern, "splitPattern")
    assert str(raised.value).startswith(f"splitPattern {pattern!r} ")


@settings(deadline=None)
@given(st.text())
def test_a_quoted_text_matches_itself(text):
    assert compile_java(rf"\Q{text}", "customBounds").fullmatch(text) or "\\E" in text


@settings(deadline=None)
@given(st.characters(exclude_categories=["Cs"]))
def test_classes_hold_what_their_names_say(character):
    assert bool(compile_java(r"\p{L}", "p").match(character)) == character.isalpha()
    assert bool(compile_java(r"\P{L}", "p").match(character)) != character.isalpha()
    assert bool(compile_java(r"[^\P{L}]", "p").match(character)) == character.isalpha()


def test_the_inside_of_a_class_takes_signs_as_they_are():
    assert one_of_class(r"^(?:\w+)", "targetPattern") == r"[^\(\?:\w\+\)]"
    with pytest.raises(ParamError, match=r"^targetPattern .* an unpaired \]"):
        one_of_class(r"^(?:a]b)", "targetPattern")
