"""Batches: texts of similar length together, short texts again, and texts that share words.

It knows nothing about the student or the loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sparkalbert.distill.targets import Shard

__all__ = ["Batch", "BatchOptions", "batches_of"]

_SHORT_WORDS = 2
# A batch for comparing uses of words: texts of at most so many pieces, so many of each word, whose word
# is in so many texts of the shard.
_REPEATED_PIECES = 40
_REPEATED_TEXTS = 8
_REPEATED_USES = (4, 400)


@dataclass(frozen=True)
class BatchOptions:
    """What a batch holds.

    Attributes
    ----------
    most_pieces, most_texts
        Most pieces (padding included) and texts in a batch.
    short_repeats
        How often texts of one or two words come again; they are cheap, and words alone are asked for.
    repeated_share
        Share of the batches that are made of texts that share words, so that uses of one word meet.
    """

    most_pieces: int = 4096
    most_texts: int = 768
    short_repeats: int = 2
    repeated_share: float = 0.2


@dataclass(frozen=True)
class Batch:
    """Padded texts and their targets as tensors."""

    ids: Tensor
    mask: Tensor
    word_rows: Tensor
    word_places: Tensor
    word_pieces: Tensor
    word_vectors: Tensor
    sentences: Tensor


def batches_of(shard: Shard, options: BatchOptions, random: np.random.Generator) -> Iterator[Batch]:
    """Yield a shard's texts in batches of similar length, in random order."""
    groups = _groups(np.arange(len(shard.lengths)), shard.lengths, options, random)
    short = np.flatnonzero(shard.word_counts <= _SHORT_WORDS)
    for _ in range(options.short_repeats):
        groups += _groups(short, shard.lengths, options, random)
    groups += _repeated(shard, round(options.repeated_share * len(groups)), options, random)
    piece_starts = np.concatenate([[0], np.cumsum(shard.lengths)])
    word_starts = np.concatenate([[0], np.cumsum(shard.word_counts)])
    for position in random.permutation(len(groups)):
        yield _batch(shard, groups[position], piece_starts, word_starts)


def _groups(
    texts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    options: BatchOptions,
    random: np.random.Generator,
) -> list[npt.NDArray[np.int64]]:
    """Return texts of similar length together, as many as a batch may hold."""
    order = texts[np.argsort(lengths[texts] * random.uniform(0.8, 1.25, len(texts)), kind="stable")]
    groups: list[npt.NDArray[np.int64]] = []
    start = 0
    while start < len(order):
        stop, longest = start, 0
        while stop < len(order) and stop - start < options.most_texts:
            longest = max(longest, int(lengths[order[stop]]))
            if longest * (stop + 1 - start) > options.most_pieces and stop > start:
                break
            stop += 1
        groups.append(order[start:stop])
        start = stop
    return groups


def _repeated(
    shard: Shard, number: int, options: BatchOptions, random: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """Return groups of texts that share words: some texts of one word, some of the next, and so on."""
    texts = np.repeat(np.arange(len(shard.lengths)), shard.word_counts)
    starts = np.repeat(np.cumsum(shard.lengths) - shard.lengths, shard.word_counts)
    words = shard.ids[starts + shard.first_pieces]
    fitting = (shard.lengths[texts] <= _REPEATED_PIECES) & (shard.word_counts[texts] > _SHORT_WORDS)
    texts, words = texts[fitting], words[fitting]
    order = np.argsort(words, kind="stable")
    _, begins, counts = np.unique(words[order], return_index=True, return_counts=True)
    kinds = np.flatnonzero((counts >= _REPEATED_USES[0]) & (counts <= _REPEATED_USES[1]))
    size = options.most_pieces // _REPEATED_PIECES
    if not len(kinds):
        return []
    groups: list[npt.NDArray[np.int64]] = []
    for _ in range(number):
        chosen = [
            random.permutation(texts[order[begins[kind] : begins[kind] + counts[kind]]])[:_REPEATED_TEXTS]
            for kind in random.choice(kinds, math.ceil(size / _REPEATED_USES[0]))
        ]
        _, firsts = np.unique(np.concatenate(chosen), return_index=True)
        groups.append(np.concatenate(chosen)[np.sort(firsts)][:size])
    return groups


def _batch(
    shard: Shard,
    chosen: npt.NDArray[np.int64],
    piece_starts: npt.NDArray[np.int64],
    word_starts: npt.NDArray[np.int64],
) -> Batch:
    lengths, counts = shard.lengths[chosen], shard.word_counts[chosen]
    ids = np.zeros((len(chosen), int(lengths.max())), dtype=np.int64)
    mask = np.arange(ids.shape[1]) < lengths[:, None]
    ids[mask] = shard.ids[_flat(piece_starts[chosen], lengths)]
    words = _flat(word_starts[chosen], counts)
    rows, places = np.repeat(np.arange(len(chosen)), counts), shard.first_pieces[words].astype(np.int64)
    return Batch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        word_rows=torch.from_numpy(rows),
        word_places=torch.from_numpy(places),
        word_pieces=torch.from_numpy(ids[rows, places]),
        word_vectors=torch.from_numpy(shard.word_vectors[words].astype(np.float32)),
        sentences=torch.from_numpy(shard.sentences[chosen].astype(np.float32)),
    )


def _flat(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the indices of several ranges, one after the other."""
    ends = np.cumsum(counts)
    indices: npt.NDArray[np.int64] = np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)
    return indices
