import pickle
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.errors import TextError
from sparkalbert.text.pieces.normalization import (
    WHITESPACE,
    NormalizationOptions,
    check_unicode,
    normalize,
)
from tests.linear_time import assert_linear_time

OPTIONS = st.builds(NormalizationOptions, st.booleans(), st.booleans(), st.booleans(), st.booleans())
AWKWARD = "ΣσςİıßſÅéñ½…ﬁﬀﷺ가각´¨`'\"  \t\n\x0b\x1c\x85\u00a0\u200b\u2028\u3000\u0301\u0327\u0345a1,.A"
TEXTS = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters(exclude_categories=["Cs"])), max_size=40)


def reference(text, options):
    """The rule as the reference tokenizers write it (`AlbertTokenizer.preprocess_text`, transformers 4)."""
    if options.remove_space:
        text = " ".join(text.strip().split())
    if options.replace_quotes:
        text = text.replace("``", '"').replace("''", '"')
    if not options.keep_accents:
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    return text.lower() if options.do_lower_case else text


@settings(deadline=None, max_examples=300)
@given(TEXTS, OPTIONS)
def test_the_text_is_that_of_the_reference_rule(text, options):
    assert normalize(text, options).text == reference(text, options)


@settings(deadline=None, max_examples=300)
@given(TEXTS, OPTIONS)
def test_the_map_gives_the_origin_of_every_character(text, options):
    normalized = normalize(text, options)
    if normalized.starts is None:
        assert normalized.stops is None
        starts = np.arange(len(normalized.text))
        stops = starts + 1
        assert len(normalized.text) == len(text)
    else:
        starts, stops = normalized.starts, normalized.stops
    assert starts.shape == stops.shape == (len(normalized.text),)
    assert (np.diff(starts) >= 0).all()
    assert (np.diff(stops) >= 0).all()
    for character, start, stop in zip(normalized.text, starts, stops, strict=True):
        source = text[start:stop]
        if character == " ":
            assert source.isspace() or " " in reference(source, NormalizationOptions(remove_space=False))
        elif stop - start == 2:
            assert (character, source) in {('"', "``"), ('"', "''")}
        else:
            # Whether a sigma is final depends on its neighbours, not on the character alone.
            alone = NormalizationOptions(options.do_lower_case, options.keep_accents, remove_space=False)
            assert character.replace("ς", "σ") in reference(source, alone).replace("ς", "σ")


@settings(deadline=None, max_examples=300)
@given(TEXTS, OPTIONS)
def test_no_visible_character_is_lost(text, options):
    normalized = normalize(text, options)
    if normalized.starts is None:
        return
    covered = np.zeros(len(text), dtype=bool)
    for start, stop in zip(normalized.starts, normalized.stops, strict=True):
        covered[start:stop] = True
    alone = NormalizationOptions(options.do_lower_case, options.keep_accents)
    lost = [character for character, found in zip(text, covered, strict=True) if not found]
    assert [character for character in lost if reference(character, alone).strip()] == []


@pytest.mark.parametrize(
    ("raw", "text", "starts", "stops"),
    [
        ("Plain Text", "plain text", None, None),
        ("tab\there", "tab here", None, None),
        ("curly ’s", "curly ’s", None, None),
        ("CAFÉ", "cafe", None, None),
        ("ΟΔΟΣ ΟΔΟΣ.", "οδος οδος.", None, None),
        ("  a  b ", "a b", [2, 3, 5], [3, 4, 6]),
        ("e\u0301a", "ea", [0, 2], [1, 3]),
        ("``a''", '"a"', [0, 2, 3], [2, 3, 5]),
        ("'''", "\"'", [0, 2], [2, 3]),
        ("ﬁ½", "fi1⁄2", [0, 0, 1, 1, 1], [1, 1, 2, 2, 2]),
        ("\u0301", "", [], []),
        ("", "", None, None),
    ],
)
def test_known_texts_and_maps(raw, text, starts, stops):
    normalized = normalize(raw, NormalizationOptions())
    assert normalized.text == text
    assert (None if normalized.starts is None else normalized.starts.tolist()) == starts
    assert (None if normalized.stops is None else normalized.stops.tolist()) == stops


def test_dotted_capital_i_becomes_two_characters_when_accents_stay():
    normalized = normalize("aİb", NormalizationOptions(keep_accents=True))
    assert normalized.text == "ai\u0307b"
    assert normalized.starts.tolist() == [0, 1, 1, 2]
    assert normalized.stops.tolist() == [1, 2, 2, 3]


def test_maps_of_several_steps_are_composed():
    raw = "  ``\u0041\u0301  ﬁ''"
    normalized = normalize(raw, NormalizationOptions())
    assert normalized.text == '"a fi"'
    assert [raw[start:stop] for start, stop in zip(normalized.starts, normalized.stops, strict=True)] == [
        "``",
        "A",
        " ",
        "ﬁ",
        "ﬁ",
        "''",
    ]


def test_whitespace_is_what_python_splits_at():
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    assert {ord(character) for character in every if not character.split()} == WHITESPACE


def test_lower_casing_changes_one_length_only():
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    assert [character for character in every if len(character.lower()) != 1] == ["İ"]


@pytest.mark.parametrize(("text", "position"), [("\ud800", 0), ("geheim \udfff", 7), ("é\ud83d\ude42", 1)])
def test_a_lone_surrogate_is_refused_by_position(text, position):
    with pytest.raises(TextError, match=f"at character {position} of {len(text)}") as refused:
        normalize(text, NormalizationOptions())
    assert "geheim" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert pickle.loads(pickle.dumps(refused.value)).args == refused.value.args


def test_valid_unicode_passes():
    check_unicode("a é 🙂 \U0010ffff \x00")


@pytest.mark.parametrize("unit", ["plain words ", "é", "\u0301", "  ", "''", "½ ", "İ\t", "\u1100\u1161"])
def test_a_megabyte_takes_linear_time(unit):
    options = NormalizationOptions()
    assert_linear_time(lambda text: normalize(text, options), lambda length: unit * (length // len(unit)), 1_000_000)
