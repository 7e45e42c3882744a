"""What SentenceDetector and Tokenizer run in a Spark worker: texts in, stretches of them out.

Works on whole Arrow batches: one flat list of texts, one call of the rules for each, flat arrays back.
Large batches are cut into groups of rows, so that memory stays bounded. It knows nothing about
DataFrames or Params, and imports no stage: workers start faster so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkalbert.annotations import Span, is_bmp, utf16_index
from sparkalbert.ml.worker.arrow import (
    annotation_array,
    list_array,
    list_bounds,
    metadata_array,
    string_array,
)
from sparkalbert.ml.worker.fields import BEGIN, METADATA, RESULT, SENTENCE, arrow_types
from sparkalbert.stage_times import STAGE_TIMES
from sparkalbert.text.sentences import SentenceOptions, SentenceSplitter
from sparkalbert.text.tokens import TokenizerOptions, WordTokenizer

__all__ = [
    "SENTENCE_FIELDS",
    "SENTENCE_INPUTS",
    "TOKEN_FIELDS",
    "TOKEN_INPUTS",
    "SentenceTask",
    "TokenTask",
]

Int64Array = npt.NDArray[np.int64]

_GROUP_BYTES: Final = 1 << 20
"""Text worked on at a time; the annotations of its tokens take about thirty times as much."""

_SENTENCE: Final = "sentence"

SENTENCE_FIELDS: Final = (BEGIN, RESULT, METADATA)
"""What is read of the documents."""

TOKEN_FIELDS: Final = (BEGIN, RESULT, SENTENCE)
"""What is read of the sentences."""

SENTENCE_INPUTS: Final = arrow_types(SENTENCE_FIELDS)
TOKEN_INPUTS: Final = arrow_types(TOKEN_FIELDS)


@dataclass(frozen=True)
class SentenceTask:
    """Documents to sentences.

    Attributes
    ----------
    options
        The rules.
    """

    options: SentenceOptions

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the sentences of every row, in order."""
        find = _splitter(self.options).split
        for begin, result, entries in _row_groups(batches):
            with STAGE_TIMES.measure("tokenize"):
                found = _find(find, begin, result)
            with STAGE_TIMES.measure("emit"):
                column = found.column("document", _sentence_metadata(found, entries.flatten()))
            yield column


@dataclass(frozen=True)
class TokenTask:
    """Sentences to tokens.

    Attributes
    ----------
    options
        The rules.
    """

    options: TokenizerOptions

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the tokens of every row, in order."""
        tokenizer = _tokenizer(self.options)
        for begin, result, sentence in _row_groups(batches):
            with STAGE_TIMES.measure("tokenize"):
                found = _find(tokenizer.tokenize, begin, result, tokenizer.offset_lags)
            with STAGE_TIMES.measure("emit"):
                index = sentence.flatten().fill_null("0").take(pa.array(found.text))
                column = found.column("token", metadata_array([(_SENTENCE, index)], len(index)))
            yield column


@dataclass(frozen=True)
class _Found:
    """The stretches found in the texts of some rows.

    Attributes
    ----------
    begin, end
        int64 ``[n]``: UTF-16 units of the document, `end` inclusive.
    result
        The stretches.
    text
        int64 ``[n]``: index of the text each lies in, null rows not counted.
    in_row
        int64 ``[rows]``: number of stretches.
    valid
        bool ``[rows]``: which rows are not null.
    """

    begin: Int64Array
    end: Int64Array
    result: list[str]
    text: Int64Array
    in_row: Int64Array
    valid: npt.NDArray[np.bool_]

    def column(self, kind: str, metadata: pa.Array) -> pa.Array:
        """Return the annotation column."""
        items = annotation_array(kind, self.begin, self.end, string_array(self.result), metadata, None)
        return list_array(self.in_row, items, valid=self.valid, nullable=True)

    def position(self) -> Int64Array:
        """Return int64 ``[n]``: how many stretches of the same row come before each."""
        before = np.cumsum(self.in_row) - self.in_row
        return np.arange(len(self.text)) - np.repeat(before, self.in_row)


@lru_cache(maxsize=8)
def _splitter(options: SentenceOptions) -> SentenceSplitter:
    """Return this process's splitter; a reused worker finds it where the task before left it."""
    return SentenceSplitter(options)


@lru_cache(maxsize=8)
def _tokenizer(options: TokenizerOptions) -> WordTokenizer:
    return WordTokenizer(options)


def _find(
    find: Callable[[str], Sequence[Span]],
    begin: pa.Array,
    result: pa.Array,
    lags: Callable[[str, Sequence[Span]], Sequence[int]] | None = None,
) -> _Found:
    """Apply `find` to each text of some rows.

    Parameters
    ----------
    find
        Returns the stretches of a text, in code points.
    begin, result
        ``list<int32>`` and ``list<string>`` ``[rows]``: where each text begins in its document, and the
        texts.
    lags
        Returns how far Spark NLP's begin and end lie before the right ones, in a text with characters
        beyond the BMP; none unless given.
    """
    bounds, valid = list_bounds(result)
    in_text: list[int] = []
    results: list[str] = []
    spans: list[Sequence[int]] = []
    for text in result.flatten().to_pylist():
        found = find(text or "")
        in_text.append(len(found))
        results += [text[start:stop] for start, stop in found]
        if not found or is_bmp(text):
            spans += found
            continue
        wide = utf16_index(text)[np.array(found)]
        spans += (wide if lags is None else wide - np.array(lags(text, found))[:, None]).tolist()
    flat = np.fromiter(chain.from_iterable(spans), dtype=np.int64, count=2 * len(spans)).reshape(-1, 2)
    text_index = np.repeat(np.arange(len(in_text)), in_text)
    base = np.asarray(begin.flatten().fill_null(0), dtype=np.int64)[text_index]
    in_row = _sums(np.array(in_text, dtype=np.int64), np.where(valid, np.diff(bounds), 0))
    return _Found(base + flat[:, 0], base + flat[:, 1] - 1, results, text_index, in_row, valid)


def _sums(values: Int64Array, counts: Int64Array) -> Int64Array:
    """Return the sum of the first ``counts[0]`` values, of the next ``counts[1]``, and so on.

    Examples
    --------
    >>> _sums(np.array([1, 2, 3]), np.array([2, 0, 1])).tolist()
    [3, 0, 3]
    """
    running = np.concatenate([[0], np.cumsum(values)])
    ends = np.cumsum(counts)
    sums: Int64Array = running[ends] - running[ends - counts]
    return sums


def _row_groups(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[tuple[pa.Array, ...]]:
    """Cut batches into groups of rows with about `_GROUP_BYTES` of text, at least one row each."""
    for columns in batches:
        texts = columns[1]
        bounds, valid = list_bounds(texts)
        lengths = np.asarray(pc.binary_length(texts.flatten()).fill_null(0), dtype=np.int64)
        group = np.cumsum(_sums(lengths, np.where(valid, np.diff(bounds), 0))) // _GROUP_BYTES
        edges = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(texts)]
        for start, stop in pairwise(edges):
            if stop > start:
                yield tuple(column.slice(start, stop - start) for column in columns)


def _sentence_metadata(found: _Found, entries: pa.Array) -> pa.Array:
    """Return each sentence's metadata: its index in the row, then what its document says.

    Parameters
    ----------
    found
        The sentences.
    entries
        ``list<struct<key, value>>`` of each document.
    """
    index = string_array(found.position().astype(str).tolist())
    flat = entries.flatten()
    keys, values = flat.field("key"), flat.field("value")
    own = np.asarray(pc.not_equal(keys, _SENTENCE), dtype=bool)
    if not own.any():
        return metadata_array([(_SENTENCE, index)], len(index))
    bounds, valid = list_bounds(entries)
    own_counts = _sums(own.astype(np.int64), np.where(valid, np.diff(bounds), 0))
    own_starts = np.cumsum(own_counts) - own_counts
    width = 1 + own_counts[found.text]
    owner = np.repeat(np.arange(len(width)), width)
    inner = np.arange(len(owner)) - np.repeat(np.cumsum(width) - width, width)
    entry = own_starts[found.text][owner] + inner - 1
    mask = pa.array(own)
    all_keys = pa.concat_arrays([pa.array([_SENTENCE]), keys.filter(mask)])
    all_values = pa.concat_arrays([index, values.filter(mask)])
    offsets = np.concatenate([[0], np.cumsum(width)]).astype(np.int32)
    return pa.MapArray.from_arrays(
        pa.array(offsets),
        all_keys.take(pa.array(np.where(inner == 0, 0, 1 + entry))),
        all_values.take(pa.array(np.where(inner == 0, owner, len(index) + entry))),
    )
