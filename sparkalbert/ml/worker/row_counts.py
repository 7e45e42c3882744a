"""Counts what each row consists of, to be summed by Spark while it writes the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from sparkalbert.arrays import Int64Array
from sparkalbert.inference.windows import window_starts
from sparkalbert.ml.worker.sentence_plan import NOWHERE, GroupPlan, SpanRows
from sparkalbert.text.pieces.encoding import EncodedSentence

__all__ = ["COUNTS", "VALUE", "RowCounts"]

VALUE: Final = "value"
"""The field of a row's result, beside its counts."""

COUNTS: Final = ("tokens", "windows", "pieceless_tokens")
"""The counts of a row, see :class:`RowCounts`."""


@dataclass(frozen=True)
class RowCounts:
    """The counts of some rows; all int64 ``[rows]``, 0 for a null row.

    Attributes
    ----------
    tokens
        Tokens that count in the output.
    windows
        Sequences of pieces that cover the sentences: one for each sentence, several if it is longer than
        ``maxSentenceLength``, none if no token has a piece. Equal sequences are computed once, and parts of very long
        words perhaps not at all.
    pieceless_tokens
        Tokens whose vector is zeros: those without a piece, and those outside all sentences, for instance if a
        SentenceDetector drops short sentences (``minLength``) and the Tokenizer reads the document.
    """

    tokens: Int64Array
    windows: Int64Array
    pieceless_tokens: Int64Array

    @classmethod
    def of(cls, plan: GroupPlan, tokens: SpanRows, num_rows: int, window_capacity: int) -> RowCounts:
        """Count the rows of a group.

        Parameters
        ----------
        plan
            The plan of the group.
        tokens
            The tokens that were planned.
        num_rows
            Number of rows of the group.
        window_capacity
            Number of pieces in a window, without ``[CLS]`` and ``[SEP]``.
        """
        row = tokens.row[plan.token]
        pieceless = np.bincount(row[plan.piece == NOWHERE], minlength=num_rows)
        windows = np.zeros(num_rows, dtype=np.int64)
        np.add.at(windows, plan.row, _windows(plan.sentences, window_capacity))
        return cls(np.bincount(row, minlength=num_rows), windows, pieceless)

    def beside(self, values: pa.Array, rows: slice = slice(None)) -> pa.Array:
        """Return a struct of values and their counts, of all rows or some."""
        counts = [pa.array(getattr(self, name)[rows], pa.int64()) for name in COUNTS]
        return pa.StructArray.from_arrays([values, *counts], names=[VALUE, *COUNTS])


def _windows(sentences: Sequence[EncodedSentence], capacity: int) -> Int64Array:
    """Return the number of windows of each sentence."""
    lengths = (len(sentence.ids) if _has_pieces(sentence) else 0 for sentence in sentences)
    counts = (min(length, 1) if length <= capacity else len(window_starts(length, capacity)) for length in lengths)
    return np.fromiter(counts, np.int64, len(sentences))


def _has_pieces(sentence: EncodedSentence) -> bool:
    """Return whether a token has a piece; the first has one nearly always, and then no other is looked at."""
    return any(start < stop for start, stop in sentence.ranges)
