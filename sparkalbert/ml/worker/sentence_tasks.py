"""The tasks of TokenAssembler and TextMatcher, which read sentences together with the tokens inside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

import numpy as np
import pyarrow as pa

from sparkalbert.ml.schema import CHUNK, DOCUMENT
from sparkalbert.ml.worker.arrow import annotation_array, list_array, metadata_array, string_array
from sparkalbert.ml.worker.fields import BEGIN, END, RESULT, Field
from sparkalbert.ml.worker.rows import item_counts, null_together
from sparkalbert.offsets import code_point_index, is_bmp, utf16_length, utf16_units
from sparkalbert.text.segmentation.phrases import PhraseFinder, merge_spans

__all__ = ["AssemblyTask", "MatchTask"]

_INPUTS: Final = ((BEGIN, END, RESULT), (BEGIN, END, RESULT))
_SPACES: Final = frozenset(" \t\n\x0b\f\r\x85\u2028\u2029")


class _Part(NamedTuple):
    """A sentence or a token; begin and end as in columns."""

    begin: int
    end: int
    result: str


@dataclass(frozen=True)
class AssemblyTask:
    """Puts the tokens of each sentence together again.

    Attributes
    ----------
    preserve_position
        If true, the white space of the sentence goes between the tokens, otherwise one space.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = _INPUTS
    """What is read of the sentences and of the tokens."""

    preserve_position: bool

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield a document for each sentence of every row, in order."""
        for columns in map(null_together, batches):
            rows = [[self._document(*found) for found in row] for row in _rows(columns)]
            yield _column(DOCUMENT, columns, rows, [("sentence", _numbers(rows))])

    def _document(self, sentence: _Part, tokens: Sequence[_Part]) -> _Part:
        text = self._text(sentence, tokens)
        return _Part(sentence.begin, sentence.begin + utf16_length(text) - 1, text)

    def _text(self, sentence: _Part, tokens: Sequence[_Part]) -> str:
        units = utf16_units(sentence.result) if self.preserve_position else ""
        parts = []
        last = -1
        for token in tokens:
            if last != -1 and token.begin > last + 1:
                between = units[last + 1 - sentence.begin : token.begin - sentence.begin]
                parts.append("".join(filter(_SPACES.__contains__, between)) or " ")
            parts.append(token.result)
            last = token.end
        return "".join(parts)


@dataclass(frozen=True)
class MatchTask:
    """Finds phrases among the tokens of each sentence.

    Attributes
    ----------
    phrases
        The words of each phrase.
    case_sensitive
        If false, words are compared in lower case.
    merge_overlapping
        If true, places that overlap become one.
    entity
        The ``entity`` of the metadata.
    build_from_tokens
        If true, a chunk is its tokens joined by spaces, otherwise the text of the sentence.
    """

    inputs: ClassVar[Sequence[Sequence[Field]]] = _INPUTS
    """What is read of the sentences and of the tokens."""

    phrases: Sequence[Sequence[str]]
    case_sensitive: bool
    merge_overlapping: bool
    entity: str
    build_from_tokens: bool

    def __call__(self, batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        """Yield a chunk for each place of a phrase in every row: by sentence, then by end, the longer first."""
        finder = PhraseFinder(self.phrases, case_sensitive=self.case_sensitive)
        for columns in map(null_together, batches):
            rows: list[list[_Part]] = []
            sentences: list[str] = []
            for row in _rows(columns):
                rows.append([])
                for number, (sentence, tokens) in enumerate(row):
                    chunks = list(self._chunks(finder, sentence, tokens))
                    rows[-1] += chunks
                    sentences += [str(number)] * len(chunks)
            metadata = [
                ("entity", [self.entity] * len(sentences)),
                ("sentence", sentences),
                ("chunk", _numbers(rows)),
            ]
            yield _column(CHUNK, columns, rows, metadata)

    def _chunks(self, finder: PhraseFinder, sentence: _Part, tokens: Sequence[_Part]) -> Iterator[_Part]:
        spans = finder.find([token.result for token in tokens])
        for start, stop in merge_spans(spans) if self.merge_overlapping else spans:
            begin, end = tokens[start].begin, tokens[stop - 1].end
            if self.build_from_tokens:
                inside = (token.result for token in tokens if begin <= token.begin and token.end <= end)
                yield _Part(begin, end, " ".join(inside))
            else:
                yield _Part(begin, end, _utf16_slice(sentence, begin, end))


def _utf16_slice(sentence: _Part, begin: int, end: int) -> str:
    """Return the text of a sentence from `begin` to `end`, as far as it reaches."""
    start, stop = begin - sentence.begin, end - sentence.begin + 1
    text = sentence.result
    if is_bmp(text):
        return text[start:stop]
    index = code_point_index(text)
    return text[index[start] : index[min(stop, len(index) - 1)]]


def _rows(columns: Sequence[pa.Array]) -> Iterator[list[tuple[_Part, list[_Part]]]]:
    """Yield each row's sentences with the tokens inside them; none for a null row."""
    for row in zip(*(column.to_pylist() for column in columns), strict=True):
        if row[0] is None:
            yield []
            continue
        tokens = [_Part(begin, end, result or "") for begin, end, result in zip(*row[3:], strict=True)]
        begins, ends = (np.array(places, dtype=np.int64) for places in row[3:5])
        found = []
        for begin, end, result in zip(*row[:3], strict=True):
            inside = np.flatnonzero((begins >= begin) & (ends <= end)).tolist()
            found.append((_Part(begin, end, result or ""), [tokens[at] for at in inside]))
        yield found


def _numbers(rows: Sequence[Sequence[_Part]]) -> list[str]:
    """Return the place of each part in its row."""
    return [str(number) for row in rows for number in range(len(row))]


def _column(
    kind: str, columns: Sequence[pa.Array], rows: Sequence[Sequence[_Part]], metadata: Sequence[tuple[str, list[str]]]
) -> pa.Array:
    """Return an annotation column; `metadata` has a list per key, with one value per annotation."""
    _, valid = item_counts(columns[0])
    parts = [part for row in rows for part in row]
    begin, end = (np.array([part[at] for part in parts], dtype=np.int64) for at in (0, 1))
    entries = metadata_array([(key, string_array(values)) for key, values in metadata], len(parts))
    items = annotation_array(kind, begin, end, string_array([part.result for part in parts]), entries, None)
    return list_array(np.array([len(row) for row in rows], dtype=np.int64), items, valid=valid, nullable=True)
