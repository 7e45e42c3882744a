"""The tasks of StopWordsCleaner and Normalizer, which drop and change tokens. Each distinct word is looked at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
import pyarrow as pa

from sparkalbert.arrays import Int64Array
from sparkalbert.ml.schema import TOKEN
from sparkalbert.ml.worker.arrow import annotation_array, entries_map, list_array, string_array
from sparkalbert.ml.worker.fields import BEGIN, END, METADATA, RESULT, Field
from sparkalbert.ml.worker.rows import item_counts, row_of_item
from sparkalbert.offsets import utf16_length
from sparkalbert.text.segmentation.java_case import lower_java
from sparkalbert.text.segmentation.normalized_tokens import NormalizerOptions, TokenNormalizer

__all__ = ["NormalizeTask", "StopWordTask"]


@dataclass(frozen=True)
class StopWordTask:
    """Drops the tokens that are stop words.

    Attributes
    ----------
    stop_words
        The words.
    case_sensitive
        If false, words are compared in lower case.
    locale
        Language whose rules lower-case.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = ((BEGIN, END, RESULT, METADATA),)
    """What is read of the tokens."""

    stop_words: tuple[str, ...]
    case_sensitive: bool
    locale: str

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the other tokens of every row, in order."""
        stop_words = frozenset(map(self._compared, self.stop_words))
        for columns in batches:
            words, word_of_token = _distinct(columns[2])
            kept = np.array([self._compared(word) not in stop_words for word in words], dtype=bool)
            tokens = np.flatnonzero(kept[word_of_token])
            yield _tokens(columns, tokens, None)

    def _compared(self, word: str) -> str:
        return word if self.case_sensitive else lower_java(word, self.locale)


@dataclass(frozen=True)
class NormalizeTask:
    """Cleans tokens.

    Attributes
    ----------
    options
        The rules.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = StopWordTask.inputs
    """What is read of the tokens."""

    options: NormalizerOptions

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield what became of the tokens of every row, in order."""
        normalizer = TokenNormalizer(self.options)
        for columns in batches:
            words, word_of_token = _distinct(columns[2])
            made = [normalizer.normalize(word) for word in words]
            counts = np.array([len(one) for one in made], dtype=np.int64)
            tokens = np.repeat(np.arange(len(word_of_token)), counts[word_of_token])
            yield _tokens(columns, tokens, list(chain.from_iterable(made[word] for word in word_of_token.tolist())))


def _distinct(results: pa.Array) -> tuple[list[str], Int64Array]:
    """Return the distinct words of some rows, and the place of each token's word among them; null counts as empty."""
    encoded = results.flatten().fill_null("").dictionary_encode()
    return encoded.dictionary.to_pylist(), np.asarray(encoded.indices, dtype=np.int64)


def _tokens(columns: tuple[pa.Array, ...], tokens: Int64Array, results: list[str] | None) -> pa.Array:
    """Return a token column.

    Parameters
    ----------
    columns
        What was read of the tokens.
    tokens
        int64 ``[n]``: the token that each token returned was, null rows not counted.
    results
        The new words, from which the ends follow; None keeps words and ends.
    """
    _, valid = item_counts(columns[0])
    taken = pa.array(tokens)
    begin, end, result, metadata = (column.flatten().take(taken) for column in columns)
    starts, ends = (np.asarray(place, dtype=np.int64) for place in (begin, end))
    if results is not None:
        result = string_array(results)
        ends = starts + np.array([utf16_length(word) for word in results], dtype=np.int64) - 1
    items = annotation_array(TOKEN, starts, ends, result, entries_map(metadata), None)
    in_row = np.bincount(row_of_item(columns[0])[tokens], minlength=len(valid))
    return list_array(in_row, items, valid=valid, nullable=True)
