"""What SentenceDetector and Tokenizer run in a Spark worker: texts in, stretches of them out.

Works on whole Arrow batches: one flat list of texts, one call of the rules for each, flat arrays back. The
default Tokenizer needs no call for each text, it works on the bytes of all. Large batches are cut into
groups of rows, so that memory stays bounded. It knows nothing about DataFrames or Params, and imports no
stage: workers start faster so.
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
    number_strings,
    string_array,
    string_bytes,
    substring_array,
)
from sparkalbert.ml.worker.fields import BEGIN, RESULT, SENTENCE, arrow_types
from sparkalbert.stage_times import STAGE_TIMES
from sparkalbert.text.plain_tokens import find_tokens, utf16_offsets
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

SENTENCE_FIELDS: Final = (BEGIN, RESULT)
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
        find = _splitter(self.options).split_with_lags
        for begin, result in _row_groups(batches):
            with STAGE_TIMES.measure("tokenize"):
                found = _find(find, begin, result)
            with STAGE_TIMES.measure("emit"):
                column = found.column("document", number_strings(found.position()))
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
        classes = tokenizer.byte_classes
        for begin, result, sentence in _row_groups(batches):
            with STAGE_TIMES.measure("tokenize"):
                if classes is None:
                    found = _find(tokenizer.tokenize_with_lags, begin, result)
                else:
                    found = _find_plain(self.options, classes, begin, result)
            with STAGE_TIMES.measure("emit"):
                index = sentence.flatten().fill_null("0").take(pa.array(found.text))
                column = found.column("token", index)
            yield column


@dataclass(frozen=True)
class _Found:
    """The stretches found in the texts of some rows.

    Attributes
    ----------
    begin, end
        int64 ``[n]``: UTF-16 units of the document, `end` inclusive.
    result
        string ``[n]``.
    text
        int64 ``[n]``: index of the text each lies in, null rows not counted.
    in_row
        int64 ``[rows]``: number of stretches.
    valid
        bool ``[rows]``: which rows are not null.
    """

    begin: Int64Array
    end: Int64Array
    result: pa.Array
    text: Int64Array
    in_row: Int64Array
    valid: npt.NDArray[np.bool_]

    def column(self, kind: str, sentence: pa.Array) -> pa.Array:
        """Return the annotation column; `sentence` says what each metadata calls its sentence."""
        metadata = metadata_array([(_SENTENCE, sentence)], len(sentence))
        items = annotation_array(kind, self.begin, self.end, self.result, metadata, None)
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
    find: Callable[[str], tuple[Sequence[Span], Sequence[int]]], begin: pa.Array, result: pa.Array
) -> _Found:
    """Apply `find` to each text of some rows.

    Parameters
    ----------
    find
        Returns the stretches of a text, in code points, and how far Spark NLP's begin and end lie before
        the right ones, in UTF-16 units.
    begin, result
        ``list<int32>`` and ``list<string>`` ``[rows]``: where each text begins in its document, and the
        texts.
    """
    in_text: list[int] = []
    results: list[str] = []
    spans: list[Sequence[int]] = []
    lags: list[int] = []
    for text in result.flatten().to_pylist():
        found, its_lags = find(text or "")
        in_text.append(len(found))
        results += [text[start:stop] for start, stop in found]
        spans += found if not found or is_bmp(text) else utf16_index(text)[np.array(found)].tolist()
        lags += its_lags
    flat = np.fromiter(chain.from_iterable(spans), dtype=np.int64, count=2 * len(spans)).reshape(-1, 2)
    shown = flat - np.array(lags, dtype=np.int64)[:, None]
    text_index = np.repeat(np.arange(len(in_text)), in_text)
    return _placed(shown[:, 0], shown[:, 1], string_array(results), text_index, begin, result)


def _find_plain(
    options: TokenizerOptions, classes: npt.NDArray[np.uint8], begin: pa.Array, result: pa.Array
) -> _Found:
    """Find in all texts at once what :func:`_find` finds with a tokenizer that has byte classes."""
    utf8, bounds = string_bytes(result.flatten())
    start, stop, text = find_tokens(utf8, bounds, classes)
    units = utf16_offsets(utf8)
    length = units[stop] - units[start]
    kept = (length >= options.min_length) & (length <= options.max_length)
    start, stop, text = start[kept], stop[kept], text[kept]
    before = units[bounds[text]]
    strings = substring_array(utf8, start, stop)
    return _placed(units[start] - before, units[stop] - before, strings, text, begin, result)


def _placed(
    start: Int64Array,
    stop: Int64Array,
    strings: pa.Array,
    text: Int64Array,
    begin: pa.Array,
    result: pa.Array,
) -> _Found:
    """Return stretches with offsets in their documents; `start` and `stop` count from their texts."""
    bounds, valid = list_bounds(result)
    base = np.asarray(begin.flatten().fill_null(0), dtype=np.int64)
    in_row = _sums(np.bincount(text, minlength=len(base)), np.where(valid, np.diff(bounds), 0))
    return _Found(base[text] + start, base[text] + stop - 1, strings, text, in_row, valid)


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
