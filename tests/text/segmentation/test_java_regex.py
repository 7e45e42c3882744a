"""Java regular expressions, against the matches that java.util.regex of Java 17 was recorded to find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ParamError
from sparkalbert.offsets import utf16_index
from sparkalbert.text.segmentation.java_regex import compile_java, find_java, one_of_class
from tests.recorded.java_patterns import BY_HAND, NUM_RANDOM
from tests.recorded.recordings import OWN, read_lines

RECORDED = read_lines(OWN.folder.with_name("java_regex.jsonl"))


def spans_in_units(pattern, text):
    """Spans of every match and its groups, as Java counts them."""
    units = [*utf16_index(text).tolist(), -1]  # -1: a group without a part in the match
    return [[[units[start], units[stop]] for start, stop in found.regs] for found in find_java(pattern, text)]


def without_halves(matches, text):
    """Java also finds empty matches between the halves of a surrogate pair; a character is never split here."""
    whole = set(utf16_index(text).tolist())
    return [match for match in matches if match[0][0] in whole]


@pytest.mark.parametrize("row", RECORDED[: len(BY_HAND)], ids=lambda row: row["pattern"])
def test_matches_of_patterns_written_by_hand_are_those_of_java(row):
    ((text, expected),) = row["matches"]
    assert spans_in_units(compile_java(row["pattern"], "splitPattern"), text) == without_halves(expected, text)


def test_the_recorded_patterns_are_the_listed_ones():
    assert [row["pattern"] for row in RECORDED[: len(BY_HAND)]] == [pattern for pattern, _ in BY_HAND]
    assert len(RECORDED) == len(BY_HAND) + NUM_RANDOM
    assert sum("error" in row for row in RECORDED) < 5


def test_matches_of_random_patterns_are_those_of_java():
    differing = []
    for row in RECORDED[len(BY_HAND) :]:
        if "error" in row:
            with pytest.raises(ParamError):
                compile_java(row["pattern"], "splitPattern")
            continue
        pattern = compile_java(row["pattern"], "splitPattern")
        differing += [
            (row["pattern"], text)
            for text, expected in row["matches"]
            if spans_in_units(pattern, text) != without_halves(expected, text)
        ]
    assert differing == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        *(
            (pattern, "the unsupported escape")
            for pattern in (r"\G", r"\q", r"a\b{g}", r"\N{DIGIT ONE}", r"\m", r"\L<a>")
        ),
        *((pattern, "the unsupported property") for pattern in (r"\p{Latin}", r"\p{IsNothing}", r"\p{InNowhere}")),
        *((pattern, "the unsupported flag") for pattern in ("(?x)a", "(?U)a", "(?d:a)", "(?R)")),
        *(
            (pattern, "an invalid character number")
            for pattern in (r"\x{110000}", r"\xgg", r"\08", r"\u00g1", r"\u+041", r"\u0_41", r"\x{ 41}", r"\x{}")
        ),
        *(
            (pattern, r"the lone surrogate U\+D83D before character")
            for pattern in (r"\uD83D", r"\uD83Dx", r"\uD83D\u0041", r"\ud83d\uD83D\uDE42", r"[a-\uD83D]", r"\x{D83D}")
        ),
        *((pattern, r"the lone surrogate U\+DE42") for pattern in (r"\uDE42", r"[\uDE42]", r"\uD83D\uDE42\uDE42")),
        (r"[\uD800-\uDBFF][\uDC00-\uDFFF]", r"the lone surrogate U\+D800"),
        *((pattern, "an invalid range") for pattern in ("[b-a]", r"[a-\w]", r"[a-\p{L}]")),
        *((pattern, "an incomplete repetition") for pattern in ("{", "a{x}", "a{,3}", "a{e<=1}")),
        *((pattern, "an unknown kind of group") for pattern in ("(?P<n>a)", "(?#a)", "(?1)", "(?|a)", "(?&n)")),
        *((pattern, "an incomplete expression") for pattern in ("\\", "[a", "[", r"\x1", r"\p")),
        *((pattern, "an empty class") for pattern in ("[&&a]", "[a&&]", "[^&&a]")),
        *((pattern, "nothing to repeat") for pattern in ("a(?i)*", "a(?i){2}")),
        *((pattern, r"no closing \)") for pattern in ("(", "(?i:a", "(?=a")),
        (")", r"an unpaired \)"),
        (r"\p{L", "no closing }"),
        *(
            (pattern, "not a valid regular expression: ")
            for pattern in ("*", "a**", r"\1", r"\k<n>", "a{9999999999999}")
        ),
    ],
)
def test_a_pattern_that_cannot_be_used_names_the_param_and_the_pattern(pattern, found):
    with pytest.raises(ParamError, match=found) as raised:
        compile_java(pattern, "splitPattern")
    assert str(raised.value).startswith(f"splitPattern {pattern!r} is not ")


@given(st.text())
def test_a_quoted_text_matches_itself(text):
    assert compile_java(rf"\Q{text}", "customBounds").fullmatch(text) or "\\E" in text


@given(st.characters(exclude_categories=["Cs", "Cn"]))
def test_classes_contain_what_their_names_say(character):
    assert bool(compile_java(r"\p{L}", "p").match(character)) == character.isalpha()
    assert bool(compile_java(r"\P{L}", "p").match(character)) != character.isalpha()
    assert bool(compile_java(r"[^\P{L}]", "p").match(character)) == character.isalpha()
    assert bool(compile_java(r"\p{javaISOControl}", "p").match(character)) == (
        ord(character) < 32 or 127 <= ord(character) < 160
    )


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"\uD83D\uDE42", "a🙂b", ["🙂"]),
        (r"\ud83d\ude42+", "a🙂🙂b", ["🙂🙂"]),
        (r"[\uD83D\uDE00-\uD83D\uDE4F]b", "a🙂b", ["🙂b"]),
        (r"[^\uD83D\uDE42]+", "a🙂b", ["a", "b"]),
        (r"(?iu)\uD801\uDC00", "a\U00010428", ["\U00010428"]),
        (r"[\u0000-\uD7FF\uE000-\uFFFF]+", "a🙂b", ["a", "b"]),
    ],
)
def test_a_surrogate_pair_is_one_character(pattern, text, matches):
    assert [found[0] for found in find_java(compile_java(pattern, "splitPattern"), text)] == matches


def test_signs_are_literal_inside_a_class():
    assert one_of_class(r"^(?:\w+)", "targetPattern") == r"[^\(\?:[a-zA-Z0-9_]\+\)]"
    with pytest.raises(ParamError, match=r"^targetPattern .* an unpaired \]"):
        one_of_class(r"^(?:a]b)", "targetPattern")
