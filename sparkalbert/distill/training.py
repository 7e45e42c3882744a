"""The training loop: one step a batch, a schedule that ends on time, a state to go on from.

It knows nothing about files of texts or vocabularies.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sparkalbert.distill.batches import Batch, BatchOptions, batches_of
from sparkalbert.distill.losses import losses, sample_words, word_vectors
from sparkalbert.distill.student import Student, save_student
from sparkalbert.distill.targets import Shard, TargetCache

__all__ = ["Report", "TrainingOptions", "TrainingProgress", "train"]

_log = logging.getLogger(__name__)

_LOG_EVERY = 50


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast.

    Attributes
    ----------
    budget_minutes
        Wall time of the whole training, over all resumed runs; the learning rate is 0 at its end. All of
        it counts, the teacher's answers and a suspended process too, so that a run ends when it was told
        to.
    steps
        Length of the training in steps, where the same seed shall give the same weights; `budget_minutes`
        does not count then.
    learning_rate
        Peak of the schedule: linear warm-up, then cosine.
    warmup_share
        Length of the warm-up, as a share of the training.
    weight_decay
        Of weight matrices.
    similarity_words
        Words of a batch whose cosines are compared.
    shift_share
        Share of batches whose texts start at random positions, so that all positions are learned.
    save_minutes
        Time between states on disk.
    embedding_share
        Share of the training in which the embeddings learn alone, without the layer.
    batches
        What a batch holds.
    compiled
        Whether the student is compiled, which takes a C++ compiler and a minute, and halves each step.
    seed
        Decides order and positions.
    """

    budget_minutes: float = 60.0
    steps: int | None = None
    learning_rate: float = 1e-3
    warmup_share: float = 0.015
    weight_decay: float = 0.01
    similarity_words: int = 768
    shift_share: float = 0.25
    save_minutes: float = 4.0
    embedding_share: float = 0.06
    batches: BatchOptions = field(default_factory=BatchOptions)
    compiled: bool = False
    seed: int = 0


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is.

    Attributes
    ----------
    step
        Steps taken, over all resumed runs.
    done
        What share of the training is done.
    spent_s
        Time spent, over all resumed runs.
    loss
        The parts of the loss by name, averaged over the last 50 steps or so.
    """

    step: int
    done: float
    spent_s: float
    loss: dict[str, float]


Report = Callable[[TrainingProgress], None]
"""Is told after every step."""


# Rows of the table are seen rarely and are of unit spread, so they take larger steps.
_PIECES_SCALE = 3.0
_WEIGHTS = {
    "word": 1.0,
    "text": 1.0,
    "word_similarity": 20.0,
    "same_word": 8.0,
    "context": 0.7,
    "text_similarity": 60.0,
}


def train(
    student: Student,
    cache: TargetCache,
    projection: npt.NDArray[np.float32],
    folder: Path,
    options: TrainingOptions,
    report: Report | None = None,
) -> None:
    """Train a student and leave its checkpoint in `folder`; goes on where an earlier run stopped.

    Parameters
    ----------
    student
        What is trained, where it shall be trained.
    cache
        What it shall learn.
    projection
        float32 ``[teacher dimension, hidden_size]``.
    folder
        Of the checkpoint and of the state to go on from.
    options
        How long and how fast.
    report
        Is told how far it is.
    """
    run = _Run(student, projection, folder, options)
    run.resume()
    while not run.finished:
        run.learn(cache.shard(run.shard % len(cache)), report or _silent)
    run.save()


def _silent(progress: TrainingProgress) -> None:
    del progress


class _Run:
    def __init__(
        self, student: Student, projection: npt.NDArray[np.float32], folder: Path, options: TrainingOptions
    ) -> None:
        self.device = next(student.parameters()).device
        self.student = student
        self.forward = torch.compile(student, dynamic=True) if options.compiled else student
        self.projection = torch.from_numpy(projection).to(self.device)
        self.folder, self.options = folder, options
        self.optimizer = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.98), fused=True)
        self.shard = self.step = 0
        self.begun_s = time.monotonic()
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
    def spent_s(self) -> float:
        return time.monotonic() - self.begun_s

    @property
    def done(self) -> float:
        if self.options.steps is not None:
            return self.step / self.options.steps
        return self.spent_s / (60 * self.options.budget_minutes)

    @property
    def finished(self) -> bool:
        return self.done >= 1

    @property
    def loops(self) -> int | None:
        return 0 if self.done < self.options.embedding_share else None

    def learn(self, shard: Shard, report: Report) -> None:
        """Take one step a batch of a shard; a shard that is not finished is begun again on resuming."""
        random = np.random.default_rng((self.options.seed, self.shard))
        torch.manual_seed(self.options.seed + self.shard)
        for batch in batches_of(shard, self.options.batches, random):
            self._step(batch, random)
            report(TrainingProgress(self.step, self.done, self.spent_s, self.means))
            if self.step % _LOG_EVERY == 0:
                self._log()
            if time.monotonic() - self.saved_s > 60 * self.options.save_minutes:
                self.save()
            if self.finished:
                return
        self.shard += 1

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
            hidden = self.forward(batch.ids, batch.mask, starts, self.loops)
        words = word_vectors(hidden, batch)
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
        done = min(1.0, self.done)
        begun = 0.0 if self.loops == 0 else self.options.embedding_share
        rise = min(1.0, 0.02 + (done - begun) / self.options.warmup_share)
        return self.options.learning_rate * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def _parameters(self) -> list[nn.Parameter]:
        return list(self.student.parameters())

    def _log(self) -> None:
        shown = " ".join(f"{name} {value:.4f}" for name, value in self.means.items())
        _log.info("step %d, shard %d, %.1f %% done: %s", self.step, self.shard, 100 * self.done, shown)

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
        self.saved_s = time.monotonic()

    def resume(self) -> None:
        """Take up the state of an earlier run, where there is one."""
        self.saved_s = time.monotonic()
        path = self.folder / "state.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.shard, self.step = state["shard"], state["step"]
        self.begun_s -= state["spent_s"]
        _log.info("going on after step %d", self.step)
