"""Groups sequences into batches: equal sequences once, similar lengths together, each batch filled to a budget.

On a CPU grouping never changes a vector, because the graph is batch invariant; it only affects speed. A graph that is
not batch invariant runs one sequence at a time (see :attr:`sparkalbert.bundle.Manifest.batch_invariant`). On a
GPU the library chooses a product's algorithm by its size, so vectors differ slightly (see the README).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from sparkalbert.arrays import Int64Array
from sparkalbert.bundle import Manifest
from sparkalbert.options import checked_integer

__all__ = ["BatchingOptions", "best_pieces_per_batch", "distinct", "pad", "plan_batches"]

_BATCH_PIECES: Final = 256
_SMALL_MODEL_BATCH_PIECES: Final = 512
_GPU_BATCH_PIECES: Final = 4096
_SMALL_MODEL_GPU_BATCH_PIECES: Final = 16_384
_XLARGE_HIDDEN_SIZE: Final = 2048
_BASE_HIDDEN_SIZE: Final = 768
_BATCH_OVERHEAD_PIECES: Final = 8
"""Fixed cost of one batch on a CPU, expressed in pieces of a large batch: 5 to 11 by the table below."""

_GPU_BATCH_OVERHEAD_PIECES: Final = 300
"""The same on a GPU: 1.5 ms by the table below, in which xlarge computes 300 pieces and base 2,300."""


def best_pieces_per_batch(hidden_size: int, *, on_cpu: bool = True) -> int:
    """Return the number of pieces per batch that is fastest for a model on a device.

    A small batch waits for memory, because every forward pass streams all weights; the activations of a large
    one no longer fit into the cache. Measured in pieces per second of CPU time, sequences of 32 pieces, one
    thread, AVX512-VNNI (the AVX2 kernels give the same order):

    ======================  ======  ======  ======  ==========  ==========  ======
    pieces per batch        32      64      128     256         512         1024
    ======================  ======  ======  ======  ==========  ==========  ======
    hidden 256, fp32        10,900  11,400  11,700  11,800      **11,800**  11,500
    hidden 256, int8        17,000  19,100  19,900  20,400      **21,000**  20,400
    hidden 768, fp32        459     499     528     **534**     526         487
    hidden 768, int8        1,164   1,320   1,443   **1,429**   1,450       1,317
    hidden 2048, fp32       30.9    34.5    36.4    **36.3**    34.8        34.3
    hidden 2048, int8       98      116     124     **130**     129         115
    ======================  ======  ======  ======  ==========  ==========  ======

    So the number format does not matter on CPUs, and of two equal budgets the smaller one pads less.

    A GPU takes more pieces, because it waits 1.5 ms for each batch. fp16, sequences of 32 pieces, vectors copied to
    the host, NVIDIA H100, onnxruntime-gpu 1.31:

    ===================  =======  ===========  =======  =============  =========
    pieces per batch     1,024    4,096        8,192    16,384         65,536
    ===================  =======  ===========  =======  =============  =========
    hidden 768           467,000  979,000               **1,241,000**  1,322,000
    hidden 2048          156,000  **192,000**  195,000  194,000
    ===================  =======  ===========  =======  =============  =========

    Parameters
    ----------
    hidden_size
        The model's width.
    on_cpu
        If false, the graph runs on a GPU.
    """
    if not on_cpu:
        return _SMALL_MODEL_GPU_BATCH_PIECES if hidden_size < _XLARGE_HIDDEN_SIZE else _GPU_BATCH_PIECES
    return _SMALL_MODEL_BATCH_PIECES if hidden_size < _BASE_HIDDEN_SIZE else _BATCH_PIECES


@dataclass(frozen=True)
class BatchingOptions:
    """The size of a batch, the input of one forward pass.

    Attributes
    ----------
    pieces_per_batch
        Largest number of pieces in a batch, padding included; None for the best number for the model, see
        :func:`best_pieces_per_batch`.
    max_sequences
        Largest number of sequences in a batch; None for no limit.
    overhead_pieces
        Fixed cost of a batch, expressed in pieces; None for the measured cost on the device.

    Raises
    ------
    ParamError, ParamTypeError
        If a value is not an integer of at least 1, or of at least 0 for `overhead_pieces`.
    """

    pieces_per_batch: int | None = None
    max_sequences: int | None = None
    overhead_pieces: int | None = None

    def __post_init__(self) -> None:
        for name, minimum in (("pieces_per_batch", 1), ("max_sequences", 1), ("overhead_pieces", 0)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, checked_integer(name, value, minimum=minimum))

    def for_model(self, manifest: Manifest, *, on_cpu: bool = True) -> BatchingOptions:
        """Return these options for a model on a device, by default with the best budget and the overhead for it.

        A model that is not batch invariant always gets one sequence per batch.
        """
        best = best_pieces_per_batch(manifest.dimension, on_cpu=on_cpu)
        overhead = _BATCH_OVERHEAD_PIECES if on_cpu else _GPU_BATCH_OVERHEAD_PIECES
        return replace(
            self,
            pieces_per_batch=self.pieces_per_batch or best,
            max_sequences=self.max_sequences if manifest.batch_invariant else 1,
            overhead_pieces=overhead if self.overhead_pieces is None else self.overhead_pieces,
        )


def distinct(sequences: Sequence[Int64Array]) -> tuple[list[Int64Array], Int64Array]:
    """Return the distinct sequences, and for each given sequence its index among them.

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


def plan_batches(lengths: Int64Array, options: BatchingOptions) -> Iterator[Int64Array]:
    """Yield the indices of each batch's sequences, chosen so that the total cost is minimal.

    A batch costs its pieces, padding included, plus a fixed overhead (``options.overhead_pieces``, by default
    that of a CPU). So a batch ends before the budget does if the next sequences are much longer: filling every
    batch of 256 pieces pads 4 % of news sentences in groups of 5,500 pieces, this plan 1.5 %. The plan is optimal
    (dynamic programming over the sorted lengths). A sequence longer than the budget gets a batch of its own.

    Parameters
    ----------
    lengths
        int64 ``[sequences]``, the number of pieces of each sequence.
    options
        The size of a batch.

    Examples
    --------
    >>> options = BatchingOptions(pieces_per_batch=12)
    >>> [batch.tolist() for batch in plan_batches(np.array([3, 9, 4, 3]), options)]
    [[0, 3, 2], [1]]
    """
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    budget = options.pieces_per_batch or _BATCH_PIECES
    overhead = _BATCH_OVERHEAD_PIECES if options.overhead_pieces is None else options.overhead_pieces
    max_sequences = np.minimum(np.maximum(budget // np.maximum(ascending, 1), 1), options.max_sequences or len(order))
    # The cheapest plan of the first `stop` sequences ends with a batch from `starts[stop]` on; it costs `costs[stop]`.
    stops = np.arange(len(order) + 1)
    earliest = np.maximum(stops[1:] - max_sequences, 0).tolist()
    costs = np.zeros(len(order) + 1, dtype=np.int64)
    starts = np.zeros(len(order) + 1, dtype=np.int64)
    for stop, longest in enumerate(ascending.tolist(), start=1):
        first = earliest[stop - 1]
        candidates = costs[first:stop] - stops[first:stop] * longest
        cheapest = int(candidates.argmin())
        starts[stop] = first + cheapest
        costs[stop] = candidates[cheapest] + stop * longest + overhead
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
