"""Holds the words of embedded texts with their vectors and sentences: all of them, or a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.errors import ColumnError, InputError
from sparkalbert.plots.texts import Columns, TextTokens, as_float32, read_frame, read_texts, recognize_columns
from sparkalbert.text import SentenceSplitter
from sparkalbert.vectors import BinaryFormat

__all__ = ["MAX_SPARK_ROWS", "MAX_SPARK_TEXTS", "Words", "read_words", "sample_words"]

MAX_SPARK_ROWS: Final = 10_000
"""Of a Spark DataFrame with one row per word the first rows are read, at most this many, because they have to fit into
the memory of the driver, and into ``spark.driver.maxResultSize``."""

MAX_SPARK_TEXTS: Final = 1_000
"""Of a Spark DataFrame with one row per text about this many rows are read, drawn at random."""

_NO_WORD: Final = "The data contains not a single word with a vector, expected at least one."


@dataclass(frozen=True, eq=False)
class Words:
    """Words, their vectors and the sentences that they are in.

    Attributes
    ----------
    tokens
        The words.
    vectors
        float32 ``[words, dimension]``.
    sentences
        The sentences, rebuilt from their tokens: any white space between two tokens is one space.
    sentence
        int64 ``[words]``: the position of each word's sentence in `sentences`.
    start
        int64 ``[words]``: where each word starts in its sentence, in code points.
    rows
        How many rows were read, and how many there are, if some of a Spark DataFrame were read; else None.
    are_first_rows
        Whether those were the first rows; otherwise they were drawn at random.
    """

    tokens: list[str]
    vectors: Float32Array
    sentences: list[str]
    sentence: Int64Array
    start: Int64Array
    rows: tuple[int, int] | None = None
    are_first_rows: bool = False

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def of_rows(self) -> str:
        """The rows that were read, to append to a title; empty if all were read."""
        if self.rows is None:
            return ""
        first = "the first " if self.are_first_rows else ""
        return " of {}{:,} of {:,} rows".format(first, *self.rows)

    @property
    def are_drawn(self) -> bool:
        """Whether the rows were drawn at random."""
        return self.rows is not None and not self.are_first_rows

    def counted(self, total: int) -> str:
        """Return how many words these are, which were drawn from `total` words, for a title."""
        number = f"{total:,}" if len(self) == total else f"{len(self):,} of {total:,}"
        drawn = ", drawn at random" if len(self) < total or self.are_drawn else ""
        return f"{number} words{self.of_rows}{drawn}"

    def take(self, positions: Int64Array) -> Words:
        """Return some of the words, with the sentences that they need."""
        needed, sentence = np.unique(self.sentence[positions], return_inverse=True)
        return Words(
            [self.tokens[position] for position in positions],
            self.vectors[positions],
            [self.sentences[number] for number in needed],
            sentence.astype(np.int64),
            self.start[positions],
            self.rows,
            self.are_first_rows,
        )

    def sample(self, size: int) -> Words:
        """Return `size` words drawn at random, in order; all of them if there are not more."""
        if len(self) <= size:
            return self
        drawn = np.random.default_rng(0).choice(len(self), size, replace=False)
        return self.take(np.sort(drawn))

    def positions(self, word: str) -> Int64Array:
        """Return the positions of a word, ignoring case.

        Raises
        ------
        InputError
            If the word does not occur.
        """
        folded = word.casefold()
        found = [position for position, token in enumerate(self.tokens) if token.casefold() == folded]
        if not found:
            msg = f"The word {word!r} is not among the {len(self):,} words. Choose one of their tokens."
            raise InputError(msg)
        return np.array(found, dtype=np.int64)

    def context(self, position: int, width: int = 24) -> str:
        """Return a word with at most `width` characters of its sentence on either side, cut between words."""
        sentence, start = self.sentences[self.sentence[position]], int(self.start[position])
        stop = start + len(self.tokens[position])
        before, after = sentence[:start], sentence[stop:]
        if len(before) > width:
            before = "…" + before[-width:].partition(" ")[2]
        if len(after) > width:
            after = after[:width].rpartition(" ")[0] + "…"
        return f"{before}{sentence[start:stop]}{after}"


def read_words(
    data: Any,
    *,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> Words:
    """Return the words of embedded texts.

    Parameters
    ----------
    data
        :class:`~sparkalbert.EmbeddedText` or several of them; or a pandas DataFrame, a Spark DataFrame or an Arrow
        table with one row per word (a token and a vector) or one row per text (a list of tokens and a list of vectors,
        or a list of annotations). Of a Spark DataFrame with one row per word the first ``MAX_SPARK_ROWS`` rows are
        read, so that sentences stay whole; of one with one row per text about ``MAX_SPARK_TEXTS`` are drawn at random.
        Drawing computes every row, so write or cache a frame first that is not yet computed, such as the result of
        ``transform``.
    token_col, vector_col
        The columns to read. By default they are recognized by their content and, if several fit, by their names.
    vector_format
        The ``vectorFormat`` of vectors that are bytes, which do not show it.

    Raises
    ------
    ColumnError
        If a column is not found, or if vectors have different lengths.
    InputError
        If there is not a single word.
    ParamError
        If vectors are bytes and `vector_format` is not given or does not fit.
    ParamTypeError
        If `data` is something else.
    """
    rows, are_first = None, False
    if hasattr(data, "toPandas"):  # a Spark DataFrame, classic or Connect
        data, rows, are_first = _collected(data)
    words = _words(read_texts(data, token_col, vector_col), vector_format)
    if words is None:
        raise InputError(_NO_WORD)
    return replace(words, rows=rows, are_first_rows=are_first)


def sample_words(
    frames: Iterable[Any],
    size: int,
    *,
    token_col: str | None = None,
    vector_col: str | None = None,
    vector_format: BinaryFormat | None = None,
) -> tuple[Words, int]:
    """Return words drawn at random from data of any size, and the number of all words.

    Parameters
    ----------
    frames
        pandas DataFrames with the same columns, which are read one after the other.
    size
        Number of words to draw.
    token_col, vector_col, vector_format
        As for :func:`read_words`.

    Raises
    ------
    ColumnError, InputError, ParamError
        As for :func:`read_words`.
    """
    random = np.random.default_rng(0)
    drawn: Words | None = None
    keys = np.zeros(0)  # of each drawn word; those with the smallest keys of all are kept
    columns: Columns | None = None
    problem: ColumnError | None = None
    total = 0
    for frame in frames:
        if columns is None:
            try:
                columns = recognize_columns(frame, token_col, vector_col)
            except ColumnError as error:  # the first rows may be null
                problem = error
                continue
        part = _words(read_frame(frame, columns), vector_format)
        if part is None:
            continue
        total += len(part)
        part_keys = random.random(len(part))
        if drawn is not None:
            chosen = np.flatnonzero(part_keys < (keys.max() if len(keys) == size else 1))
            part, part_keys = _concatenated(drawn, part.take(chosen)), np.concatenate([keys, part_keys[chosen]])
        kept = np.sort(np.argsort(part_keys)[:size])
        drawn, keys = part.take(kept), part_keys[kept]
    if drawn is None:
        raise problem or InputError(_NO_WORD)
    return drawn, total


def _concatenated(first: Words, second: Words) -> Words:
    return Words(
        first.tokens + second.tokens,
        np.concatenate([first.vectors, second.vectors]),
        first.sentences + second.sentences,
        np.concatenate([first.sentence, second.sentence + len(first.sentences)]),
        np.concatenate([first.start, second.start]),
    )


def _collected(frame: Any) -> tuple[Any, tuple[int, int] | None, bool]:
    """Return rows of a Spark DataFrame as a pandas DataFrame.

    If some are left out, also their number and that of all rows, and whether they are the first rows: words that are
    drawn one by one would tear sentences apart.
    """
    elements = [getattr(field.dataType, "elementType", None) for field in frame.schema.fields]
    has_lists = any(element is not None and element.typeName() in {"array", "binary", "struct"} for element in elements)
    most, total = MAX_SPARK_TEXTS if has_lists else MAX_SPARK_ROWS, frame.count()
    if total <= most:
        return frame.toPandas(), None, False
    chosen = frame.sample(most / total, seed=0) if has_lists else frame
    rows = chosen.limit(most).toPandas()
    return rows, (len(rows), total), not has_lists


def _words(texts: Iterable[TextTokens], vector_format: BinaryFormat | None) -> Words | None:
    """Return the words of some texts, None if there are none."""
    tokens: list[str] = []
    vectors: list[Any] = []
    sentences: list[str] = []
    numbers: list[int] = []
    starts: list[int] = []
    splitter = SentenceSplitter()
    for text in texts:
        tokens += text.tokens
        vectors += [as_float32(vector, vector_format) for vector in text.vectors]
        for sentence, first in _sentences(text, splitter):
            numbers += [len(sentences)] * len(first)
            starts += first
            sentences.append(sentence)
    if not tokens:
        return None
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1:
        msg = f"The vectors have {', '.join(map(str, lengths))} numbers, expected one length. Embed all with one model."
        raise ColumnError(msg)
    return Words(tokens, np.stack(vectors), sentences, np.array(numbers), np.array(starts))


def _sentences(text: TextTokens, splitter: SentenceSplitter) -> Iterator[tuple[str, list[int]]]:
    """Yield each sentence of a text that has tokens, and where its tokens start in it."""
    if not text.tokens:
        return
    whole, starts = _rebuilt(text)
    if text.sentence is not None:
        changes = np.flatnonzero(np.diff(text.sentence)) + 1
        firsts = [0, *changes.tolist()]
    elif text.spans is not None:
        begins = [start for start, _ in splitter.split(whole)]
        firsts = np.unique(np.searchsorted(starts, begins)).tolist()
        firsts = [0, *(first for first in firsts if 0 < first < len(starts))]
    else:
        firsts = [0]
    for first, last in zip(firsts, [*firsts[1:], len(starts)], strict=True):
        begin = starts[first]
        stop = starts[last - 1] + len(text.tokens[last - 1])
        yield whole[begin:stop], [start - begin for start in starts[first:last]]


def _rebuilt(text: TextTokens) -> tuple[str, list[int]]:
    """Return a text with one space for any space between tokens, and where each token starts in it."""
    parts, starts, length, last_stop = [], [], 0, None
    for number, token in enumerate(text.tokens):
        start, stop = (number, number) if text.spans is None else text.spans[number]
        if number and (text.spans is None or start > (last_stop or 0)):
            parts.append(" ")
            length += 1
        starts.append(length)
        parts.append(token)
        length += len(token)
        last_stop = stop
    return "".join(parts), starts
