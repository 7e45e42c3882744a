"""What must hold of the offsets of pieces, whatever the vocabulary."""

import numpy as np


def check_offsets(text, pieces):
    offsets = pieces.offsets
    assert offsets.shape == (len(pieces), 2)
    assert offsets.dtype == pieces.ids.dtype == np.int64
    assert ((offsets >= 0) & (offsets <= len(text))).all()
    begins, ends = offsets.T
    assert (begins <= ends).all()
    assert (np.diff(begins) >= 0).all()
    shows = np.array([bool(piece.strip("▁")) for piece in pieces.pieces], dtype=bool)
    assert np.array_equal(ends > begins, shows)
    assert (np.diff(ends[shows]) >= 0).all()
