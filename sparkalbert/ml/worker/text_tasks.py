"""The tasks of SentenceDetector, Tokenizer and RegexTokenizer, which find spans in texts.

They work on whole Arrow batches: the rules are applied to a flat list of texts, and the spans become flat arrays. The
default Tokenizer works on the bytes of all texts at once. Large batches are cut into groups of rows, so that memory
stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkalbert.arrays import BoolArray, Int64Array, Uint8Array
from sparkalbert.ml.schema import DOCUMENT, TOKEN
from sparkalbert.ml.worker.arrow import (
    annotation_array,
    list_array,
    metadata_array,
    number_strings,
    string_array,
    string_bytes,
    substring_array,
)
from sparkalbert.ml.worker.fields import BEGIN, RESULT, SENTENCE, Field
from sparkalbert.ml.worker.rows import item_counts, row_groups, sums
from sparkalbert.offsets import Span, is_bmp, utf16_index
from sparkalbert.text.segmentation.plain_tokens import find_tokens, utf16_offsets
from sparkalbert.text.segmentation.regex_tokens import RegexTokenizerOptions, RegexTokenSplitter
from sparkalbert.text.segmentation.sentences import SentenceOptions, SentenceSplitter
from sparkalbert.text.segmentation.tokens import TokenizerOptions, WordTokenizer
from sparkalbert.timings import TIMINGS

__all__ = ["RegexTokenTask", "SentenceTask", "TokenTask"]

_GROUP_BYTES: Final = 1 << 20
"""Bytes of text processed together; the annotations of its tokens take about thirty times as much memory."""


@dataclass(frozen=True)
class SentenceTask:
    """Finds the sentences of documents.

    Attributes
    ----------
    options
        The rules.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = ((BEGIN, RESULT),)
    """What is read of the documents."""

    options: SentenceOptions

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the sentences of every row, in order."""
        find = _splitter(self.options).split_with_lags
        for begin, result in row_groups(batches, _text_bytes, _GROUP_BYTES):
            with TIMINGS.measure("tokenize"):
                found = _find(find, begin, result)
            with TIMINGS.measure("emit"):
                column = found.column(DOCUMENT, number_strings(found.position()))
            yield column


@dataclass(frozen=True)
class TokenTask:
    """Finds the tokens of sentences.

    Attributes
    ----------
    options
        The rules.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = ((BEGIN, RESULT, SENTENCE),)
    """What is read of the sentences."""

    options: TokenizerOptions

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the tokens of every row, in order."""
        tokenizer = _tokenizer(self.options)
        classes = tokenizer.byte_classes
        for begin, result, sentence in row_groups(batches, _text_bytes, _GROUP_BYTES):
            with TIMINGS.measure("tokenize"):
                if classes is None:
                    found = _find(tokenizer.tokenize_with_lags, begin, result)
                else:
                    found = _find_plain(self.options, classes, begin, result)
            with TIMINGS.measure("emit"):
                column = found.column(TOKEN, found.sentence(sentence))
            yield column


@dataclass(frozen=True)
class RegexTokenTask:
    """Splits sentences at a pattern.

    Attributes
    ----------
    options
        The rules.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = TokenTask.inputs
    """What is read of the sentences."""

    options: RegexTokenizerOptions

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield the tokens of every row, in order."""
        splitter = RegexTokenSplitter(self.options)
        for begin, result, sentence in row_groups(batches, _text_bytes, _GROUP_BYTES):
            with TIMINGS.measure("tokenize"):
                tokens = [splitter.split(text or "") for text in result.flatten().to_pylist()]
                flat = list(chain.from_iterable(tokens))
                start, stop = (np.array([token[at] for token in flat], dtype=np.int64) for at in (1, 2))
                text = np.repeat(np.arange(len(tokens)), [len(one) for one in tokens])
                found = _placed(start, stop, string_array([token.result for token in flat]), text, begin, result)
            with TIMINGS.measure("emit"):
                column = found.column(TOKEN, found.sentence(sentence))
            yield column


@dataclass(frozen=True)
class _Found:
    """The spans found in the texts of some rows.

    Attributes
    ----------
    begin, end
        int64 ``[n]``: UTF-16 units of the document, `end` inclusive.
    result
        string ``[n]``.
    text
        int64 ``[n]``: the index of each span's text, null rows not counted.
    in_row
        int64 ``[rows]``: the number of spans.
    valid
        bool ``[rows]``: which rows are not null.
    """

    begin: Int64Array
    end: Int64Array
    result: pa.Array
    text: Int64Array
    in_row: Int64Array
    valid: BoolArray

    def column(self, kind: str, sentence: pa.Array) -> pa.Array:
        """Return the annotation column; `sentence` is the sentence number for each metadata."""
        metadata = metadata_array([("sentence", sentence)], len(sentence))
        items = annotation_array(kind, self.begin, self.end, self.result, metadata, None)
        return list_array(self.in_row, items, valid=self.valid, nullable=True)

    def sentence(self, numbers: pa.Array) -> pa.Array:
        """Return the number of each span's sentence, given those of the texts, ``list<string>`` ``[rows]``."""
        return numbers.flatten().fill_null("0").take(pa.array(self.text))

    def position(self) -> Int64Array:
        """Return the number of spans before each span in its row, int64 ``[n]``."""
        before = np.cumsum(self.in_row) - self.in_row
        return np.arange(len(self.text)) - np.repeat(before, self.in_row)


@lru_cache(maxsize=8)
def _splitter(options: SentenceOptions) -> SentenceSplitter:
    """Return a splitter that is kept for the next task of a reused worker."""
    return SentenceSplitter(options)


@lru_cache(maxsize=8)
def _tokenizer(options: TokenizerOptions) -> WordTokenizer:
    return WordTokenizer(options)


def _find(find: Callable[[str], tuple[Sequence[Span], Sequence[int]]], begin: pa.Array, result: pa.Array) -> _Found:
    """Apply `find` to each text of some rows.

    Parameters
    ----------
    find
        Returns the spans of a text, in code points, and by how many UTF-16 units Spark NLP's begin and end are
        too low.
    begin, result
        ``list<int32>`` and ``list<string>`` ``[rows]``: where each text begins in its document, and the texts.
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


def _find_plain(options: TokenizerOptions, classes: Uint8Array, begin: pa.Array, result: pa.Array) -> _Found:
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
    """Return spans with offsets in their documents; `start` and `stop` count from their texts."""
    counts, valid = item_counts(result)
    base = np.asarray(begin.flatten().fill_null(0), dtype=np.int64)
    in_row = sums(np.bincount(text, minlength=len(base)), counts)
    return _Found(base[text] + start, base[text] + stop - 1, strings, text, in_row, valid)


def _text_bytes(columns: tuple[pa.Array, ...]) -> Int64Array:
    """Return the bytes of text of each row, int64 ``[rows]``."""
    texts = columns[1]
    lengths = np.asarray(pc.binary_length(texts.flatten()).fill_null(0), dtype=np.int64)
    counts, _ = item_counts(texts)
    return sums(lengths, counts)
