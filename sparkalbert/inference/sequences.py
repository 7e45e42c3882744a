"""Lists the sequences of pieces that the graph gets for some texts, without a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparkalbert.arrays import Int64Array
from sparkalbert.bundle import Bundle
from sparkalbert.inference.pooling import VectorOptions
from sparkalbert.inference.windows import window_starts
from sparkalbert.offsets import span_array
from sparkalbert.text import PieceTokenizer, SentenceSplitter, WordTokenizer
from sparkalbert.text.pieces.encoding import encode_sentence

__all__ = ["EncodedTexts", "encode_texts"]


@dataclass(frozen=True)
class EncodedTexts:
    """The sequences and word counts of some texts.

    Attributes
    ----------
    sequences
        int64 ``[pieces]`` of each window of each sentence, ``[CLS]`` and ``[SEP]`` included.
    words
        Number of words of each text.
    """

    sequences: list[Int64Array]
    words: list[int]

    @property
    def pieces(self) -> int:
        """Number of pieces to compute, without padding."""
        return sum(len(sequence) for sequence in self.sequences)

    @property
    def repeated_share(self) -> float:
        """Share of the pieces that are in sequences that occur again; the pipeline may compute them once."""
        seen: set[bytes] = set()
        repeated = 0
        for sequence in self.sequences:
            key = sequence.tobytes()
            repeated += len(sequence) if key in seen else 0
            seen.add(key)
        return repeated / max(self.pieces, 1)


def encode_texts(bundle: Bundle, texts: Sequence[str]) -> EncodedTexts:
    """Split and encode texts as :class:`~sparkalbert.WordEmbedder` does by default."""
    tokenizer = PieceTokenizer.load(bundle.path)
    splitter, word_tokenizer = SentenceSplitter(), WordTokenizer()
    capacity = VectorOptions().window_capacity
    encoded = EncodedTexts([], [])
    for text in texts:
        words = 0
        for start, stop in splitter.split(text):
            sentence = text[start:stop]
            spans = span_array(word_tokenizer.tokenize(sentence))
            words += len(spans)
            ids = encode_sentence(tokenizer, sentence, spans).ids
            for first in window_starts(len(ids), capacity) if len(ids) else ():
                window = ids[first : first + capacity]
                framed = np.concatenate([[tokenizer.cls_id], window, [tokenizer.sep_id]])
                encoded.sequences.append(framed)
        encoded.words.append(words)
    return encoded
