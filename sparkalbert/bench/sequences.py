"""A text as what the graph sees of it: framed sequences of pieces, counted without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle import Bundle
from sparkalbert.inference.engine import VectorOptions
from sparkalbert.inference.windows import window_starts
from sparkalbert.text import PieceTokenizer, SentenceSplitter, WordTokenizer
from sparkalbert.text.encoding import encode_sentence

__all__ = ["EncodedTexts", "encode_texts"]

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EncodedTexts:
    """What the texts hold.

    Attributes
    ----------
    sequences
        int64 ``[pieces]`` of each window of each sentence, ``[CLS]`` and ``[SEP]`` included.
    words
        Words of each text.
    """

    sequences: list[Int64Array]
    words: list[int]

    @property
    def pieces(self) -> int:
        """Pieces that must be computed, padding not counted."""
        return sum(len(sequence) for sequence in self.sequences)

    @property
    def repeated_share(self) -> float:
        """Share of pieces in sequences that have occurred before; our pipeline may compute them once."""
        seen: set[bytes] = set()
        repeated = 0
        for sequence in self.sequences:
            key = sequence.tobytes()
            repeated += len(sequence) if key in seen else 0
            seen.add(key)
        return repeated / max(self.pieces, 1)


def encode_texts(bundle: Bundle, texts: Sequence[str]) -> EncodedTexts:
    """Split and encode texts as :class:`~sparkalbert.inference.WordEmbedder` does by default."""
    tokenizer = PieceTokenizer.load(bundle.path)
    splitter, word_tokenizer = SentenceSplitter(), WordTokenizer()
    capacity = VectorOptions().max_sentence_length - 2
    encoded = EncodedTexts([], [])
    for text in texts:
        words = 0
        for sentence in splitter.split(text):
            content = text[slice(*sentence)]
            tokens = word_tokenizer.tokenize(content)
            words += len(tokens)
            ids = encode_sentence(tokenizer, content, tokens).ids
            for start in window_starts(len(ids), capacity) if len(ids) else ():
                window = ids[start : start + capacity]
                framed = np.concatenate([[tokenizer.cls_id], window, [tokenizer.sep_id]])
                encoded.sequences.append(framed)
        encoded.words.append(words)
    return encoded
