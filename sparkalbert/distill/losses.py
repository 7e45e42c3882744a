"""The loss: the student's vectors have the directions of the teacher's, and the same cosines between them.

Each word's vector (that of its first piece) should point where the teacher's vector of the word points, the mean of a
text's word vectors where the teacher's text vector points, and the cosines between the words and between the texts of a
batch should be the teacher's. All of it applies to the vectors themselves, after a fixed projection of the teacher's.
With a learned head in between, part of the geometry would end up in the head and not in the vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sparkalbert.distill.batches import Batch
from sparkalbert.distill.teacher import Targets

__all__ = ["losses", "word_vectors"]


def word_vectors(hidden: Tensor, batch: Batch) -> Tensor:
    """Return the vector of each word's first piece, float32 ``[words, hidden_size]``."""
    pieces = batch.word_rows * batch.ids.shape[1] + batch.word_positions
    return functional.embedding(pieces, hidden.flatten(0, 1)).float()


def losses(
    words: Tensor, batch: Batch, targets: Targets, projection: Tensor, text_share: float = 0.0
) -> dict[str, Tensor]:
    """Return the parts of the loss by name.

    Parameters
    ----------
    words
        ``[words, hidden_size]``, the student's vectors.
    batch
        The batch.
    targets
        The teacher's vectors.
    projection
        ``[teacher dimension, hidden_size]``.
    text_share
        How much of its text's vector is added to the target of each word.
    """
    texts = len(targets.sentences)
    counts = torch.zeros(texts, dtype=words.dtype, device=words.device)
    counts = counts.index_add(0, batch.word_rows, torch.ones_like(words[:, 0])).clamp(min=1)
    means = torch.zeros(texts, words.shape[1], dtype=words.dtype, device=words.device)
    means = means.index_add(0, batch.word_rows, words) / counts[:, None]
    target_words = (targets.words + text_share * targets.sentences[batch.word_rows]) @ projection
    sample, pieces = batch.sample, batch.word_pieces[batch.sample]
    word_errors = _similarity_errors(words[sample], target_words[sample])
    return {
        "word": 1 - functional.cosine_similarity(words, target_words).mean(),
        "text": 1 - functional.cosine_similarity(means, targets.sentences @ projection).mean(),
        "word_similarity": word_errors.mean(),
        "same_word": _same_word_error(word_errors, pieces),
        "context": _context_error(words[sample], target_words[sample], pieces),
        "text_similarity": _similarity_errors(means, targets.sentences).mean(),
    }


def _similarity_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the squared differences of the cosines between all rows."""
    predicted, target = functional.normalize(predicted, dim=1), functional.normalize(target, dim=1)
    return (predicted @ predicted.T - target @ target.T).square()


def _same_word_error(errors: Tensor, pieces: Tensor) -> Tensor:
    """Return the mean error between a word and its other occurrences, which differ by their context."""
    same = (pieces[:, None] == pieces[None, :]).float().fill_diagonal_(0)
    others = same.sum(dim=1)
    return ((errors * same).sum(dim=1) / others.clamp(min=1)).sum() / (others > 0).sum().clamp(min=1)


def _context_error(predicted: Tensor, target: Tensor, pieces: Tensor) -> Tensor:
    """Return how much the direction in which context moves a word differs from the teacher's.

    The directions of the differences from the mean of a word's occurrences are compared. They are the effect of
    context, which is small in the vectors themselves beside what all occurrences have in common.
    """
    same = (pieces[:, None] == pieces[None, :]).float()
    counts = same.sum(dim=1, keepdim=True)
    predicted, target = functional.normalize(predicted, dim=1), functional.normalize(target, dim=1)
    predicted, target = predicted - same @ predicted / counts, target - same @ target / counts
    cosines = functional.cosine_similarity(predicted, target, dim=1, eps=1e-4)
    repeated = (counts[:, 0] > 1).float()
    return ((1 - cosines) * repeated).sum() / repeated.sum().clamp(min=1)
