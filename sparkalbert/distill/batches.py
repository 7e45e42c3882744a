"""Batches of texts: texts of similar length, repeated short texts, and texts that share words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sparkalbert.arrays import Int64Array
from sparkalbert.distill.targets import Shard

__all__ = ["Batch", "BatchOptions", "batches_of"]

_MAX_SHORT_WORDS = 2
# Batches of texts that share words hold texts of at most 40 pieces, up to 8 for each word, and words that are in 4 to
# 400 texts of the shard.
_SHARING_MAX_PIECES = 40
_SHARING_TEXTS_PER_WORD = 8
_SHARING_MIN_USES, _SHARING_MAX_USES = 4, 400


@dataclass(frozen=True)
class BatchOptions:
    """The contents of batches.

    Attributes
    ----------
    max_pieces, max_texts
        Largest number of pieces (padding included) and texts in a batch.
    short_repeats
        How often texts of one or two words are repeated. They are cheap, and users often embed single words.
    repeated_share
        Share of batches whose texts share words, so that the loss compares several uses of a word.
    """

    max_pieces: int = 4096
    max_texts: int = 768
    short_repeats: int = 2
    repeated_share: float = 0.2


@dataclass(frozen=True)
class Batch:
    """Padded texts and their targets as tensors.

    Attributes
    ----------
    ids
        int64 ``[texts, pieces]``.
    mask
        bool ``[texts, pieces]``, False for padding.
    word_rows, word_positions
        int64 ``[words]``: the text of each word, and the position of its first piece in it.
    word_pieces
        int64 ``[words]``, the id of each word's first piece.
    word_vectors
        float32 ``[words, hidden_size]``, the teacher's.
    sentences
        float32 ``[texts, teacher dimension]``, the teacher's.
    """

    ids: Tensor
    mask: Tensor
    word_rows: Tensor
    word_positions: Tensor
    word_pieces: Tensor
    word_vectors: Tensor
    sentences: Tensor


def batches_of(shard: Shard, options: BatchOptions, random: np.random.Generator) -> Iterator[Batch]:
    """Yield a shard's texts in batches of similar length, in random order."""
    groups = _groups(np.arange(len(shard.lengths)), shard.lengths, options, random)
    short = np.flatnonzero(shard.word_counts <= _MAX_SHORT_WORDS)
    for _ in range(options.short_repeats):
        groups += _groups(short, shard.lengths, options, random)
    groups += _sharing_groups(shard, round(options.repeated_share * len(groups)), options, random)
    piece_starts = np.concatenate([[0], np.cumsum(shard.lengths)])
    word_starts = np.concatenate([[0], np.cumsum(shard.word_counts)])
    for position in random.permutation(len(groups)):
        yield _batch(shard, groups[position], piece_starts, word_starts)


def _groups(
    texts: Int64Array,
    lengths: npt.NDArray[np.int32],
    options: BatchOptions,
    random: np.random.Generator,
) -> list[Int64Array]:
    """Return groups of texts of similar length, each filled to the size of a batch."""
    order = texts[np.argsort(lengths[texts] * random.uniform(0.8, 1.25, len(texts)), kind="stable")]
    groups: list[Int64Array] = []
    start = 0
    while start < len(order):
        stop, longest = start, 0
        while stop < len(order) and stop - start < options.max_texts:
            longest = max(longest, int(lengths[order[stop]]))
            if longest * (stop + 1 - start) > options.max_pieces and stop > start:
                break
            stop += 1
        groups.append(order[start:stop])
        start = stop
    return groups


def _sharing_groups(shard: Shard, number: int, options: BatchOptions, random: np.random.Generator) -> list[Int64Array]:
    """Return groups of texts that share words: several texts with one word, several with the next, and so on."""
    texts = np.repeat(np.arange(len(shard.lengths)), shard.word_counts)
    starts = np.repeat(np.cumsum(shard.lengths) - shard.lengths, shard.word_counts)
    words = shard.ids[starts + shard.first_pieces]
    fitting = (shard.lengths[texts] <= _SHARING_MAX_PIECES) & (shard.word_counts[texts] > _MAX_SHORT_WORDS)
    texts, words = texts[fitting], words[fitting]
    order = np.argsort(words, kind="stable")
    _, firsts, counts = np.unique(words[order], return_index=True, return_counts=True)
    usable = np.flatnonzero((counts >= _SHARING_MIN_USES) & (counts <= _SHARING_MAX_USES))
    size = options.max_pieces // _SHARING_MAX_PIECES
    if not len(usable):
        return []
    groups: list[Int64Array] = []
    for _ in range(number):
        chosen = [
            random.permutation(texts[order[firsts[word] : firsts[word] + counts[word]]])[:_SHARING_TEXTS_PER_WORD]
            for word in random.choice(usable, math.ceil(size / _SHARING_MIN_USES))
        ]
        _, first_uses = np.unique(np.concatenate(chosen), return_index=True)
        groups.append(np.concatenate(chosen)[np.sort(first_uses)][:size])
    return groups


def _batch(
    shard: Shard,
    texts: Int64Array,
    piece_starts: Int64Array,
    word_starts: Int64Array,
) -> Batch:
    lengths, counts = shard.lengths[texts], shard.word_counts[texts]
    ids = np.zeros((len(texts), int(lengths.max())), dtype=np.int64)
    mask = np.arange(ids.shape[1]) < lengths[:, None]
    ids[mask] = shard.ids[_flat(piece_starts[texts], lengths)]
    words = _flat(word_starts[texts], counts)
    rows, positions = np.repeat(np.arange(len(texts)), counts), shard.first_pieces[words].astype(np.int64)
    return Batch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        word_rows=torch.from_numpy(rows),
        word_positions=torch.from_numpy(positions),
        word_pieces=torch.from_numpy(ids[rows, positions]),
        word_vectors=torch.from_numpy(shard.word_vectors[words].astype(np.float32)),
        sentences=torch.from_numpy(shard.sentences[texts].astype(np.float32)),
    )


def _flat(starts: Int64Array, counts: npt.NDArray[np.int32]) -> Int64Array:
    """Return the indices of several ranges, joined."""
    stops = np.cumsum(counts)
    indices: Int64Array = np.arange(stops[-1]) + np.repeat(starts - (stops - counts), counts)
    return indices
