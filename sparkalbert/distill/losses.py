"""What the student is asked: to point where the teacher points, and to keep the cosines of the teacher.

Each word's vector (its first piece) shall point where the teacher's vector of that word points, the mean of
a text's word vectors where the teacher's text vector points, and cosines between words and between texts of
a batch shall be the teacher's. All of it is asked of the vectors themselves, after a fixed projection of the
teacher's: a learned head in between takes over a part of the geometry and leaves it out of the vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sparkalbert.distill.batches import Batch

__all__ = ["losses", "sample_words", "word_vectors"]

# Words that occur more often in a batch are mostly articles and prepositions.
_MOST_REPEATS = 16


def word_vectors(hidden: Tensor, batch: Batch) -> Tensor:
    """Return the vector of each word's first piece, float32 ``[words, hidden_size]``."""
    places = batch.word_rows * batch.ids.shape[1] + batch.word_places
    return functional.embedding(places, hidden.flatten(0, 1)).float()


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
        "context": _context_error(words[sample], batch.word_vectors[sample], batch.word_pieces[sample]),
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


def _context_error(found: Tensor, told: Tensor, pieces: Tensor) -> Tensor:
    """Return how far a word's other occurrences pull it another way than the teacher's.

    What is compared are directions of differences from the mean of a word's occurrences: what context adds,
    which in the vectors themselves is small beside what the word always says.
    """
    same = (pieces[:, None] == pieces[None, :]).float()
    counts = same.sum(dim=1, keepdim=True)
    found, told = functional.normalize(found, dim=1), functional.normalize(told, dim=1)
    found, told = found - same @ found / counts, told - same @ told / counts
    cosines = functional.cosine_similarity(found, told, dim=1, eps=1e-4)
    repeated = (counts[:, 0] > 1).float()
    return ((1 - cosines) * repeated).sum() / repeated.sum().clamp(min=1)
