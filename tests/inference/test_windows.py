import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.inference.windows import best_window, window_starts

sizes = st.tuples(st.integers(1, 200), st.integers(1, 40))


@given(sizes)
def test_windows_cover_the_sentence_and_overlap_by_half(size):
    num_pieces, capacity = size
    starts = window_starts(num_pieces, capacity)
    assert starts[0] == 0
    assert starts[-1] + capacity >= num_pieces
    if num_pieces <= capacity:
        assert starts.tolist() == [0]
    else:
        assert starts[-1] + capacity == num_pieces
        assert (np.diff(starts) > 0).all()
        assert (np.diff(starts) <= max(capacity // 2, 1)).all()


@given(sizes, st.data())
def test_best_window_is_the_one_with_most_context(size, data):
    num_pieces, capacity = size
    first = data.draw(st.integers(0, num_pieces - 1))
    last = data.draw(st.integers(first, min(first + 6, num_pieces - 1)))
    (found,) = best_window(np.array([first]), np.array([last]), num_pieces, capacity)
    assert found == slow_best_window(first, last, num_pieces, capacity)


def slow_best_window(first, last, num_pieces, capacity):
    best, most = -1, -1
    for index, start in enumerate(window_starts(num_pieces, capacity)):
        if start <= first and last < start + capacity:
            left = capacity if start == 0 else first - start
            right = capacity if start + capacity >= num_pieces else start + capacity - 1 - last
            if min(left, right) > most:
                best, most = index, min(left, right)
    return best


@given(sizes)
def test_every_single_piece_has_a_window(size):
    num_pieces, capacity = size
    pieces = np.arange(num_pieces)
    window = best_window(pieces, pieces, num_pieces, capacity)
    starts = window_starts(num_pieces, capacity)
    assert (window >= 0).all()
    assert ((starts[window] <= pieces) & (pieces < starts[window] + capacity)).all()
