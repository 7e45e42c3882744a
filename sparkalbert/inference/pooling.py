"""Turns hidden states into word vectors: which layers, which pieces of a word, and how they become one vector.

The names of the poolings are flair's (``TransformerWordEmbeddings``, parameter ``subtoken_pooling``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.bundle import Manifest
from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.options import check_choice, checked_integer, is_integer

__all__ = ["MIN_SENTENCE_LENGTH", "POOLINGS", "Pooling", "VectorOptions", "layer_weights", "pieces_needed", "pool"]

Pooling = Literal["first", "last", "mean", "first_last"]
"""Which pieces of a word make its vector: the first, the last, the mean of all, or the first and the last side by
side (twice as wide)."""

POOLINGS: Final[tuple[str, ...]] = get_args(Pooling)

MIN_SENTENCE_LENGTH: Final = 3
"""The shortest window holds ``[CLS]``, one piece and ``[SEP]``."""


@dataclass(frozen=True)
class VectorOptions:
    """What a word vector is.

    Attributes
    ----------
    pooling
        Which pieces of a word count.
    layers
        The layers whose mean is taken, see :func:`layer_weights`.
    max_sentence_length
        Largest number of pieces in one window, ``[CLS]`` and ``[SEP]`` included. Longer sentences are covered
        by overlapping windows; no word is cut off.

    Raises
    ------
    ParamError, ParamTypeError
        If a value is invalid for every model.
    """

    pooling: Pooling = "first"
    layers: tuple[int, ...] = (-1,)
    max_sentence_length: int = 128

    def __post_init__(self) -> None:
        check_choice("pooling", self.pooling, POOLINGS)
        object.__setattr__(self, "layers", _checked_layers(self.layers))
        length = checked_integer("max_sentence_length", self.max_sentence_length, minimum=MIN_SENTENCE_LENGTH)
        object.__setattr__(self, "max_sentence_length", length)

    @property
    def window_capacity(self) -> int:
        """Number of pieces in a window, without ``[CLS]`` and ``[SEP]``."""
        return self.max_sentence_length - 2

    def check(self, manifest: Manifest) -> None:
        """Check the options against a model, on the driver, before anything runs.

        Raises
        ------
        ParamError
            If a layer does not exist, or a window exceeds the model's positions.
        """
        layer_weights(self.layers, manifest.num_layers)
        if self.max_sentence_length > manifest.max_pieces:
            msg = (
                f"The maximum sentence length is {self.max_sentence_length}, but model {manifest.name!r} has positions "
                f"for {manifest.max_pieces} pieces. Set maxSentenceLength (max_sentence_length) to at most "
                f"{manifest.max_pieces}."
            )
            raise ParamError(msg)

    def dimension(self, manifest: Manifest) -> int:
        """Return the width of a word vector of a model."""
        return manifest.dimension * _vectors_per_word(self.pooling)


def _checked_layers(layers: object) -> tuple[int, ...]:
    listed = layers.tolist() if isinstance(layers, np.ndarray) else layers
    if is_integer(listed):
        msg = f"layers is {layers}, expected a list of layers. Did you mean layers=[{layers}]?"
        raise ParamTypeError(msg)
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not all(map(is_integer, listed)):
        msg = f"layers is {layers!r}, expected a list of integers such as [-1]."
        raise ParamTypeError(msg)
    return tuple(map(int, listed))


def layer_weights(layers: Sequence[int], num_layers: int) -> Float32Array:
    """Return the weights with which the graph averages its layers.

    Parameters
    ----------
    layers
        Indices into Hugging Face's ``hidden_states``: 0 is the embedding, ``i`` the output of the ``i``-th
        layer, negative indices count from the last. ``[-1]`` is the last layer, ``[-4, -3, -2, -1]`` the mean
        of the last four. Layers after the highest index are not computed.
    num_layers
        Number of layers of the model; 0 for an imported graph, which returns its last layer only.

    Returns
    -------
    ndarray
        float32 ``[num_layers + 1]``.

    Raises
    ------
    ParamError
        If a layer does not exist or is repeated, or if `layers` is empty.

    Examples
    --------
    >>> layer_weights([-1], 3).tolist()
    [0.0, 0.0, 0.0, 1.0]
    >>> layer_weights([1, -1], 3).tolist()
    [0.0, 0.5, 0.0, 0.5]
    """
    if num_layers == 0 and list(layers) != [-1]:
        msg = f"layers is {list(layers)}, but an imported graph returns its last layer only, expected [-1]."
        raise ParamError(msg)
    count = num_layers + 1
    chosen = [layer + count if layer < 0 else layer for layer in layers]
    invalid = any(not 0 <= index < count for index in chosen)
    if invalid or not chosen or len(set(chosen)) < len(chosen):
        msg = (
            f"layers is {list(layers)}, expected one or more different indices from {-count} to {num_layers} "
            f"(0 is the embedding, {num_layers} or -1 the last layer)."
        )
        raise ParamError(msg)
    weights = np.zeros(count, dtype=np.float32)
    weights[chosen] = 1 / len(chosen)
    return weights


def pieces_needed(ranges: Int64Array, pooling: Pooling) -> tuple[Int64Array, Int64Array]:
    """Return the pieces whose vectors are needed, word by word.

    Parameters
    ----------
    ranges
        int64 ``[words, 2]``, half-open piece range of each word.
    pooling
        Which pieces count.

    Returns
    -------
    pieces : ndarray
        int64 ``[needed]``, piece indices.
    counts : ndarray
        int64 ``[words]``: how many of them belong to each word; 0 for a word without pieces.

    Examples
    --------
    >>> ranges = np.array([[0, 3], [3, 3], [3, 4]])
    >>> pieces, counts = pieces_needed(ranges, "first_last")
    >>> pieces.tolist(), counts.tolist()
    ([0, 2, 3, 3], [2, 0, 2])
    """
    starts, stops = ranges[:, 0], ranges[:, 1]
    present = stops > starts
    if pooling == "mean":
        counts = stops - starts
        firsts = np.cumsum(counts) - counts
        return np.arange(counts.sum()) - np.repeat(firsts - starts, counts), counts
    chosen = {"first": [starts], "last": [stops - 1], "first_last": [starts, stops - 1]}[pooling]
    pieces = np.stack(chosen, axis=1)[present].reshape(-1)
    return pieces, present.astype(np.int64) * len(chosen)


def pool(vectors: Float32Array, counts: Int64Array, pooling: Pooling) -> Float32Array:
    """Return one vector per word from the vectors of :func:`pieces_needed`; zeros for words without pieces.

    Parameters
    ----------
    vectors
        float32 ``[needed, hidden]``, in the order of :func:`pieces_needed`.
    counts
        int64 ``[words]``.
    pooling
        As for :func:`pieces_needed`.

    Returns
    -------
    ndarray
        float32 ``[words, dimension]``; ``dimension`` is ``hidden``, twice that for ``first_last``.
    """
    width = vectors.shape[1] * _vectors_per_word(pooling)
    present = counts > 0
    if pooling == "mean":
        pooled = _sums(vectors, counts[present])
        pooled /= counts[present, None].astype(np.float32)
    else:
        pooled = vectors.reshape(-1, width)
    if present.all():
        return pooled
    words = np.zeros((len(counts), width), dtype=np.float32)
    words[present] = pooled
    return words


def _sums(vectors: Float32Array, counts: Int64Array) -> Float32Array:
    """Return the sums of consecutive rows, `counts` of them in each; a sum adds its rows one after the other.

    Few words have more than one piece, and whole rows are added at a time. ``np.add.reduceat`` walks down each column
    instead, which takes several times as long.
    """
    firsts = np.cumsum(counts) - counts
    sums: Float32Array = vectors[firsts]
    longer, place = np.flatnonzero(counts > 1), 1
    while len(longer):
        sums[longer] += vectors[firsts[longer] + place]
        place += 1
        longer = longer[counts[longer] > place]
    return sums


def _vectors_per_word(pooling: Pooling) -> int:
    return 2 if pooling == "first_last" else 1
