"""How close a bundle's word vectors are to those of the checkpoint it was made of, on real text.

The other side is :mod:`sparkalbert.convert.forward`, in float64. What random ids cannot show shows here:
what rounding does to vectors that mean something, layer by layer, and to who is whose neighbour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sparkalbert.config import AlbertConfig
from sparkalbert.convert.forward import Tensors, hidden_states
from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import pad
from sparkalbert.inference.session import EncoderSession
from sparkalbert.text import PieceTokenizer, SentenceSplitter, WordTokenizer
from sparkalbert.text.encoding import encode_sentence

__all__ = ["Closeness", "LayerCosine", "compare_words"]

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

_MOST_WORDS: Final = 1000
_DEPTHS: Final = 4
_NEIGHBOURS: Final = 10


@dataclass(frozen=True)
class LayerCosine:
    """Cosines between a layer's word vectors and their counterparts."""

    layer: int
    mean: float
    worst: float


@dataclass(frozen=True)
class Closeness:
    """How close word vectors are.

    Attributes
    ----------
    words
        How many words were compared; a word's vector is that of its first piece.
    layers
        Cosines at several depths, the last layer last.
    same_nearest
        Share of words whose nearest other word, by cosine, is the same on both sides.
    shared_of_ten
        Mean share of the ten nearest that both sides name.
    """

    words: int
    layers: tuple[LayerCosine, ...]
    same_nearest: float
    shared_of_ten: float


def compare_words(
    session: EncoderSession, config: AlbertConfig, tensors: Tensors, texts: Iterable[str]
) -> Closeness:
    """Compare the word vectors of the first thousand words of some texts.

    Parameters
    ----------
    session
        The bundle's graph.
    config
        Shape of the model.
    tensors
        Gives the checkpoint's weights.
    texts
        The texts; they are split into sentences and words as the pipeline does.

    Raises
    ------
    ParamError
        When the texts hold too few words to name ten neighbours.
    """
    sequences, rows = _encoded(PieceTokenizer.load(session.bundle.path), config, texts)
    words = sum(map(len, rows))
    if words <= _NEIGHBOURS:
        msg = f"The text holds {words} words; comparing neighbours takes at least {_NEIGHBOURS + 1}."
        raise ParamError(msg)
    ids, mask = pad(sequences, 0)
    place = (np.repeat(np.arange(len(rows)), [len(one) for one in rows]), np.concatenate(rows))
    expected = hidden_states(config, tensors, ids, mask)[(slice(None), *place)]
    layers, found = [], expected[-1]
    for layer in _depths(session, config):
        one_layer = np.zeros(config.num_hidden_layers + 1, dtype=np.float32)
        one_layer[layer] = 1
        found = session.run(ids, mask, one_layer)[place].astype(np.float64)
        cosines = (_unit(found) * _unit(expected[layer])).sum(axis=1)
        layers.append(LayerCosine(layer, float(cosines.mean()), float(cosines.min())))
    ours, theirs = _nearest(found), _nearest(expected[-1])
    shared = [len(np.intersect1d(one, other)) for one, other in zip(ours, theirs, strict=True)]
    return Closeness(
        words=words,
        layers=tuple(layers),
        same_nearest=float((ours[:, 0] == theirs[:, 0]).mean()),
        shared_of_ten=float(np.mean(shared)) / _NEIGHBOURS,
    )


def _encoded(
    tokenizer: PieceTokenizer, config: AlbertConfig, texts: Iterable[str]
) -> tuple[list[Int64Array], list[Int64Array]]:
    """Return framed sequences, and the row of each word's first piece in its sequence."""
    split, words = SentenceSplitter().split, WordTokenizer().tokenize
    sequences, rows, count = [], [], 0
    most_pieces = config.max_position_embeddings - 2
    for text in texts:
        for start, stop in split(text):
            sentence = text[start:stop]
            encoded = encode_sentence(tokenizer, sentence, words(sentence))
            firsts, stops = encoded.ranges.T
            firsts = firsts[(stops > firsts) & (firsts < most_pieces)][: _MOST_WORDS - count]
            if not len(firsts):
                continue
            ids = encoded.ids[:most_pieces]
            sequences.append(np.concatenate([[tokenizer.cls_id], ids, [tokenizer.sep_id]]))
            rows.append(firsts + 1)
            count += len(firsts)
            if count >= _MOST_WORDS:
                return sequences, rows
    return sequences, rows


def _depths(session: EncoderSession, config: AlbertConfig) -> list[int]:
    """Return the layers to compare: a few depths, or the last one where a graph gives no other."""
    last = config.num_hidden_layers
    if not session.mixes_layers:
        return [last]
    return sorted({1, *(last * step // _DEPTHS for step in range(1, _DEPTHS + 1))} - {0})


def _unit(vectors: Float64Array) -> Float64Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float64Array = vectors / np.maximum(lengths, np.finfo(np.float64).tiny)
    return unit


def _nearest(vectors: Float64Array) -> Int64Array:
    """Return the indices of the ten nearest other words of each word, int64 ``[words, 10]``."""
    unit = _unit(vectors)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :_NEIGHBOURS]
