"""Going on from a trained student: its layer, its pieces and its space, for another vocabulary or corpus.

It knows nothing about the loss or the schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sparkalbert.distill.batches import BatchOptions, batches_of
from sparkalbert.distill.initialization import piece_texts
from sparkalbert.distill.losses import word_vectors
from sparkalbert.distill.student import Student, StudentConfig, load_student
from sparkalbert.distill.targets import TargetCache
from sparkalbert.distill.teacher import Teacher
from sparkalbert.errors import ConfigError
from sparkalbert.text import PieceTokenizer

__all__ = ["aligned_projection", "continued_student"]

Float32Array = npt.NDArray[np.float32]

_ALIGNED_TEXTS = 2000
_RIDGE = 1.0


def aligned_projection(folder: Path, teacher: Teacher, texts: Sequence[str], scratch: Path) -> Float32Array:
    """Return the turn of the teacher's word vectors that lies closest to a student's.

    The student was trained in a space of its own; its columns are orthonormal, so cosines survive
    (orthogonal Procrustes).

    Parameters
    ----------
    folder
        The student's checkpoint.
    teacher
        Who is asked.
    texts
        The first 2,000 are compared.
    scratch
        Where the teacher's answers are kept.

    Returns
    -------
    ndarray
        float32 ``[teacher dimension, hidden_size]``.
    """
    student = load_student(folder).eval()
    everything = np.eye(teacher.dimension, dtype=np.float32)
    chosen = texts[:_ALIGNED_TEXTS]
    cache = TargetCache(scratch, chosen, teacher, PieceTokenizer.load(folder), everything, len(chosen))
    options = BatchOptions(short_repeats=0, repeated_share=0.0)
    products = np.zeros((teacher.dimension, student.config.hidden_size), dtype=np.float64)
    for batch in batches_of(cache.shard(0), options, np.random.default_rng(0)):
        with torch.inference_mode():
            found = torch.nn.functional.normalize(word_vectors(student(batch.ids, batch.mask), batch), dim=1)
        products += (batch.word_vectors.T @ found).double().numpy()
    left, _, right = np.linalg.svd(products, full_matrices=False)
    projection: Float32Array = np.ascontiguousarray(left @ right, dtype=np.float32)
    return projection


def continued_student(
    config: StudentConfig, folder: Path, teacher: Teacher, tokenizer: PieceTokenizer
) -> Student:
    """Return a student that knows what another knows.

    Everything but the table of pieces is taken over. A piece that the other vocabulary has keeps its
    embedding; that of a new one is estimated from the teacher's vector of the piece alone, by the linear
    map (ridge regression) that fits the pieces both have.

    Parameters
    ----------
    config
        Sizes of the new student, those of the other but for ``vocab_size`` and ``num_hidden_layers``: the
        layer is shared, so another number of loops takes no other weights.
    folder
        The other's checkpoint, with its vocabulary.
    teacher
        Who is asked about the pieces.
    tokenizer
        The new vocabulary.

    Raises
    ------
    ConfigError
        When the sizes differ.
    """
    other, pieces = load_student(folder), PieceTokenizer.load(folder)
    free = {"vocab_size": config.vocab_size, "num_hidden_layers": config.num_hidden_layers}
    if replace(other.config, **free) != config:
        msg = f"the sizes of {folder} are {other.config}, expected those of the student, {config}."
        raise ConfigError(msg)
    places = {pieces.piece(index): index for index in range(pieces.vocabulary_size)}
    names = [tokenizer.piece(index) for index in range(config.vocab_size)]
    rows = np.array([places.get(name, -1) for name in names])
    table = other.pieces.weight.detach().numpy()
    known = rows >= 0
    told = teacher.embed(piece_texts(tokenizer))
    told = np.concatenate([told, np.ones_like(told[:, :1])], axis=1)
    squares = told[known].T @ told[known] + _RIDGE * np.eye(told.shape[1], dtype=np.float32)
    weights = np.linalg.solve(squares, told[known].T @ table[rows[known]])
    estimate = (told @ weights).astype(np.float32)
    estimate[known] = table[rows[known]]
    student = Student(config)
    state = other.state_dict() | {"pieces.weight": torch.from_numpy(estimate)}
    student.load_state_dict(state)
    return student
