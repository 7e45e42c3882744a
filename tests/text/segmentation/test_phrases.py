from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.offsets import Span
from sparkalbert.text.segmentation.phrases import PhraseFinder, merge_spans

words = st.lists(st.sampled_from("abAB"), max_size=8)


@given(phrases=st.lists(words, max_size=6), text=words, case_sensitive=st.booleans())
def test_every_place_of_every_phrase_is_found(phrases, text, case_sensitive):
    found = PhraseFinder(phrases, case_sensitive=case_sensitive).find(text)

    def compared(some):
        return some if case_sensitive else [word.lower() for word in some]

    wanted = [compared(phrase) for phrase in phrases]
    expected = [
        Span(start, stop)
        for stop in range(1, len(text) + 1)
        for start in range(stop)
        if compared(text[start:stop]) in wanted
    ]
    assert found == expected


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=8))
def test_merged_spans_cover_the_same_places_and_do_not_overlap(places):
    spans = [Span(start, start + length) for start, length in places]
    merged = merge_spans(spans)
    assert {at for span in merged for at in range(*span)} == {at for span in spans for at in range(*span)}
    assert all(one.stop <= other.start for one, other in pairwise(merged))
    assert {span.start for span in merged} <= {span.start for span in spans}
