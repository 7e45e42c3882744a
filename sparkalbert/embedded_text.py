"""Holds an embedded text: its words with their spans and vectors, and its sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.vectors import group_means

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EmbeddedText"]


@dataclass(frozen=True, eq=False)
class EmbeddedText:
    """The words of one text and their vectors, in order.

    Attributes
    ----------
    tokens
        The words.
    start, stop
        The code point span of each word: ``text[start[i]:stop[i]] == tokens[i]``. For a text that was given as
        tokens, spans in the tokens joined by single spaces.
    sentence
        The position of each word's sentence in the text.
    vectors
        float32 ``[tokens, dimension]``, an array of this text alone; zeros for a word without a piece.
    piece
        The id of the first piece of each word in the model's vocabulary, -1 for a word without a piece.
    sentence_start, sentence_stop
        The code point span of each sentence, as for words.
    """

    tokens: list[str]
    start: list[int]
    stop: list[int]
    sentence: list[int]
    vectors: Float32Array
    piece: list[int] = field(default_factory=list)
    sentence_start: list[int] = field(default_factory=list)
    sentence_stop: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tokens)

    def text_vector(self) -> Float32Array:
        """Return the mean of the word vectors, float32 ``[dimension]``; zeros for a text without words."""
        return group_means(self.vectors, np.zeros(len(self), dtype=np.int64), 1).reshape(-1)

    def sentence_vectors(self) -> Float32Array:
        """Return the mean of the word vectors of each sentence, float32 ``[sentences, dimension]``.

        Row ``i`` is the sentence from ``sentence_start[i]`` to ``sentence_stop[i]``, the words whose `sentence` is
        ``i``. The vector of a sentence without words (of a zero-width space, for example) is zeros.
        """
        count = max(len(self.sentence_start), max(self.sentence, default=-1) + 1)
        return group_means(self.vectors, np.array(self.sentence, dtype=np.int64), count)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per word: ``sentence``, ``token``, ``start``, ``stop`` (int64) and ``vector`` (ndarray)."""
        import pandas as pd

        # With the types that pandas would infer, a text without words would turn the numbers of others into floats.
        columns = {
            "sentence": np.array(self.sentence, dtype=np.int64),
            "token": pd.Series(self.tokens, dtype=str),
            "start": np.array(self.start, dtype=np.int64),
            "stop": np.array(self.stop, dtype=np.int64),
            "vector": pd.Series(list(self.vectors), dtype=object),
        }
        return pd.DataFrame(columns)
