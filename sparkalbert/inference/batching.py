"""Piece sequences to calls: equal ones once, like lengths together, each call filled to a budget.

It knows lengths and bytes, nothing about text or graphs. How sequences are grouped never changes a
vector (the graph is batch invariant), only the time it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparkalbert.errors import ParamError

__all__ = ["BatchingOptions", "distinct", "pad", "plan_calls"]

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BatchingOptions:
    """How much goes into one call of the graph.

    Attributes
    ----------
    pieces_per_call
        Most pieces of one call, padding included. Small calls are bound by memory traffic: the graph
        streams all its weights once a call. 512 is where fp32 stops getting faster.
    max_sequences
        Most sequences of one call; None for no bound of its own.
    """

    pieces_per_call: int = 512
    max_sequences: int | None = None

    def __post_init__(self) -> None:
        if self.pieces_per_call < 1:
            msg = f"pieces_per_call is {self.pieces_per_call}, expected at least 1."
            raise ParamError(msg)
        if self.max_sequences is not None and self.max_sequences < 1:
            msg = f"max_sequences is {self.max_sequences}, expected at least 1 or None."
            raise ParamError(msg)


def distinct(sequences: Sequence[Int64Array]) -> tuple[list[Int64Array], Int64Array]:
    """Return the different sequences, and for each given one the index of its equal.

    Examples
    --------
    >>> a, b = np.array([2, 7, 3]), np.array([2, 3])
    >>> unique, index = distinct([a, b, a])
    >>> len(unique), index.tolist()
    (2, [0, 1, 0])
    """
    seen: dict[bytes, int] = {}
    unique: list[Int64Array] = []
    index = np.empty(len(sequences), dtype=np.int64)
    for position, sequence in enumerate(sequences):
        found = seen.setdefault(sequence.tobytes(), len(unique))
        if found == len(unique):
            unique.append(sequence)
        index[position] = found
    return unique, index


def plan_calls(lengths: Int64Array, options: BatchingOptions) -> Iterator[Int64Array]:
    """Yield the indices of each call's sequences: sorted by length, filled to the budget.

    A sequence longer than the budget gets a call of its own.

    Parameters
    ----------
    lengths
        int64 ``[sequences]``, pieces of each sequence.

    Examples
    --------
    >>> options = BatchingOptions(pieces_per_call=12)
    >>> [call.tolist() for call in plan_calls(np.array([3, 9, 4, 3]), options)]
    [[0, 3, 2], [1]]
    """
    order = np.argsort(lengths, kind="stable")
    most = options.max_sequences or len(order)
    first = 0
    for stop in range(1, len(order) + 1):
        full = stop == len(order) or (
            (stop - first + 1) * lengths[order[stop]] > options.pieces_per_call or stop - first >= most
        )
        if full:
            yield order[first:stop]
            first = stop


def pad(sequences: Sequence[Int64Array], pad_id: int) -> tuple[Int64Array, Int64Array]:
    """Return ``input_ids`` and ``attention_mask``, int64 ``[batch, pieces]``, padded on the right."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask == 1] = np.concatenate(sequences)
    return ids, mask
