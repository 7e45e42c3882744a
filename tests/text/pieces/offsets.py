"""Checks what is true of the offsets of pieces for any vocabulary."""

import numpy as np


def check_offsets(text, pieces):
    offsets = pieces.offsets
    assert offsets.shape == (len(pieces), 2)
    assert offsets.dtype == pieces.ids.dtype == np.int64
    assert ((offsets >= 0) & (offsets <= len(text))).all()
    starts, stops = offsets.T
    assert (starts <= stops).all()
    assert (np.diff(starts) >= 0).all()
    shows = np.array([bool(piece.strip("▁")) for piece in pieces.pieces], dtype=bool)
    assert np.array_equal(stops > starts, shows)
    assert (np.diff(stops[shows]) >= 0).all()
