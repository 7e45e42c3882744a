"""A new student before its training: embeddings from the teacher's vectors of each piece, and a layer near identity."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sparkalbert.arrays import Float32Array
from sparkalbert.distill.student import Student, StudentConfig
from sparkalbert.distill.teacher import Teacher
from sparkalbert.text import PieceTokenizer

__all__ = ["initial_student", "piece_texts"]

_STANDARD_DEVIATION = 0.02
_CONTEXT_SHARE = 0.2


def initial_student(
    config: StudentConfig, teacher: Teacher, tokenizer: PieceTokenizer, projection: Float32Array, seed: int = 0
) -> Student:
    """Return a student whose embedding of each piece is close to the teacher's vector of the piece alone.

    The teacher's vectors of all pieces are factorized (PCA). The narrow factor is the embedding table. The wide
    factor, projected into the space of the targets, is the mapping to ``hidden_size``.

    Parameters
    ----------
    config
        Sizes of the student.
    teacher
        The teacher.
    tokenizer
        The student's vocabulary, of ``config.vocab_size`` pieces.
    projection
        float32 ``[teacher dimension, hidden_size]``.
    seed
        Seed of all other weights.
    """
    torch.manual_seed(seed)
    student = Student(config)
    for module in student.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=_STANDARD_DEVIATION)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=_STANDARD_DEVIATION)
    vectors = teacher.embed(piece_texts(tokenizer))
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    wide = directions[:, ::-1][:, : config.embedding_size].astype(np.float32)
    narrow = centred @ wide
    # A layer norm follows, so only the ratios between components matter; they are scaled to about 1.
    narrow /= narrow.std()
    with torch.no_grad():
        student.word_embeddings.weight.copy_(torch.from_numpy(np.ascontiguousarray(narrow)))
        mapping = np.ascontiguousarray((wide.T @ projection).T)
        student.embedding_hidden_mapping_in.weight.copy_(torch.from_numpy(mapping))
        _mix_in_context(student)
    return student


def piece_texts(tokenizer: PieceTokenizer) -> list[str]:
    """Return the text that represents each piece for the teacher."""
    names = map(tokenizer.piece, range(tokenizer.vocabulary_size))
    return [name.replace("▁", " ").strip() or "." for name in names]


def _mix_in_context(student: Student) -> None:
    """Make each layer add a share of the text's mean to every piece, and change almost nothing else."""
    hidden = student.config.hidden_size
    for layer in student.layers:
        layer.qkv.weight[2 * hidden :] = torch.eye(hidden)
        layer.attention_dense.weight.copy_(_CONTEXT_SHARE * torch.eye(hidden))
        layer.ffn_output.weight.mul_(0.1)
