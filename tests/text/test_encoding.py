"""Spark NLP's cut, against a plain account of what its code does with pieces and rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.text.encoding import EncodedSentence, truncate

piece_counts = st.lists(st.integers(0, 5), max_size=30)


def encoded(counts):
    """A sentence whose tokens have so many pieces each; every piece is another one."""
    stops = np.cumsum(counts, dtype=np.int64)
    ranges = np.stack([stops - counts, stops], axis=1).astype(np.int64).reshape(-1, 2)
    return EncodedSentence(np.arange(100, 100 + sum(counts)), ranges)


def rows_of_first_pieces(counts, num_pieces):
    """Albert.scala, ``predict``: pieces zipped with the rows after [CLS], [SEP]'s row being the last."""
    starts = [
        start for start, count in zip(encoded(counts).ranges[:, 0].tolist(), counts, strict=True) if count
    ]
    rows = [*range(min(sum(counts), num_pieces)), "[SEP]"]
    pieces = range(min(sum(counts), num_pieces + 2))
    return [row for piece, row in zip(pieces, rows, strict=False) if piece in starts]


@given(piece_counts, st.integers(1, 40))
def test_the_cut_leaves_the_rows_that_spark_nlp_pairs_with_words(counts, num_pieces):
    whole = encoded(counts)
    cut = truncate(whole, num_pieces)
    assert cut.ids.tolist() == whole.ids[:num_pieces].tolist()
    present = cut.ranges[:, 1] > cut.ranges[:, 0]
    found = ["[SEP]" if start == len(cut.ids) else start for start in cut.ranges[present, 0].tolist()]
    assert found == rows_of_first_pieces(counts, num_pieces)


@given(piece_counts, st.integers(1, 40))
def test_the_words_that_are_left_are_the_first_ones_with_their_first_pieces(counts, num_pieces):
    whole = encoded(counts)
    cut = truncate(whole, num_pieces)
    left = cut.ranges[:, 1] - cut.ranges[:, 0]
    had = np.array(counts, dtype=np.int64)
    kept = np.flatnonzero(left)
    assert kept.tolist() == np.flatnonzero(had)[: len(kept)].tolist()
    np.testing.assert_array_equal(cut.ranges[kept, 0], whole.ranges[kept, 0])
    assert (left <= had).all()
    assert (left[kept[:-1]] == had[kept[:-1]]).all()  # only the last one may be cut short
    assert (cut.ranges <= num_pieces + 1).all()


def test_what_fits_stays_as_it_is():
    whole = encoded([2, 0, 3])
    assert truncate(whole, 5) is whole
