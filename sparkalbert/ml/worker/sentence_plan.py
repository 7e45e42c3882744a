"""Plans some rows of annotations: which tokens belong to which sentence, and what to encode.

Annotations count UTF-16 units of the document, Python counts code points; this module converts between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

import numpy as np
import pyarrow as pa

from sparkalbert.arrays import BoolArray, Int64Array
from sparkalbert.errors import ColumnError
from sparkalbert.inference.embedder import Embedder
from sparkalbert.ml.worker.rows import row_of_item, sentence_numbers
from sparkalbert.offsets import code_point_index, is_bmp
from sparkalbert.slices import bounded_slices
from sparkalbert.text.pieces.encoding import EncodedSentence, first_pieces, truncate

__all__ = ["NOWHERE", "GroupPlan", "SpanRows", "plan_rows"]

NOWHERE: Final = -1
"""Means that a sentence, piece or vector does not exist."""

_ROW_SHIFT: Final = np.int64(32)

_PART_TOKENS: Final = 10_000
"""Tokens whose spans and words are held at a time while sentences are encoded; a long row has several such parts."""


@dataclass(frozen=True)
class SpanRows:
    """The annotations of some rows as flat arrays; null offsets have become -1 and null texts empty.

    Attributes
    ----------
    row
        int64 ``[n]``: the row of each annotation.
    begin, end
        int64 ``[n]``: UTF-16 units of the document, `end` inclusive.
    number
        int64 ``[n]``: the number of its sentence, as the metadata has it.
    text
        The text of each annotation.
    """

    row: Int64Array
    begin: Int64Array
    end: Int64Array
    number: Int64Array
    text: list[str]

    @classmethod
    def of(cls, begin: pa.Array, end: pa.Array, result: pa.Array, sentence: pa.Array) -> SpanRows:
        """Build from list columns ``[rows]`` in which anything may be null."""
        texts = result.flatten().fill_null("").to_pylist()
        return cls(row_of_item(result), _offsets(begin), _offsets(end), sentence_numbers(sentence.flatten()), texts)

    def key(self, offset: Int64Array) -> Int64Array:
        """Return numbers that sort by row, then by an offset of each annotation."""
        return (self.row << _ROW_SHIFT) + offset


@dataclass(frozen=True)
class GroupPlan:
    """What to compute for some rows, and what belongs to each annotation of the output.

    Attributes
    ----------
    sentences
        The encoded sentences that have tokens, row after row.
    token
        int64 ``[annotations]``: the index of each annotation's token among all tokens.
    sentence
        int64 ``[annotations]``: the position of its sentence in the row, -1 for a token outside all sentences.
    piece
        int64 ``[annotations]``: the id of its first piece, -1 if it has none.
    vector
        int64 ``[annotations]``: the index of its vector among the tokens of `sentences`, -1 for zeros.
    row
        int64 ``[sentences]``: the row of each of `sentences`.
    """

    sentences: list[EncodedSentence]
    token: Int64Array
    sentence: Int64Array
    piece: Int64Array
    vector: Int64Array
    row: Int64Array


def plan_rows(embedder: Embedder, sentences: SpanRows, tokens: SpanRows, *, as_spark_nlp: bool = False) -> GroupPlan:
    """Assign tokens to sentences and encode each sentence.

    Parameters
    ----------
    embedder
        Encodes a sentence.
    sentences, tokens
        The annotations of the rows, in any order within a row.
    as_spark_nlp
        If true, plan what Spark NLP returns: of a sentence it reads ``maxSentenceLength - 2`` tokens and as many
        pieces, a token without a piece gets no annotation, and annotations are in the order of sentences
        (``Albert.scala``). Otherwise every token gets one annotation, in the order of the tokens.

    Raises
    ------
    ColumnError
        If a row has several documents and the metadata of a token does not name the sentence that contains it.
    """
    before = np.searchsorted(sentences.row, sentences.row, side="left")
    position = np.arange(len(sentences.row)) - before  # of each sentence in its row
    if as_spark_nlp:
        return _as_spark_nlp(embedder, sentences, tokens, position)
    count = len(tokens.row)
    owner = _owners(sentences, tokens)
    found = np.where(owner == NOWHERE, NOWHERE, position[owner] if len(position) else NOWHERE)
    groups = list(_groups(owner))
    encoded = _encode(embedder, sentences, tokens, groups)
    members = np.concatenate([np.zeros(0, dtype=np.int64), *(members for _, members in groups)])
    piece, vector = np.full(count, NOWHERE), np.full(count, NOWHERE)
    piece[members] = first_pieces(encoded)
    vector[members] = np.arange(len(members))
    return GroupPlan(encoded, np.arange(count), found, piece, vector, _rows(sentences, groups))


def _offsets(column: pa.Array) -> Int64Array:
    return np.asarray(column.flatten().fill_null(NOWHERE), dtype=np.int64)


def _as_spark_nlp(embedder: Embedder, sentences: SpanRows, tokens: SpanRows, position: Int64Array) -> GroupPlan:
    capacity = embedder.options.vectors.window_capacity
    groups = [(index, inside[:capacity]) for index, inside in _tokens_inside(sentences, tokens)]
    cut_sentences: list[EncodedSentence] = []
    parts: list[tuple[Int64Array, Int64Array, Int64Array, Int64Array]] = []
    planned = 0
    for (index, members), encoded in zip(groups, _encode(embedder, sentences, tokens, groups), strict=True):
        cut = truncate(encoded, capacity)
        shown = np.flatnonzero(cut.ranges[:, 1] > cut.ranges[:, 0])
        places = np.full(len(shown), position[index])
        parts.append((members[shown], places, encoded.ids[encoded.ranges[shown, 0]], planned + shown))
        cut_sentences.append(cut)
        planned += len(members)
    columns = [np.concatenate([np.zeros(0, dtype=np.int64), *part]) for part in zip(*parts, strict=True)]
    token, sentence, piece, vector = columns or [np.zeros(0, dtype=np.int64)] * 4
    return GroupPlan(cut_sentences, token, sentence, piece, vector, _rows(sentences, groups))


def _owners(sentences: SpanRows, tokens: SpanRows) -> Int64Array:
    """Return the sentence of each token, int64 ``[tokens]``, -1 for a token outside all sentences.

    It is the last sentence that begins at or before the token, if it contains the token. In a row with several
    documents offsets are ambiguous; there the sentence's number in the metadata decides.
    """
    owner = np.full(len(tokens.row), NOWHERE)
    if not len(sentences.row) or not len(owner):
        return owner
    order = np.lexsort((sentences.begin, sentences.row))
    place = np.searchsorted(sentences.key(sentences.begin)[order], tokens.key(tokens.begin), side="right") - 1
    candidate = order[np.maximum(place, 0)]
    inside = (place >= 0) & (tokens.begin >= 0) & _contains(sentences, candidate, tokens, slice(None))
    owner[inside] = candidate[inside]
    ambiguous = np.isin(tokens.row, _rows_with_overlaps(sentences, order))
    if ambiguous.any():
        owner[ambiguous] = _owners_by_number(sentences, tokens, np.flatnonzero(ambiguous))
    return owner


def _contains(sentences: SpanRows, candidate: Int64Array, tokens: SpanRows, chosen: Int64Array | slice) -> BoolArray:
    """Return whether each chosen token is in the row and between the ends of its candidate sentence."""
    begin, end = tokens.begin[chosen], tokens.end[chosen]
    in_row = sentences.row[candidate] == tokens.row[chosen]
    contained: BoolArray = in_row & (sentences.begin[candidate] <= begin) & (end <= sentences.end[candidate])
    return contained


def _rows_with_overlaps(sentences: SpanRows, order: Int64Array) -> Int64Array:
    """Return the rows in which sentences overlap, because they are of several documents."""
    row, begin, end = sentences.row[order], sentences.begin[order], sentences.end[order]
    overlaps = (row[1:] == row[:-1]) & (begin[1:] <= end[:-1])
    rows: Int64Array = row[1:][overlaps]
    return rows


def _owners_by_number(sentences: SpanRows, tokens: SpanRows, chosen: Int64Array) -> Int64Array:
    """Return the sentence that the metadata of each chosen token names.

    The tokens of a whole document carry the number of the document, which need not be the number of their sentence. So
    a token is refused if it is outside the named sentence, or if its text is at that place in another sentence only. A
    token whose text is in none of the sentences was changed by a stage in between.
    """
    keys = sentences.key(sentences.number)
    order = np.argsort(keys, kind="stable")
    wanted = tokens.key(tokens.number)[chosen]
    first = np.searchsorted(keys[order], wanted, side="left")
    found = np.searchsorted(keys[order], wanted, side="right") - first
    owner = order[np.minimum(first, len(order) - 1)]
    is_named = bool(np.all((found == 1) & _contains(sentences, owner, tokens, chosen)))
    if not is_named or any(
        _is_in_another_sentence(sentences, index, tokens, chosen[members]) for index, members in _groups(owner)
    ):
        msg = (
            "A row has several documents, and the metadata of a token does not name the sentence that contains it. Use "
            "the sentence column as the input of the Tokenizer, or one document per row."
        )
        raise ColumnError(msg)
    return owner


def _is_in_another_sentence(sentences: SpanRows, index: int, tokens: SpanRows, members: Int64Array) -> bool:
    """Return whether the text of a token is not in its sentence, but at that place in another one of its row."""
    if _are_in(sentences, index, tokens, members):
        return False
    single = [np.array([member]) for member in members.tolist()]
    elsewhere = [member for member in single if not _are_in(sentences, index, tokens, member)]
    others = np.flatnonzero(sentences.row == sentences.row[index]).tolist()
    return any(_are_in(sentences, other, tokens, member) for member in elsewhere for other in others)


def _are_in(sentences: SpanRows, index: int, tokens: SpanRows, members: Int64Array) -> bool:
    """Return whether tokens are parts of the text of a sentence, at the places that their offsets give."""
    spans = _code_point_spans(sentences, index, tokens, members)
    return _are_at(sentences.text[index], spans, _words(tokens, members))


def _groups(owner: Int64Array) -> Iterator[tuple[int, Int64Array]]:
    """Yield each sentence that has tokens, with its tokens in their order."""
    order = np.argsort(owner, kind="stable")
    owners = owner[order]
    bounds = np.flatnonzero(np.diff(owners, prepend=NOWHERE, append=len(owner) + owners.max(initial=0) + 1))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield int(owners[start]), order[start:stop]


def _rows(sentences: SpanRows, groups: Sequence[tuple[int, Int64Array]]) -> Int64Array:
    """Return the row of the sentence of each group, int64 ``[groups]``."""
    rows: Int64Array = sentences.row[np.array([index for index, _ in groups], dtype=np.int64)]
    return rows


def _tokens_inside(sentences: SpanRows, tokens: SpanRows) -> Iterator[tuple[int, Int64Array]]:
    """Yield each sentence with the tokens inside it, as Spark NLP finds them: by offsets alone."""
    order = np.lexsort((tokens.begin, tokens.row))
    keys = tokens.key(tokens.begin)[order]
    first = np.searchsorted(keys, sentences.key(sentences.begin), side="left")
    last = np.searchsorted(keys, sentences.key(sentences.end + 1), side="right")
    for index, (start, stop) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        found = order[start:stop]
        found = found[(tokens.end[found] <= sentences.end[index]) & (tokens.row[found] == sentences.row[index])]
        if len(found):
            yield index, np.sort(found)


def _code_point_spans(sentences: SpanRows, index: int, tokens: SpanRows, members: Int64Array) -> Int64Array:
    """Return the half-open code point spans of tokens in the text of their sentence, int64 ``[tokens, 2]``."""
    begin = sentences.begin[index]
    spans = np.empty((len(members), 2), dtype=np.int64)
    np.subtract(tokens.begin[members], begin, out=spans[:, 0])
    np.subtract(tokens.end[members], begin - 1, out=spans[:, 1])
    text = sentences.text[index]
    if is_bmp(text):
        return spans
    to_code_point = code_point_index(text)
    converted: Int64Array = to_code_point[np.clip(spans, 0, len(to_code_point) - 1)]
    return converted


def _encode(
    embedder: Embedder, sentences: SpanRows, tokens: SpanRows, groups: Sequence[tuple[int, Int64Array]]
) -> list[EncodedSentence]:
    """Encode the text of each sentence if its tokens are parts of it, else the tokens themselves.

    A stage in between (a normalizer, a stemmer) may have changed the tokens: then they are what is embedded.
    """
    counts = np.array([len(members) for _, members in groups], dtype=np.int64)
    encoded: list[EncodedSentence] = []
    for start, stop in bounded_slices(counts, _PART_TOKENS):
        encoded += _encode_part(embedder, sentences, tokens, groups[start:stop])
    return encoded


def _encode_part(
    embedder: Embedder, sentences: SpanRows, tokens: SpanRows, groups: Sequence[tuple[int, Int64Array]]
) -> list[EncodedSentence]:
    texts = [sentences.text[index] for index, _ in groups]
    words = [_words(tokens, members) for _, members in groups]
    spans = [_code_point_spans(sentences, index, tokens, members) for index, members in groups]
    in_place = [_are_at(*one) for one in zip(texts, spans, words, strict=True)]
    changed = [not found for found in in_place]
    as_texts = iter(embedder.encode_sentences(list(compress(texts, in_place)), list(compress(spans, in_place))))
    as_tokens = iter(embedder.encode_token_lists(list(compress(words, changed))))
    return [next(as_texts if found else as_tokens) for found in in_place]


def _words(tokens: SpanRows, members: Int64Array) -> list[str]:
    first, last = int(members[0]), int(members[-1])
    if last - first == len(members) - 1:  # they are distinct and in order
        return tokens.text[first : last + 1]
    return [tokens.text[member] for member in members.tolist()]


def _are_at(text: str, spans: Int64Array, words: Sequence[str]) -> bool:
    found = [text[start:stop] for start, stop in spans.tolist()]
    return found == words and bool((spans[:, 0] >= 0).all())
