"""Batches of texts: texts of similar length, repeated short texts, texts that share words, and changed texts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from sparkalbert.arrays import BoolArray, Int64Array
from sparkalbert.distill.encoded import MAX_PIECES, NUM_SPECIAL, EncodedTexts, joined_ranges

__all__ = ["Batch", "BatchOptions", "Batches"]

_MAX_SHORT_WORDS = 2
# Batches of texts that share words hold texts of at most 40 pieces, up to 8 for each word, and words that are in 4 to
# 4,000 texts.
_SHARING_MAX_PIECES = 40
_SHARING_TEXTS_PER_WORD = 8
_SHARING_MIN_USES, _SHARING_MAX_USES = 4, 4000
# Words that occur more often in a batch are mostly articles and prepositions.
_MAX_REPEATS = 16
# An exchanged chunk adds at most two pieces, so that the texts of both models stay below 512 pieces.
_MAX_EXCHANGED_PIECES = 3
# GPUs are faster at widths that are multiples of 8.
_WIDTH_STEP = 8


@dataclass(frozen=True)
class BatchOptions:
    """The contents of batches.

    Attributes
    ----------
    max_pieces, max_texts
        Largest number of pieces (padding included) and texts in a batch, before texts are changed.
    short_repeats
        How often texts of one or two words are repeated. They are cheap, and users often embed single words.
    repeated_share
        Share of batches whose texts share words, so that the loss compares several uses of a word.
    changed_share
        Share of texts that are changed: cut at random chunks, or with some chunks exchanged for others of the corpus,
        frequent ones more often. The teacher embeds the changed text, so it need not make sense, and the student meets
        words in more contexts than the corpus has.
    exchanged_share
        Share of chunks that are exchanged in such a text.
    sample_words
        Number of words of a batch whose cosines are compared.
    """

    max_pieces: int = 4096
    max_texts: int = 768
    short_repeats: int = 2
    repeated_share: float = 0.2
    changed_share: float = 0.0
    exchanged_share: float = 0.2
    sample_words: int = 768

    @property
    def max_text_pieces(self) -> int:
        """Largest number of the student's pieces in a text after texts are changed, with special pieces and padding."""
        per_chunk = _MAX_EXCHANGED_PIECES if self.changed_share else 1
        return _padded_width(per_chunk * (MAX_PIECES - NUM_SPECIAL))


@dataclass(frozen=True)
class Batch:
    """Padded texts as tensors, for the student and the teacher.

    Attributes
    ----------
    ids, mask
        int64 and bool ``[texts, pieces]``: the student's pieces; False for padding.
    teacher_ids, teacher_mask
        The same for the teacher.
    word_rows, word_positions
        int64 ``[words]``: the text of each word, and the position of its first piece in it.
    word_pieces
        int64 ``[words]``, the id of each word's first piece.
    teacher_starts, teacher_stops
        int64 ``[words]``: the range of each word's pieces in the teacher's row of its text.
    sample
        int64: the indices of the words whose cosines are compared; half of them are repeated words.
    """

    ids: Tensor
    mask: Tensor
    teacher_ids: Tensor
    teacher_mask: Tensor
    word_rows: Tensor
    word_positions: Tensor
    word_pieces: Tensor
    teacher_starts: Tensor
    teacher_stops: Tensor
    sample: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))


class Batches:
    """Divides texts into batches.

    Parameters
    ----------
    texts
        The texts.
    options
        The contents of batches.
    """

    def __init__(self, texts: EncodedTexts, options: BatchOptions) -> None:
        self._texts, self._options = texts, options
        self._chunk_starts = _starts(texts.chunk_counts)
        self._student = _Pieces(texts.ids, texts.counts, _starts(texts.counts), texts.special[:2])
        self._teacher = _Pieces(
            texts.teacher_ids, texts.teacher_counts, _starts(texts.teacher_counts), texts.special[2:]
        )
        self._word_starts = _starts(texts.word_counts)
        self._lengths = texts.sums(texts.counts) + 2
        self._short = np.flatnonzero(texts.sums(texts.word_counts) <= _MAX_SHORT_WORDS)
        # A chunk is chosen by the square root of its count, and never if it has no word or makes a text much longer.
        longest = np.maximum(texts.counts, texts.teacher_counts)
        usable = (texts.word_counts > 0) & (longest <= _MAX_EXCHANGED_PIECES)
        self._chunk_weights = np.cumsum(np.sqrt(np.bincount(texts.chunks, minlength=len(usable)) * usable))
        self._sharing = _SharedWords(texts, self._lengths)

    def epoch(self, *seed: int) -> Iterator[Batch]:
        """Yield every text once, in batches of similar length and random order, with the additions of the options."""
        for index, group in enumerate(self.groups(*seed)):
            yield self.batch(group, *seed, index)

    def stream(self, *seed: int, workers: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch after the other without end, the same for any number of workers.

        Parameters
        ----------
        *seed
            Seed of everything random.
        workers
            Number of processes that assemble batches; 0 assembles them in this process.
        """
        return iter(DataLoader(_Stream(self, seed), batch_size=None, num_workers=workers))

    def groups(self, *seed: int) -> list[Int64Array]:
        """Return the texts of each batch of an epoch."""
        options, random = self._options, np.random.default_rng(seed)
        groups = self._groups(np.arange(len(self._lengths)), random)
        for _ in range(options.short_repeats):
            groups += self._groups(self._short, random)
        groups += self._sharing.groups(round(options.repeated_share * len(groups)), options.max_pieces, random)
        return [groups[position] for position in random.permutation(len(groups))]

    def _groups(self, texts: Int64Array, random: np.random.Generator) -> list[Int64Array]:
        """Return groups of texts of similar length, each filled to the size of a batch."""
        options = self._options
        order = texts[np.argsort(self._lengths[texts] * random.uniform(0.9, 1.1, len(texts)), kind="stable")]
        groups: list[Int64Array] = []
        start = 0
        while start < len(order):
            candidates = order[start : start + options.max_texts]
            longest = np.maximum.accumulate(self._lengths[candidates])
            fitting = np.count_nonzero(longest * np.arange(1, len(candidates) + 1) <= options.max_pieces)
            groups.append(candidates[: max(1, fitting)])
            start += len(groups[-1])
        return groups

    def _changed(
        self, chunks: Int64Array, counts: npt.NDArray[np.int32], random: np.random.Generator
    ) -> tuple[Int64Array, npt.NDArray[np.int32]]:
        """Return the chunks and their numbers, with a share of the texts cut or with other chunks."""
        starts = _starts(counts)
        texts = random.random(len(counts)) < self._options.changed_share
        cut = texts & (random.random(len(counts)) < 0.5)  # noqa: PLR2004 - one half is cut, the other exchanged
        exchanged = np.repeat(texts & ~cut, counts) & (random.random(len(chunks)) < self._options.exchanged_share)
        if not self._chunk_weights[-1]:  # no chunk of the corpus can be exchanged for others
            exchanged[:] = False
        choices = random.random(np.count_nonzero(exchanged)) * self._chunk_weights[-1]
        chunks[exchanged] = np.searchsorted(self._chunk_weights, choices, side="right")
        bounds = np.sort(random.integers(0, counts + 1, (2, len(counts))), axis=0)
        positions = np.arange(len(chunks)) - np.repeat(starts, counts)
        inside = (positions >= np.repeat(bounds[0], counts)) & (positions < np.repeat(bounds[1], counts))
        cut &= np.add.reduceat(self._texts.word_counts[chunks] * inside, starts) > 0
        kept = inside | ~np.repeat(cut, counts)
        return chunks[kept], np.add.reduceat(kept, starts, dtype=np.int32)

    def batch(self, group: Int64Array, *seed: int) -> Batch:
        """Return a batch of texts, a share of them changed."""
        texts, random = self._texts, np.random.default_rng(seed)
        counts = texts.chunk_counts[group]
        chunks = texts.chunks[joined_ranges(self._chunk_starts[group], counts)].astype(np.int64)
        if self._options.changed_share:
            chunks, counts = self._changed(chunks, counts, random)
        rows = np.repeat(np.arange(len(group)), counts)
        ids, mask, starts = self._student.padded(chunks, rows)
        teacher_ids, teacher_mask, teacher_starts = self._teacher.padded(chunks, rows)
        word_counts = texts.word_counts[chunks]
        words = joined_ranges(self._word_starts[chunks], word_counts)
        owners = np.repeat(np.arange(len(chunks)), word_counts)
        positions = starts[owners] + texts.first_pieces[words]
        pieces = ids[rows[owners], positions]
        arrays = (
            *(ids, mask, teacher_ids, teacher_mask, rows[owners], positions, pieces),
            *(teacher_starts[owners] + ends[words] for ends in (texts.teacher_starts, texts.teacher_stops)),
            sample_words(pieces, self._options.sample_words, random),
        )
        return Batch(*map(torch.from_numpy, arrays))


class _Stream(IterableDataset[Batch]):  # type: ignore[misc]
    """The batches of all epochs; each of n workers assembles every n-th batch."""

    def __init__(self, batches: Batches, seed: tuple[int, ...]) -> None:
        self._batches, self._seed = batches, seed

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        own, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        position = 0
        for epoch in itertools.count():
            for index, group in enumerate(self._batches.groups(*self._seed, epoch)):
                if position % workers == own:
                    yield self._batches.batch(group, *self._seed, epoch, index)
                position += 1


@dataclass(frozen=True)
class _Pieces:
    """The pieces of every chunk for one of the two models."""

    ids: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    starts: Int64Array
    special: npt.NDArray[np.int32]

    def padded(self, chunks: Int64Array, rows: Int64Array) -> tuple[Int64Array, BoolArray, Int64Array]:
        """Return padded rows of ids with special pieces, their mask, and the position of each chunk in its row."""
        counts = self.counts[chunks]
        lengths = np.bincount(rows, weights=counts).astype(np.int64)
        width = _padded_width(int(lengths.max()))
        columns = np.arange(width)
        padded = np.zeros((len(lengths), width), dtype=np.int64)
        padded[(columns > 0) & (columns <= lengths[:, None])] = self.ids[joined_ranges(self.starts[chunks], counts)]
        padded[:, 0] = self.special[0]
        padded[np.arange(len(lengths)), lengths + 1] = self.special[1]
        return padded, columns < lengths[:, None] + 2, _starts(counts) - _starts(lengths)[rows] + 1


def _padded_width(pieces: int) -> int:
    """Return the width of a row for a number of pieces without the special pieces."""
    return -(-(pieces + NUM_SPECIAL) // _WIDTH_STEP) * _WIDTH_STEP


def _starts(counts: npt.NDArray[np.integer]) -> Int64Array:
    starts: Int64Array = np.cumsum(counts, dtype=np.int64) - counts
    return starts


def sample_words(pieces: Int64Array, size: int, random: np.random.Generator) -> Int64Array:
    """Return the indices of words whose cosines are compared; half of them are repeated words.

    Parameters
    ----------
    pieces
        int64 ``[words]``, each word's first piece.
    size
        Largest size of the sample.
    random
        The random number generator.
    """
    _, kinds, counts = np.unique(pieces, return_inverse=True, return_counts=True)
    keys = random.random(len(counts))
    keys[(counts < 2) | (counts > _MAX_REPEATS)] += 1  # noqa: PLR2004 - two are a pair
    grouped = np.argsort(keys[kinds], kind="stable")
    half = size // 2
    return np.concatenate([grouped[:half], random.permutation(grouped[half:])[: size - half]])


class _SharedWords:
    """The texts that contain each word, for words in neither too few nor too many texts."""

    def __init__(self, texts: EncodedTexts, lengths: Int64Array) -> None:
        owners = np.repeat(np.arange(len(texts.counts)), texts.word_counts)
        firsts = texts.ids[_starts(texts.counts)[owners] + texts.first_pieces]
        counts = texts.word_counts[texts.chunks]
        starts = _starts(texts.word_counts)[texts.chunks]
        rows = np.repeat(np.repeat(np.arange(len(lengths)), texts.chunk_counts), counts)
        words = firsts[joined_ranges(starts, counts)]
        fitting = (lengths <= _SHARING_MAX_PIECES) & (texts.sums(texts.word_counts) > _MAX_SHORT_WORDS)
        rows, words = rows[fitting[rows]], words[fitting[rows]]
        order = np.argsort(words, kind="stable")
        _, firsts, uses = np.unique(words[order], return_index=True, return_counts=True)
        usable = (uses >= _SHARING_MIN_USES) & (uses <= _SHARING_MAX_USES)
        self._rows, self._firsts, self._uses = rows[order], firsts[usable], uses[usable]

    def groups(self, number: int, max_pieces: int, random: np.random.Generator) -> list[Int64Array]:
        """Return groups of texts that share words: several texts with one word, several with the next, and so on.

        A word is chosen by the square root of its number of uses: frequent words have more senses.
        """
        if not len(self._uses):
            return []
        size = max_pieces // _SHARING_MAX_PIECES
        weights = np.sqrt(self._uses)
        groups: list[Int64Array] = []
        for _ in range(number):
            words = random.choice(len(weights), math.ceil(size / _SHARING_MIN_USES), p=weights / weights.sum())
            # Texts are in random order, so that successive uses are as good as random ones.
            uses = random.integers(0, self._uses[words])[:, None] + np.arange(_SHARING_TEXTS_PER_WORD)
            texts = self._rows[(self._firsts[words][:, None] + uses % self._uses[words][:, None]).ravel()]
            _, first_uses = np.unique(texts, return_index=True)
            groups.append(texts[np.sort(first_uses)][:size])
        return groups
