"""Continues from a trained student: its layer, its embeddings and its space, for another vocabulary or corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sparkalbert.arrays import Float32Array
from sparkalbert.distill.batches import Batches, BatchOptions
from sparkalbert.distill.encoded import encode_texts
from sparkalbert.distill.initialization import piece_texts
from sparkalbert.distill.losses import word_vectors
from sparkalbert.distill.student import Student, StudentConfig, load_student
from sparkalbert.distill.teacher import Teacher
from sparkalbert.errors import ConfigError
from sparkalbert.text import PieceTokenizer

__all__ = ["aligned_projection", "continued_student", "load_predecessor"]

_ALIGNED_TEXTS = 2000
_RIDGE = 1.0


def aligned_projection(folder: Path, teacher: Teacher, texts: Sequence[str]) -> Float32Array:
    """Return the projection of the teacher's word vectors that is closest to a student's.

    The student was trained in a space of its own. The columns of the projection are orthonormal, so cosines are
    preserved (orthogonal Procrustes problem).

    Parameters
    ----------
    folder
        The student's checkpoint.
    teacher
        The teacher.
    texts
        Texts, of which the first 2,000 are compared.

    Returns
    -------
    ndarray
        float32 ``[teacher dimension, hidden_size]``.
    """
    student = load_student(folder).eval()
    encoded = encode_texts(texts[:_ALIGNED_TEXTS], teacher, PieceTokenizer.load(folder))
    options = BatchOptions(short_repeats=0, repeated_share=0.0)
    products = torch.zeros(teacher.dimension, student.config.hidden_size, dtype=torch.float64)
    for batch in Batches(encoded, options).epoch(0):
        targets = teacher.targets(batch.to(teacher.device)).words.cpu()
        with torch.inference_mode():
            vectors = torch.nn.functional.normalize(word_vectors(student(batch.ids, batch.mask), batch), dim=1)
        products += (targets.T @ vectors).double()
    left, _, right = np.linalg.svd(products.numpy(), full_matrices=False)
    projection: Float32Array = np.ascontiguousarray(left @ right, dtype=np.float32)
    return projection


def load_predecessor(config: StudentConfig, folder: Path) -> Student:
    """Return the student to continue from.

    Raises
    ------
    CheckpointError
        If `folder` does not hold a student.
    ConfigError
        If its sizes are not those of the new student, except for ``vocab_size`` and ``num_hidden_layers``.
    """
    student = load_student(folder)
    free = {"vocab_size": config.vocab_size, "num_hidden_layers": config.num_hidden_layers}
    if replace(student.config, **free) != config:
        msg = f"{folder} has the sizes {student.config}, expected those of the student, {config}."
        raise ConfigError(msg)
    return student


def continued_student(config: StudentConfig, folder: Path, teacher: Teacher, tokenizer: PieceTokenizer) -> Student:
    """Return a student with the weights of another, for a vocabulary of its own.

    All weights except the embedding table are copied. A piece that is also in the other vocabulary keeps its embedding.
    That of a new piece is estimated from the teacher's vector of the piece alone, by the linear map (ridge
    regression) that fits the pieces of both.

    Parameters
    ----------
    config
        Sizes of the new student. They are those of the other except for ``vocab_size`` and ``num_hidden_layers``:
        the layer is shared, so another number of layers needs no other weights.
    folder
        The other student's checkpoint, with its vocabulary.
    teacher
        The teacher.
    tokenizer
        The new vocabulary.

    Raises
    ------
    CheckpointError, ConfigError
        As :func:`load_predecessor`.
    """
    other, other_tokenizer = load_predecessor(config, folder), PieceTokenizer.load(folder)
    rows_by_piece = {other_tokenizer.piece(index): index for index in range(other_tokenizer.vocabulary_size)}
    rows = np.array([rows_by_piece.get(tokenizer.piece(index), -1) for index in range(config.vocab_size)])
    table = other.word_embeddings.weight.detach().numpy()
    shared = rows >= 0
    vectors = teacher.embed(piece_texts(tokenizer))
    vectors = np.concatenate([vectors, np.ones_like(vectors[:, :1])], axis=1)
    squares = vectors[shared].T @ vectors[shared] + _RIDGE * np.eye(vectors.shape[1], dtype=np.float32)
    linear_map = np.linalg.solve(squares, vectors[shared].T @ table[rows[shared]])
    embeddings = (vectors @ linear_map).astype(np.float32)
    embeddings[shared] = table[rows[shared]]
    student = Student(config)
    state = other.state_dict() | {"word_embeddings.weight": torch.from_numpy(embeddings)}
    student.load_state_dict(state)
    return student
