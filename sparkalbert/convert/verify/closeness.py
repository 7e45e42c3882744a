"""Compares a bundle's word vectors with those of the checkpoint that it was made from, on real text.

The reference is :mod:`sparkalbert.convert.verify.forward`, in float64. Real text shows what random ids
cannot: what rounding does to meaningful vectors, layer by layer, and to their nearest neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from sparkalbert.arrays import Float64Array, Int64Array
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.verify.forward import Tensors, hidden_states
from sparkalbert.convert.verify.work import Work, comparison_work
from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import BatchingOptions, pad, plan_batches
from sparkalbert.inference.session import EncoderSession
from sparkalbert.offsets import span_array
from sparkalbert.text import PieceTokenizer, SentenceSplitter, WordTokenizer
from sparkalbert.text.pieces.encoding import encode_sentence
from sparkalbert.vectors import cosine_similarity, unit_vectors

__all__ = ["Closeness", "EncodedWords", "LayerCosine", "compare_words", "encode_words"]

_MAX_WORDS: Final = 1000
_DEPTHS: Final = 4
_NEIGHBOURS: Final = 10


@dataclass(frozen=True)
class LayerCosine:
    """Mean and smallest cosine between the word vectors of a layer and those of the reference."""

    layer: int
    mean: float
    worst: float


@dataclass(frozen=True)
class Closeness:
    """How close word vectors are to those of the reference.

    Attributes
    ----------
    words
        Number of words compared; a word's vector is that of its first piece.
    layers
        Cosines at several depths, the last layer last.
    same_nearest
        Share of words whose nearest other word, by cosine, is the same in both.
    shared_of_ten
        Mean share of the ten nearest words that both have in common.
    """

    words: int
    layers: tuple[LayerCosine, ...]
    same_nearest: float
    shared_of_ten: float


@dataclass(frozen=True)
class EncodedWords:
    """The first thousand words of texts, as sequences for the model.

    Attributes
    ----------
    sequences
        Piece ids of each sentence, with the special pieces, int64.
    rows
        The row of each word's first piece in its sequence, int64.
    depths
        The layers to compare.
    work
        Number of vectors that a comparison computes.
    """

    sequences: Sequence[Int64Array]
    rows: Sequence[Int64Array]
    depths: Sequence[int]
    work: int


def encode_words(session: EncoderSession, config: AlbertConfig, texts: Iterable[str]) -> EncodedWords:
    """Return the first thousand words of texts, which are split into sentences and words as in the pipeline.

    Raises
    ------
    ParamError
        If the texts hold too few words to have ten neighbours.
    """
    sequences, rows = _encoded(PieceTokenizer.load(session.bundle.path), config, texts)
    words = sum(map(len, rows))
    if words <= _NEIGHBOURS:
        msg = f"The texts hold {words} words, expected at least {_NEIGHBOURS + 1} to compare neighbours."
        raise ParamError(msg)
    depths = _depths(session, config)
    work = comparison_work(sum(map(len, sequences)), config.num_hidden_layers, depths)
    return EncodedWords(sequences, rows, depths, work)


def compare_words(
    session: EncoderSession, config: AlbertConfig, tensors: Tensors, encoded: EncodedWords, work: Work
) -> Closeness:
    """Compare the vectors of words.

    Parameters
    ----------
    session
        The bundle's graph.
    config
        Shape of the model.
    tensors
        Returns the checkpoint's weights by name.
    encoded
        See :func:`encode_words`.
    work
        Counts the vectors.
    """
    depths = encoded.depths
    found, expected = _word_vectors(session, config, tensors, encoded, work)
    layers = []
    for layer, vectors, expected_vectors in zip(depths, found, expected, strict=True):
        cosines = (unit_vectors(vectors) * unit_vectors(expected_vectors)).sum(axis=1)
        layers.append(LayerCosine(layer, float(cosines.mean()), float(cosines.min())))
    nearest, expected_nearest = _nearest(found[-1]), _nearest(expected[-1])
    shared = [len(np.intersect1d(row, other)) for row, other in zip(nearest, expected_nearest, strict=True)]
    return Closeness(
        words=sum(map(len, encoded.rows)),
        layers=tuple(layers),
        same_nearest=float((nearest[:, 0] == expected_nearest[:, 0]).mean()),
        shared_of_ten=float(np.mean(shared)) / _NEIGHBOURS,
    )


def _encoded(
    tokenizer: PieceTokenizer, config: AlbertConfig, texts: Iterable[str]
) -> tuple[list[Int64Array], list[Int64Array]]:
    """Return sequences with special pieces, and the row of each word's first piece in its sequence."""
    split, tokenize = SentenceSplitter().split, WordTokenizer().tokenize
    sequences, rows, count = [], [], 0
    max_pieces = config.max_position_embeddings - 2
    for text in texts:
        for start, stop in split(text):
            sentence = text[start:stop]
            encoded = encode_sentence(tokenizer, sentence, span_array(tokenize(sentence)))
            firsts, stops = encoded.ranges.T
            firsts = firsts[(stops > firsts) & (firsts < max_pieces)][: _MAX_WORDS - count]
            if not len(firsts):
                continue
            ids = encoded.ids[:max_pieces]
            sequences.append(np.concatenate([[tokenizer.cls_id], ids, [tokenizer.sep_id]]))
            rows.append(firsts + 1)
            count += len(firsts)
            if count >= _MAX_WORDS:
                return sequences, rows
    return sequences, rows


def _word_vectors(
    session: EncoderSession, config: AlbertConfig, tensors: Tensors, encoded: EncodedWords, work: Work
) -> tuple[Float64Array, Float64Array]:
    """Return the words' vectors and those of the reference, float64 ``[depths, words, hidden]``, in the order of words.

    The sequences run in batches of similar length, as they do for users, so memory does not grow with the longest.
    """
    sequences, rows, depths = encoded.sequences, encoded.rows, encoded.depths
    starts = np.cumsum([0, *map(len, rows)])
    found = np.empty((len(depths), starts[-1], config.hidden_size))
    expected = np.empty_like(found)
    options = BatchingOptions().for_model(session.bundle.manifest)
    for batch in plan_batches(np.array([len(sequence) for sequence in sequences]), options):
        ids, mask = pad([sequences[index] for index in batch], 0)
        counts = [len(rows[index]) for index in batch]
        first_pieces = (np.repeat(np.arange(len(batch)), counts), np.concatenate([rows[index] for index in batch]))
        words = np.concatenate([np.arange(starts[index], starts[index + 1]) for index in batch])
        pieces = int(mask.sum())
        states = hidden_states(config, tensors, ids, mask, partial(work.add, pieces))
        for depth, layer in enumerate(depths):
            one_layer = np.zeros(config.num_hidden_layers + 1, dtype=np.float32)
            one_layer[layer] = 1
            found[depth, words] = session.run(ids, mask, one_layer)[first_pieces]
            expected[depth, words] = states[layer][first_pieces]
            work.add(pieces * layer)
    return found, expected


def _depths(session: EncoderSession, config: AlbertConfig) -> list[int]:
    """Return the layers to compare: several depths, or the last layer if the graph returns no other."""
    last = config.num_hidden_layers
    if not session.mixes_layers:
        return [last]
    return sorted({1, *(last * step // _DEPTHS for step in range(1, _DEPTHS + 1))} - {0})


def _nearest(vectors: Float64Array) -> Int64Array:
    """Return the indices of the ten nearest other words of each word, int64 ``[words, 10]``."""
    cosines = cosine_similarity(vectors, vectors)
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :_NEIGHBOURS]
