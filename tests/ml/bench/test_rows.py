"""The rows of a benchmark: nothing is lost, and all cores get the same amount."""

from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.bench.news_text import news_paragraphs
from sparkalbert.ml.bench.rows import CachedPrefixes, cached_rows, dealt_rows


@given(st.lists(st.text(max_size=30), max_size=40), st.integers(1, 5))
def test_every_text_is_dealt_once(texts, partitions):
    hands = dealt_rows(texts, partitions)
    assert len(hands) == partitions
    assert sorted(text for hand in hands for text in hand) == sorted(texts)
    assert max(map(len, hands)) - min(map(len, hands)) <= 1


def test_each_core_has_as_much_text():
    hands = dealt_rows(news_paragraphs(3000), 4)
    amounts = [sum(map(len, hand)) for hand in hands]
    assert max(amounts) < 1.05 * min(amounts)


def test_partitions_are_the_hands(spark):
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    parts = cached_rows(spark, texts, 2).rdd.map(lambda row: row.text).glom().collect()
    assert [sorted(part) for part in parts] == [sorted(hand) for hand in dealt_rows(texts, 2)]


def test_the_rows_of_two_jobs_stay_in_memory(spark):
    prefixes = CachedPrefixes(spark, ["a", "bb", "ccc", "dddd"], 1)
    frames = {rows: prefixes.first(rows) for rows in (1, 2)}
    assert prefixes.first(1) is frames[1]
    frames[3] = prefixes.first(3)
    assert {rows: frame.is_cached for rows, frame in frames.items()} == {1: True, 2: False, 3: True}
    assert sorted(row.text for row in prefixes.first(2).collect()) == ["a", "bb"]
