"""The projection of the teacher's word vectors to the width of the student's, in which they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.distill.teacher import Teacher
from sparkalbert.errors import CheckpointError
from sparkalbert.offsets import span_array
from sparkalbert.text import WordTokenizer

__all__ = ["fit_projection", "load_projection"]

_PROJECTION_TEXTS: Final = 4000


def fit_projection(teacher: Teacher, texts: Sequence[str], width: int) -> Float32Array:
    """Return the main directions of the teacher's word vectors, float32 ``[teacher dimension, width]``.

    The vectors are not centred, so that cosines are preserved as well as possible.
    """
    sample = list(texts[:_PROJECTION_TEXTS])
    tokenizer = WordTokenizer()
    sentences, words = teacher.embed_words(sample, [span_array(tokenizer.tokenize(text)) for text in sample])
    vectors = np.concatenate([*words, sentences])
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    projection: Float32Array = np.ascontiguousarray(directions[:, ::-1][:, :width], dtype=np.float32)
    return projection


def load_projection(path: Path) -> Float32Array:
    """Read a projection that was written with :func:`numpy.save`.

    Raises
    ------
    CheckpointError
        If the file is damaged.
    """
    try:
        with path.open("rb") as file:
            projection: Float32Array = np.load(file)
    except (OSError, ValueError, EOFError) as error:
        msg = f"{path} is damaged ({type(error).__name__}: {error}). Delete it; it will be computed again."
        raise CheckpointError(msg) from error
    return projection
