"""The training loop: batches of texts of similar length, what the loss asks, a schedule that ends on time.

The loss asks that each word's vector (its first piece) points where the teacher's vector of that word
points, that the mean of a text's word vectors points where the teacher's text vector points, and that
cosines between words and between texts of a batch are the teacher's. All of it is asked of the vectors
themselves, after a fixed projection of the teacher's: a learned head in between takes over a part of the
geometry and leaves it out of the vectors. It knows nothing about files of texts or vocabularies.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from sparkalbert.distill.student import Student, save_student
from sparkalbert.distill.targets import Shard, TargetCache

__all__ = ["Batch", "TrainingOptions", "batches_of", "losses", "sample_words", "train"]

_log = logging.getLogger(__name__)

# A longer step means that the process was suspended, which is no training.
_LONGEST_STEP_S = 30.0
_SHORT_WORDS = 2
# Words that occur more often in a batch are mostly articles and prepositions.
_MOST_REPEATS = 16


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast.

    Attributes
    ----------
    budget_minutes
        Wall time of the whole training, over all resumed runs; the learning rate is 0 at its end.
    learning_rate
        Peak of the schedule: linear warm-up, then cosine.
    warmup_minutes
        Length of the warm-up.
    weight_decay
        Of weight matrices.
    batch_pieces, batch_texts
        Most pieces (padding included) and texts in a batch.
    similarity_words
        Words of a batch whose cosines are compared.
    shift_share
        Share of batches whose texts start at random positions, so that all positions are learned.
    save_minutes
        Time between states on disk.
    short_repeats
        How often texts of one or two words come again; they are cheap, and words alone are asked for.
    embedding_share
        Share of the time in which the embeddings learn alone, without the layer.
    seed
        Decides order and positions.
    """

    budget_minutes: float = 60.0
    learning_rate: float = 1.2e-3
    warmup_minutes: float = 1.0
    weight_decay: float = 0.01
    batch_pieces: int = 4096
    batch_texts: int = 384
    similarity_words: int = 768
    shift_share: float = 0.25
    save_minutes: float = 4.0
    short_repeats: int = 3
    embedding_share: float = 0.08
    seed: int = 0


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


def batches_of(shard: Shard, options: TrainingOptions, random: np.random.Generator) -> Iterator[Batch]:
    """Yield a shard's texts in batches of similar length, in random order."""
    groups = _groups(np.arange(len(shard.lengths)), shard.lengths, options, random)
    short = np.flatnonzero(shard.word_counts <= _SHORT_WORDS)
    for _ in range(options.short_repeats):
        groups += _groups(short, shard.lengths, options, random)
    piece_starts = np.concatenate([[0], np.cumsum(shard.lengths)])
    word_starts = np.concatenate([[0], np.cumsum(shard.word_counts)])
    for position in random.permutation(len(groups)):
        yield _batch(shard, groups[position], piece_starts, word_starts)


def _groups(
    texts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    options: TrainingOptions,
    random: np.random.Generator,
) -> list[npt.NDArray[np.int64]]:
    """Return texts of similar length together, as many as a batch may hold."""
    order = texts[np.argsort(lengths[texts] * random.uniform(0.8, 1.25, len(texts)), kind="stable")]
    groups: list[npt.NDArray[np.int64]] = []
    start = 0
    while start < len(order):
        stop, longest = start, 0
        while stop < len(order) and stop - start < options.batch_texts:
            longest = max(longest, int(lengths[order[stop]]))
            if longest * (stop + 1 - start) > options.batch_pieces and stop > start:
                break
            stop += 1
        groups.append(order[start:stop])
        start = stop
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


def sample_words(pieces: Tensor, size: int) -> Tensor:
    """Return which words have their cosines compared: half of them chosen so that words repeat.

    Parameters
    ----------
    pieces
        int64 ``[words]``, each word's first piece.
    size
        How many to choose.
    """
    _, kinds, counts = torch.unique(pieces, return_inverse=True, return_counts=True)
    keys = torch.rand(len(counts), device=pieces.device)
    keys[(counts < 2) | (counts > _MOST_REPEATS)] += 1  # noqa: PLR2004 - two are a pair
    together = torch.argsort(keys[kinds], stable=True)
    half = min(size // 2, len(pieces))
    rest = together[half:]
    return torch.cat([together[:half], rest[torch.randperm(len(rest), device=rest.device)[: size - half]]])


def losses(words: Tensor, batch: Batch, projection: Tensor, sample: Tensor) -> dict[str, Tensor]:
    """Return the parts of the loss.

    Parameters
    ----------
    words
        ``[words, hidden_size]``, the student's vectors.
    batch
        The targets.
    projection
        ``[teacher dimension, hidden_size]``.
    sample
        Which words take part in the comparison of cosines.
    """
    texts = len(batch.sentences)
    counts = torch.bincount(batch.word_rows, minlength=texts).clamp(min=1)
    means = torch.zeros(texts, words.shape[1], dtype=words.dtype, device=words.device)
    means = means.index_add(0, batch.word_rows, words) / counts[:, None]
    told = batch.sentences @ projection
    word_cosine = functional.cosine_similarity(words, batch.word_vectors).mean()
    text_cosine = functional.cosine_similarity(means, told).mean()
    word_errors = _similarity_errors(words[sample], batch.word_vectors[sample])
    return {
        "word": 1 - word_cosine,
        "text": 1 - text_cosine,
        "word_similarity": word_errors.mean(),
        "same_word": _same_word_error(word_errors, batch.word_pieces[sample]),
        "text_similarity": _similarity_errors(means, batch.sentences).mean(),
    }


def _similarity_errors(found: Tensor, told: Tensor) -> Tensor:
    """Return the squared differences of cosines between all rows."""
    found, told = functional.normalize(found, dim=1), functional.normalize(told, dim=1)
    return (found @ found.T - told @ told.T).square()


def _same_word_error(errors: Tensor, pieces: Tensor) -> Tensor:
    """Return the mean error between a word and its other occurrences: what context makes of it."""
    same = (pieces[:, None] == pieces[None, :]).float().fill_diagonal_(0)
    mates = same.sum(dim=1)
    return ((errors * same).sum(dim=1) / mates.clamp(min=1)).sum() / (mates > 0).sum().clamp(min=1)


# Rows of the table are seen rarely and are of unit spread, so they take larger steps.
_PIECES_SCALE = 3.0
_WEIGHTS = {"word": 1.0, "text": 1.0, "word_similarity": 20.0, "same_word": 4.0, "text_similarity": 60.0}


def train(
    student: Student,
    cache: TargetCache,
    projection: npt.NDArray[np.float32],
    folder: Path,
    options: TrainingOptions,
) -> None:
    """Train a student and leave its checkpoint in `folder`; goes on where an earlier run stopped."""
    run = _Run(student, projection, folder, options)
    run.resume()
    while not run.finished:
        run.learn(cache.shard(run.shard % len(cache)))
    run.save()


class _Run:
    def __init__(
        self, student: Student, projection: npt.NDArray[np.float32], folder: Path, options: TrainingOptions
    ) -> None:
        self.device = next(student.parameters()).device
        self.student = student
        self.projection = torch.from_numpy(projection).to(self.device)
        self.folder, self.options = folder, options
        self.optimizer = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.98), fused=True)
        self.shard = self.step = 0
        self.spent_s = 0.0
        self.means: dict[str, float] = {}

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Return the optimizer's groups; `scale` is the share of the learning rate each takes."""
        table = self.student.pieces.weight
        rest = [value for value in self._parameters() if value is not table]
        return [
            {"params": [table], "weight_decay": 0.0, "scale": _PIECES_SCALE},
            {
                "params": [value for value in rest if value.ndim > 1],
                "weight_decay": self.options.weight_decay,
                "scale": 1.0,
            },
            {"params": [value for value in rest if value.ndim == 1], "weight_decay": 0.0, "scale": 1.0},
        ]

    @property
    def finished(self) -> bool:
        return self.spent_s >= 60 * self.options.budget_minutes

    @property
    def loops(self) -> int | None:
        alone = self.spent_s < 60 * self.options.budget_minutes * self.options.embedding_share
        return 0 if alone else None

    def learn(self, shard: Shard) -> None:
        """Take one step a batch of a shard; a shard that is not finished is begun again on resuming."""
        random = np.random.default_rng((self.options.seed, self.shard))
        torch.manual_seed(self.options.seed + self.shard)
        last = time.monotonic()
        for batch in batches_of(shard, self.options, random):
            self._step(batch, random)
            now = time.monotonic()
            self.spent_s += min(now - last, _LONGEST_STEP_S)
            last = now
            if self.step % 50 == 0:
                self._report()
            if self.finished:
                return
        self.shard += 1
        if time.monotonic() - self.saved > 60 * self.options.save_minutes:
            self.save()

    def _step(self, batch: Batch, random: np.random.Generator) -> None:
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        starts = None
        if random.random() < self.options.shift_share:
            room = self.student.config.max_position_embeddings - batch.ids.shape[1]
            starts = torch.from_numpy(random.integers(0, room + 1, len(batch.ids))).to(self.device)
        batch = Batch(*(getattr(batch, name).to(self.device) for name in Batch.__dataclass_fields__))
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            hidden = self.student(batch.ids, batch.mask, starts, self.loops)
        places = batch.word_rows * batch.ids.shape[1] + batch.word_places
        words = functional.embedding(places, hidden.flatten(0, 1)).float()
        size = min(len(words), self.options.similarity_words)
        sample = sample_words(batch.word_pieces, size)
        parts = losses(words, batch, self.projection, sample)
        loss = sum(
            (_WEIGHTS[name] * value for name, value in parts.items()), torch.zeros((), device=self.device)
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        for name, value in parts.items():
            self.means[name] = 0.98 * self.means.get(name, value.item()) + 0.02 * value.item()

    def _rate(self) -> float:
        minutes = self.spent_s / 60
        begun = 0.0 if self.loops == 0 else self.options.budget_minutes * self.options.embedding_share
        rise = min(1.0, (minutes - begun + 0.02) / self.options.warmup_minutes)
        done = min(1.0, minutes / self.options.budget_minutes)
        return self.options.learning_rate * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def _parameters(self) -> list[nn.Parameter]:
        return list(self.student.parameters())

    def _report(self) -> None:
        shown = " ".join(f"{name} {value:.4f}" for name, value in self.means.items())
        _log.info(
            "step %d shard %d %.1f of %.0f min: %s",
            self.step,
            self.shard,
            self.spent_s / 60,
            self.options.budget_minutes,
            shown,
        )

    def _state(self) -> dict[str, Any]:
        return {
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "shard": self.shard,
            "step": self.step,
            "spent_s": self.spent_s,
        }

    def save(self) -> None:
        """Write the state to go on from and the checkpoint as it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / "state.unfinished"
        torch.save(self._state(), unfinished)
        os.replace(unfinished, self.folder / "state.pt")  # noqa: PTH105 - atomic, and says so
        save_student(self.student, self.folder)
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Take up the state of an earlier run, where there is one."""
        self.saved = time.monotonic()
        path = self.folder / "state.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.shard, self.step, self.spent_s = state["shard"], state["step"], state["spent_s"]
        _log.info("going on after step %d", self.step)
