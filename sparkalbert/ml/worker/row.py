"""One row of annotations: which token belongs to which sentence, and what to encode.

Annotations count UTF-16 units of the document, Python counts code points; both meet here. It knows
plain lists, nothing about Arrow or vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from sparkalbert.annotations import Span, code_point_index, is_bmp
from sparkalbert.inference import WordEmbedder
from sparkalbert.text.encoding import EncodedSentence, truncate

__all__ = ["NOWHERE", "Annotations", "RowPlan", "plan_row"]

Int64Array = npt.NDArray[np.int64]

NOWHERE: Final = -1
"""Stands for a missing sentence, piece or vector."""


@dataclass(frozen=True)
class Annotations:
    """The annotations of one row, field by field; null fields have become -1 and ``""``."""

    begin: Sequence[int]
    end: Sequence[int]
    result: Sequence[str]

    @classmethod
    def of(
        cls,
        begin: Sequence[int | None] | None,
        end: Sequence[int | None] | None,
        result: Sequence[str | None] | None,
    ) -> Annotations:
        """Build from columns in which anything may be null."""
        return cls(
            [NOWHERE if value is None else value for value in begin or ()],
            [NOWHERE if value is None else value for value in end or ()],
            [value or "" for value in result or ()],
        )


@dataclass(frozen=True)
class RowPlan:
    """What to compute for a row, and what belongs to each of its tokens.

    Attributes
    ----------
    sentences
        The sentences that have tokens.
    sentence
        int64 ``[tokens]``: position of each token's sentence in the row, -1 for a token that lies in
        none.
    piece
        int64 ``[tokens]``: id of each token's first piece, -1 where it has none.
    vector
        int64 ``[tokens]``: index of each token's vector among the words of `sentences`, -1 where it
        lies in no sentence.
    shown
        int64 ``[annotations]``: the tokens that get an annotation, in its order. All of them, unless
        the row shall be Spark NLP's.
    """

    sentences: list[EncodedSentence]
    sentence: Int64Array
    piece: Int64Array
    vector: Int64Array
    shown: Int64Array


def plan_row(
    embedder: WordEmbedder, sentences: Annotations, tokens: Annotations, *, as_spark_nlp: bool = False
) -> RowPlan:
    """Assign tokens to sentences by offsets, as Spark NLP does, and encode each sentence.

    Parameters
    ----------
    embedder
        Encodes a sentence.
    sentences, tokens
        The row's annotations, in any order.
    as_spark_nlp
        Leave out what Spark NLP leaves out: of a sentence it reads ``maxSentenceLength - 2`` tokens and
        as many pieces, and a token without a piece gets no annotation (``Albert.scala``).
    """
    owner = _owners(sentences, tokens)
    everything = np.arange(len(owner))
    plan = RowPlan([], owner, np.full(len(owner), NOWHERE), np.full(len(owner), NOWHERE), everything)
    capacity = embedder.options.vectors.max_sentence_length - 2
    counted, shown = 0, [everything[:0]]
    for index in np.unique(owner[owner != NOWHERE]):
        members = np.flatnonzero(owner == index)
        if as_spark_nlp:
            members = members[:capacity]
        encoded = _encode(embedder, sentences, int(index), tokens, members)
        starts, stops = encoded.ranges.T
        present = stops > starts
        plan.piece[members[present]] = encoded.ids[starts[present]]
        if as_spark_nlp:
            encoded = truncate(encoded, capacity)
            shown.append(members[encoded.ranges[:, 1] > encoded.ranges[:, 0]])
        plan.sentences.append(encoded)
        plan.vector[members] = np.arange(counted, counted + len(members))
        counted += len(members)
    return replace(plan, shown=np.concatenate(shown)) if as_spark_nlp else plan


def _owners(sentences: Annotations, tokens: Annotations) -> Int64Array:
    """Return the sentence that contains each token: the last one that begins at or before it."""
    owner = np.full(len(tokens.begin), NOWHERE)
    if not len(sentences.begin) or not len(owner):
        return owner
    sentence_begin, sentence_end = np.array(sentences.begin), np.array(sentences.end)
    token_begin, token_end = np.array(tokens.begin), np.array(tokens.end)
    order = np.argsort(sentence_begin, kind="stable")
    place = np.searchsorted(sentence_begin[order], token_begin, side="right") - 1
    candidate = order[np.maximum(place, 0)]
    inside = (place >= 0) & (token_begin >= 0) & (token_end <= sentence_end[candidate])
    owner[inside] = candidate[inside]
    return owner


def _encode(
    embedder: WordEmbedder, sentences: Annotations, index: int, tokens: Annotations, members: Int64Array
) -> EncodedSentence:
    """Encode the sentence's text where the tokens are stretches of it, else the tokens themselves.

    A stage between (a normalizer, a stemmer) may have changed the tokens: then they are what the user
    wants embedded.
    """
    text, offset = sentences.result[index], sentences.begin[index]
    words = [tokens.result[member] for member in members]
    begins = np.array([tokens.begin[member] - offset for member in members])
    ends = np.array([tokens.end[member] - offset + 1 for member in members])
    if not is_bmp(text):
        to_code_point = code_point_index(text)
        begins = to_code_point[np.clip(begins, 0, len(to_code_point) - 1)]
        ends = to_code_point[np.clip(ends, 0, len(to_code_point) - 1)]
    spans = [Span(begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    if all(text[span.start : span.stop] == word for span, word in zip(spans, words, strict=True)):
        return embedder.encode(text, spans)
    return embedder.encode_list(words)
