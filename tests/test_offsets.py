"""Code points and UTF-16 units, against Python's own encoder."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.offsets import code_point_index, is_bmp, utf16_index, utf16_length, utf16_units

texts = st.text(st.characters() | st.sampled_from("a🙂𝔸é\ud83d\ude42"), max_size=20)


def units(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@given(texts)
def test_lengths_and_indices_are_those_of_utf_16(text):
    expected = [units(text[:index]) for index in range(len(text) + 1)]
    assert utf16_index(text).tolist() == expected
    assert utf16_length(text) == expected[-1]
    assert is_bmp(text) == (utf16_length(text) == len(text))


@given(texts)
def test_units_are_one_character_each(text):
    found = utf16_units(text)
    assert len(found) == utf16_length(text)
    assert found.encode("utf-16-le", "surrogatepass") == text.encode("utf-16-le", "surrogatepass")


@given(texts)
def test_the_way_back_ends_at_the_same_code_point(text):
    back = code_point_index(text)
    assert len(back) == utf16_length(text) + 1
    np.testing.assert_array_equal(back[utf16_index(text)], np.arange(len(text) + 1))
    wide = [index for index, character in enumerate(text) if character > "\uffff"]
    np.testing.assert_array_equal(back[utf16_index(text)[wide] + 1], wide)
