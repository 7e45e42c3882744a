"""The student before training: embeddings from the teacher's vectors of each piece, a layer near identity.

It knows nothing about texts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sparkalbert.distill.student import Student, StudentConfig
from sparkalbert.distill.teacher import Teacher
from sparkalbert.text import PieceTokenizer

__all__ = ["initial_student", "piece_texts"]

_SPREAD = 0.02
_CONTEXT_SHARE = 0.2


def initial_student(
    config: StudentConfig,
    teacher: Teacher,
    tokenizer: PieceTokenizer,
    projection: npt.NDArray[np.float32],
    seed: int = 0,
) -> Student:
    """Return a student whose pieces already mean what the teacher says of each piece alone.

    The teacher's vectors of all pieces are factorised (PCA): the narrow factor is the embedding, the
    wide one, turned by `projection` into the space of the targets, is the mapping to ``hidden_size``.

    Parameters
    ----------
    config
        Sizes of the student.
    teacher
        Who is asked.
    tokenizer
        The student's vocabulary, of ``config.vocab_size`` pieces.
    projection
        float32 ``[teacher dimension, hidden_size]``.
    seed
        Of everything else.
    """
    torch.manual_seed(seed)
    student = Student(config)
    for module in student.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=_SPREAD)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=_SPREAD)
    vectors = teacher.embed(piece_texts(tokenizer))
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    wide = directions[:, ::-1][:, : config.embedding_size].astype(np.float32)
    narrow = centred @ wide
    # Layer normalization follows: components of one size in all pieces, about 1 together.
    narrow /= narrow.std()
    with torch.no_grad():
        student.pieces.weight.copy_(torch.from_numpy(np.ascontiguousarray(narrow)))
        student.widen.weight.copy_(torch.from_numpy(np.ascontiguousarray((wide.T @ projection).T)))
        _mix_in_context(student)
    return student


def piece_texts(tokenizer: PieceTokenizer) -> list[str]:
    """Return what the teacher is asked about each piece."""
    names = map(tokenizer.piece, range(tokenizer.vocabulary_size))
    return [name.replace("▁", " ").strip() or "." for name in names]


def _mix_in_context(student: Student) -> None:
    """Make each loop add a share of the mean of the text to every piece, and change nothing else."""
    hidden = student.config.hidden_size
    student.attention_in.weight[2 * hidden :] = torch.eye(hidden)
    student.attention_out.weight.copy_(_CONTEXT_SHARE * torch.eye(hidden))
    student.outer.weight.mul_(0.1)
