"""Piece sequences to calls: equal ones once, like lengths together, each call filled to a budget.

It knows lengths and bytes, nothing about text or graphs. How sequences are grouped never changes a
vector (the graph is batch invariant), only the time it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle import Manifest, Precision
from sparkalbert.errors import ParamError

__all__ = ["BatchingOptions", "best_pieces_per_call", "distinct", "pad", "plan_calls"]

Int64Array = npt.NDArray[np.int64]

_CALL: Final = 256
_SMALL_MODEL_CALL: Final = 512
_ACCELERATOR_CALL: Final = 4096
_BASE_HIDDEN_SIZE: Final = 768
_OPENING_PIECES: Final = 8
"""What a call of its own costs, in pieces of a large one: 5 to 11 by the table below."""


def best_pieces_per_call(precision: Precision, hidden_size: int) -> int:
    """Return how many pieces fill a call of a model.

    A small call waits for memory, because the graph streams all its weights once a call; a large one no
    longer keeps its activations in the cache. Measured in pieces per second of CPU time, equal lengths of
    32, one thread, AVX512-VNNI (the AVX2 kernels give the same order):

    ======================  ======  ======  ======  ==========  ==========  ======
    pieces a call           32      64      128     256         512         1024
    ======================  ======  ======  ======  ==========  ==========  ======
    hidden 256, fp32        10,900  11,400  11,700  11,800      **11,800**  11,500
    hidden 256, int8        17,000  19,100  19,900  20,400      **21,000**  20,400
    hidden 768, fp32        459     499     528     **534**     526         487
    hidden 768, int8        1,164   1,320   1,443   **1,429**   1,450       1,317
    hidden 2048, fp32       30.9    34.5    36.4    **36.3**    34.8        34.3
    hidden 2048, int8       98      116     124     **130**     129         115
    ======================  ======  ======  ======  ==========  ==========  ======

    So the number format does not matter on CPUs, and where two budgets are equal the smaller one pads
    less. fp16 is for accelerators, which want large calls; there nothing was measured.

    Parameters
    ----------
    precision, hidden_size
        Of the model.
    """
    if precision == "fp16":
        return _ACCELERATOR_CALL
    return _SMALL_MODEL_CALL if hidden_size < _BASE_HIDDEN_SIZE else _CALL


@dataclass(frozen=True)
class BatchingOptions:
    """How much goes into one call of the graph.

    Attributes
    ----------
    pieces_per_call
        Most pieces of one call, padding included; None for what is best for the model, see
        :func:`best_pieces_per_call`.
    max_sequences
        Most sequences of one call; None for no bound of its own.
    """

    pieces_per_call: int | None = None
    max_sequences: int | None = None

    def __post_init__(self) -> None:
        if self.pieces_per_call is not None and self.pieces_per_call < 1:
            msg = f"pieces_per_call is {self.pieces_per_call}, expected at least 1."
            raise ParamError(msg)
        if self.max_sequences is not None and self.max_sequences < 1:
            msg = f"max_sequences is {self.max_sequences}, expected at least 1 or None."
            raise ParamError(msg)

    def of_model(self, manifest: Manifest) -> BatchingOptions:
        """Return these options with the model's own budget where none was set."""
        best = best_pieces_per_call(manifest.precision, manifest.dimension)
        return replace(self, pieces_per_call=self.pieces_per_call or best)


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
    """Yield the indices of each call's sequences: sorted by length, cut where all calls cost least.

    A call costs its pieces, padding included, and as much as :data:`_OPENING_PIECES` for being a call
    of its own. So a call ends before the budget does where the next sequences are much longer; filling
    every call of 256 pads 4 % of news sentences in groups of 5,500 pieces, this 1.5 %. The cuts are the best
    there are (dynamic programming over the sorted lengths). A sequence longer than the budget gets a
    call of its own.

    Parameters
    ----------
    lengths
        int64 ``[sequences]``, pieces of each sequence.
    options
        The bounds of one call.

    Examples
    --------
    >>> options = BatchingOptions(pieces_per_call=12)
    >>> [call.tolist() for call in plan_calls(np.array([3, 9, 4, 3]), options)]
    [[0, 3, 2], [1]]
    """
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    budget = options.pieces_per_call or _CALL
    most = np.minimum(np.maximum(budget // np.maximum(ascending, 1), 1), options.max_sequences or len(order))
    # The cheapest plan of the first `stop` sequences ends in a call from `start` on; `least` is its cost.
    stops = np.arange(len(order) + 1)
    earliest = np.maximum(stops[1:] - most, 0).tolist()
    least = np.zeros(len(order) + 1, dtype=np.int64)
    starts = np.zeros(len(order) + 1, dtype=np.int64)
    for stop, longest in enumerate(ascending.tolist(), start=1):
        first = earliest[stop - 1]
        costs = least[first:stop] - stops[first:stop] * longest
        cheapest = int(costs.argmin())
        starts[stop] = first + cheapest
        least[stop] = costs[cheapest] + stop * longest + _OPENING_PIECES
    cuts = [len(order)]
    while cuts[-1]:
        cuts.append(int(starts[cuts[-1]]))
    cuts.reverse()
    yield from (order[start:stop] for start, stop in pairwise(cuts))


def pad(sequences: Sequence[Int64Array], pad_id: int) -> tuple[Int64Array, Int64Array]:
    """Return ``input_ids`` and ``attention_mask``, int64 ``[batch, pieces]``, padded on the right."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask == 1] = np.concatenate(sequences)
    return ids, mask
