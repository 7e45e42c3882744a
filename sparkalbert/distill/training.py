"""The training loop: one step per batch, a schedule that ends on time, and a saved state to resume from."""

from __future__ import annotations

import logging
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparkalbert.arrays import Float32Array
from sparkalbert.distill.batches import Batch, Batches, BatchOptions
from sparkalbert.distill.encoded import EncodedTexts
from sparkalbert.distill.losses import losses, word_vectors
from sparkalbert.distill.student import Student, save_student
from sparkalbert.distill.teacher import Teacher
from sparkalbert.distill.work import WORK_FOLDER, whole_file
from sparkalbert.errors import CheckpointError, ParamError

__all__ = ["Report", "TrainingOptions", "TrainingProgress", "train"]

_LOGGER = logging.getLogger(__name__)
_STATE_FILE = "state.pt"
_LOG_STEPS = 50
_MEAN_DECAY = 0.98
# Rows of the embedding table are updated rarely and have unit spread, so they take larger steps.
_EMBEDDINGS_SCALE = 3.0
_WEIGHTS = {
    "word": 1.0,
    "text": 1.0,
    "word_similarity": 20.0,
    "same_word": 16.0,
    "context": 2.0,
    "text_similarity": 60.0,
}


@dataclass(frozen=True)
class TrainingOptions:
    """The length and speed of a training.

    Attributes
    ----------
    budget_minutes
        Wall time of the whole training, over all resumed runs; the learning rate is 0 at its end. Everything counts,
        including the teacher's time and that of a suspended process, so that a run ends when it was supposed to.
    steps
        Length of the training in steps, instead of `budget_minutes`: the same seed then gives the same weights.
    learning_rate
        Peak of the schedule: linear warm-up, then cosine.
    warmup_share
        Length of the warm-up, as a share of the training.
    weight_decay
        Weight decay of matrices.
    shift_share
        Share of batches whose texts start at random positions, so that all positions are learned.
    save_minutes
        Time between saved states.
    embedding_share
        Share of the training in which the embeddings learn alone, without the layer.
    batches
        The contents of batches.
    text_share
        How much of its text's vector is added to the target of each word, so that context moves a word further.
    trained_groups
        If given, only the layers of the last `trained_groups` groups are trained.
    compiled
        If true, the student is compiled, which needs a C++ compiler and a minute, and halves the time of a step.
    workers
        Number of processes that assemble batches; a GPU needs several.
    seed
        Seed of order and positions.

    Raises
    ------
    ParamError
        If `steps` or `budget_minutes` is not positive.
    """

    budget_minutes: float = 60.0
    steps: int | None = None
    learning_rate: float = 1e-3
    warmup_share: float = 0.015
    weight_decay: float = 0.01
    shift_share: float = 0.25
    save_minutes: float = 4.0
    embedding_share: float = 0.06
    batches: BatchOptions = field(default_factory=BatchOptions)
    text_share: float = 0.0
    trained_groups: int | None = None
    compiled: bool = False
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("budget_minutes", "steps"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"{name} is {value}, expected a number above 0."
                raise ParamError(msg)


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training.

    Attributes
    ----------
    step
        Number of steps, over all resumed runs.
    done
        Share of the training that is done.
    spent_s
        Time spent, over all resumed runs.
    loss
        The parts of the loss by name, averaged over about the last 50 steps.
    """

    step: int
    done: float
    spent_s: float
    loss: dict[str, float]


Report = Callable[[TrainingProgress], None]
"""Called after every step."""


def train(  # noqa: PLR0913 - what is trained, on what, and how
    student: Student,
    teacher: Teacher,
    texts: EncodedTexts,
    projection: Float32Array,
    folder: Path,
    options: TrainingOptions,
    *,
    report: Report | None = None,
) -> None:
    """Train a student and write its checkpoint to `folder`; continues where an earlier run stopped.

    Parameters
    ----------
    student
        The student, on the teacher's device.
    teacher
        The teacher, which embeds each batch.
    texts
        The texts to learn from.
    projection
        float32 ``[teacher dimension, hidden_size]``.
    folder
        The folder of the checkpoint; the state to resume from is in its work folder.
    options
        Length and speed.
    report
        Called after every step.

    Raises
    ------
    CheckpointError
        If the saved state is damaged.
    """
    run = _Run(student, teacher, projection, folder, options)
    run.resume()
    run.learn(Batches(texts, options.batches), report)
    run.save()


class _Run:
    def __init__(
        self, student: Student, teacher: Teacher, projection: Float32Array, folder: Path, options: TrainingOptions
    ) -> None:
        self.device = teacher.device
        self.student, self.teacher = student, teacher
        self.forward = torch.compile(student, dynamic=True) if options.compiled else student
        self.projection = torch.from_numpy(projection).to(self.device)
        self.folder, self.options = folder, options
        if options.trained_groups is not None:
            student.requires_grad_(requires_grad=False)
            student.layers[-options.trained_groups :].requires_grad_()
        self.optimizer = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.98), fused=True)
        self.step = 0
        self.started_s = self.saved_s = time.monotonic()
        self.averages: dict[str, Tensor] = {}

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Return the optimizer's groups; ``scale`` is the factor of the learning rate."""
        table = self.student.word_embeddings.weight
        others = [value for value in self.student.parameters() if value is not table and value.requires_grad]
        return [
            {"params": [table], "weight_decay": 0.0, "scale": _EMBEDDINGS_SCALE},
            {
                "params": [value for value in others if value.ndim > 1],
                "weight_decay": self.options.weight_decay,
                "scale": 1.0,
            },
            {"params": [value for value in others if value.ndim == 1], "weight_decay": 0.0, "scale": 1.0},
        ]

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self.started_s

    @property
    def done(self) -> float:
        if self.options.steps is not None:
            return self.step / self.options.steps
        return self.spent_s / (60 * self.options.budget_minutes)

    @property
    def finished(self) -> bool:
        return self.done >= 1

    @property
    def embeddings_only(self) -> bool:
        return self.done < self.options.embedding_share

    def learn(self, batches: Batches, report: Report | None) -> None:
        """Take steps until the training is finished. A training that is resumed starts with a new epoch."""
        for batch in batches.stream(self.options.seed, self.step, workers=self.options.workers):
            if self.finished:
                return
            self._step(batch)
            if report is not None:
                report(TrainingProgress(self.step, self.done, self.spent_s, self.means()))
            if self.step % _LOG_STEPS == 0:
                self._log()
            if time.monotonic() - self.saved_s > 60 * self.options.save_minutes:
                self.save()

    def _step(self, batch: Batch) -> None:
        random = np.random.default_rng((self.options.seed, self.step))
        rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        starts = None
        if random.random() < self.options.shift_share:
            max_start = self.student.config.max_position_embeddings - batch.ids.shape[1]
            starts = torch.from_numpy(random.integers(0, max_start + 1, len(batch.ids))).to(self.device)
        batch = batch.to(self.device)
        targets = self.teacher.targets(batch)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            hidden = self.forward(batch.ids, batch.mask, starts, 0 if self.embeddings_only else None)
        parts = losses(word_vectors(hidden, batch), batch, targets, self.projection, self.options.text_share)
        zero = torch.zeros((), device=self.device)
        loss = sum((_WEIGHTS[name] * value for name, value in parts.items()), zero)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(list(self.student.parameters()), 1.0)
        self.optimizer.step()
        self.step += 1
        for name, value in parts.items():
            # Kept on the device: reading a value would make the GPU wait.
            self.averages.setdefault(name, value.detach().clone()).lerp_(value.detach(), 1 - _MEAN_DECAY)

    def means(self) -> dict[str, float]:
        """Return the parts of the loss, averaged over the last steps."""
        return {name: value.item() for name, value in self.averages.items()}

    def _learning_rate(self) -> float:
        done = min(1.0, self.done)
        phase_start = 0.0 if self.embeddings_only else self.options.embedding_share
        warmup = min(1.0, 0.02 + (done - phase_start) / self.options.warmup_share)
        return self.options.learning_rate * warmup * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def _log(self) -> None:
        shown = " ".join(f"{name} {value:.4f}" for name, value in self.means().items())
        _LOGGER.info("step %d, %.1f %% done: %s", self.step, 100 * self.done, shown)

    @property
    def _state_path(self) -> Path:
        return self.folder / WORK_FOLDER / _STATE_FILE

    def save(self) -> None:
        """Write the state to resume from, and the checkpoint."""
        state = {
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.spent_s,
        }
        self._state_path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self._state_path) as path:
            torch.save(state, path)
        save_student(self.student, self.folder)
        self.saved_s = time.monotonic()

    def resume(self) -> None:
        """Restore the state of an earlier run, if there is one."""
        path = self._state_path
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.student.load_state_dict(state["student"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = state["step"]
            self.started_s -= state["spent_s"]
        except (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
            msg = (
                f"{path} is damaged ({type(error).__name__}: {error}). Delete it to train again from the start, or "
                "continue in another folder from the checkpoint beside it (start_from)."
            )
            raise CheckpointError(msg) from error
        _LOGGER.info("resuming after step %d", self.step)
