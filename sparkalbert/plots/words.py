"""The words of embedded texts, their vectors and sentences, read from any form in which sparkalbert returns them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.errors import ColumnError, InputError, ParamError, ParamTypeError
from sparkalbert.text import SentenceSplitter
from sparkalbert.vectors import BinaryFormat, binary_to_numpy
from sparkalbert.word_embedder import EmbeddedText

__all__ = ["MAX_SPARK_ROWS", "MAX_SPARK_TEXTS", "Words", "read_words", "sample_words"]

MAX_SPARK_ROWS: Final = 10_000
"""Of a Spark DataFrame with one row per word the first rows are read, at most this many, because they have to fit into
the memory of the driver, and into ``spark.driver.maxResultSize``."""

MAX_SPARK_TEXTS: Final = 1_000
"""Of a Spark DataFrame with one row per text about this many rows are read, drawn at random."""

_LISTS: Final = (list, tuple, np.ndarray)
_BYTES: Final = (bytes, bytearray)
"""Without Arrow, classic Spark 3.5 and 4.0 return binary columns as ``bytearray``."""

_INSPECTED_CELLS: Final = 1000
"""A column whose first cells are all null or empty is not recognized."""

_NO_WORD: Final = "The data contains not a single word with a vector, expected at least one."
_VECTOR_NAMES: Final = ("word_embedding", "vector", "embedding")
_TOKEN_NAMES: Final = ("token",)
_CLOSING: Final = frozenset(".,;:!?…")
"""Tokens before which a text without offsets has no space."""


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


@dataclass(frozen=True)
class _Text:
    """The tokens of one text.

    Attributes
    ----------
    tokens, vectors
        One of each per token.
    spans
        The half-open span of each token in the text, in any unit; None if they are not known.
    sentence
        The number of each token's sentence; None if it is not known.
    """

    tokens: Sequence[str]
    vectors: Sequence[Any]
    spans: Sequence[tuple[int, int]] | None = None
    sentence: Sequence[int] | None = None


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
    words = _words(_texts(data, token_col, vector_col), vector_format)
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
    columns: _Columns | None = None
    problem: ColumnError | None = None
    total = 0
    for frame in frames:
        if columns is None:
            try:
                columns = _recognized(frame, token_col, vector_col)
            except ColumnError as error:  # the first rows may be null
                problem = error
                continue
        part = _words(_read_frame(frame, columns), vector_format)
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


def _words(texts: Iterable[_Text], vector_format: BinaryFormat | None) -> Words | None:
    """Return the words of some texts, None if there are none."""
    tokens: list[str] = []
    vectors: list[Any] = []
    sentences: list[str] = []
    numbers: list[int] = []
    starts: list[int] = []
    splitter = SentenceSplitter()
    for text in texts:
        tokens += text.tokens
        vectors += [_array(vector, vector_format) for vector in text.vectors]
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


def _sentences(text: _Text, splitter: SentenceSplitter) -> Iterator[tuple[str, list[int]]]:
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


def _rebuilt(text: _Text) -> tuple[str, list[int]]:
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


def _texts(data: Any, token_col: str | None, vector_col: str | None) -> Iterator[_Text]:
    if isinstance(data, EmbeddedText):
        yield _Text(data.tokens, list(data.vectors), list(zip(data.start, data.stop, strict=True)), data.sentence)
    elif hasattr(data, "schema") and hasattr(data, "to_pandas"):  # an Arrow table or batch
        yield from _texts(data.to_pandas(), token_col, vector_col)
    elif hasattr(data, "iloc") and hasattr(data, "columns"):
        yield from _read_frame(data, _recognized(data, token_col, vector_col))
    elif isinstance(data, Iterable) and not isinstance(data, (str, Mapping)):
        for item in data:
            if not isinstance(item, EmbeddedText):
                raise ParamTypeError(_expected(item))
            yield from _texts(item, token_col, vector_col)
    else:
        raise ParamTypeError(_expected(data))


def _expected(found: object) -> str:
    hint = " Embed it first: WordEmbedder.load(model).embed([text])." if isinstance(found, str) else ""
    return f"Expected embedded texts (EmbeddedText, pandas, Spark or Arrow), got {type(found).__name__}.{hint}"


@dataclass(frozen=True)
class _Columns:
    """The columns of a DataFrame to read, and what the cells of the vectors' column hold; see :func:`_cell_kind`."""

    kind: str
    vectors: str
    tokens: str = ""


def _recognized(frame: Any, token_col: str | None, vector_col: str | None) -> _Columns:
    kinds = {name: _column_kind(frame[name]) for name in frame.columns}
    vectors = _choose(kinds, ("annotations", "vectors", "vector"), vector_col, ("vector_col", *_VECTOR_NAMES))
    kind = kinds[vectors] or ""
    if kind == "annotations":
        return _Columns(kind, vectors)
    tokens = _choose(kinds, ("tokens" if kind == "vectors" else "token",), token_col, ("token_col", *_TOKEN_NAMES))
    return _Columns(kind, vectors, tokens)


def _read_frame(frame: Any, columns: _Columns) -> Iterator[_Text]:
    """Read a pandas DataFrame: annotations, or lists of vectors, or one vector per row."""
    if columns.kind == "annotations":
        yield from (_annotated(cell) for cell in frame[columns.vectors] if isinstance(cell, _LISTS))
    elif columns.kind == "vectors":
        yield from _wide_texts(frame, columns.tokens, columns.vectors)
    else:
        yield from _long_texts(frame, columns.tokens, columns.vectors)


def _annotated(cell: Any) -> _Text:
    spans = [(annotation["begin"], annotation["end"] + 1) for annotation in cell]
    metadata = [{} if annotation["metadata"] is None else dict(annotation["metadata"]) for annotation in cell]
    return _Text(
        [annotation["result"] for annotation in cell],
        [annotation["embeddings"] for annotation in cell],
        spans,
        [int(entries.get("sentence", 0)) for entries in metadata],
    )


def _wide_texts(frame: Any, token_col: str, vector_col: str) -> Iterator[_Text]:
    has_spans = {"begin", "end"} <= set(frame.columns)
    for row in frame.to_dict("records"):
        tokens, vectors = row[token_col], row[vector_col]
        if not isinstance(tokens, _LISTS) or not isinstance(vectors, _LISTS):
            continue  # a null text
        if len(tokens) != len(vectors):
            msg = f"A row has {len(tokens)} {token_col} and {len(vectors)} {vector_col}, expected equally many."
            raise ColumnError(msg)
        spans = None
        if has_spans and isinstance(row["begin"], _LISTS) and len(row["begin"]) == len(tokens):
            spans = [(begin, end + 1) for begin, end in zip(row["begin"], row["end"], strict=True)]
        yield _Text(list(tokens), list(vectors), spans)


def _long_texts(frame: Any, token_col: str, vector_col: str) -> Iterator[_Text]:
    """Read one row per word. The words of a text have the same index, or equal ``text`` and ``sentence``.

    The one-liner adds ``token_origin_sentence`` if `metadata` is true, and ``token_begin`` if `positions` is true.
    """
    numbered = [name for name in ("text", "sentence") if name in frame.columns and frame[name].dtype.kind == "i"]
    keys = list(zip(*(frame[name] for name in numbered), strict=True)) if numbered else frame.index.tolist()
    origins = "token_origin_sentence" if "token_origin_sentence" in frame.columns else None
    is_word = [
        isinstance(token, str) and _cell_kind(vector) == "vector"
        for token, vector in zip(frame[token_col], frame[vector_col], strict=True)
    ]
    words = frame[np.array(is_word, dtype=bool)]
    keys = [key for key, kept in zip(keys, is_word, strict=True) if kept]
    spans = _offsets(words)
    changes = [
        number
        for number in range(1, len(words))
        if keys[number] != keys[number - 1] or (spans and spans[number] < spans[number - 1])
    ]
    for first, last in zip([0, *changes], [*changes, len(words)], strict=True):
        part = words.iloc[first:last]
        tokens = part[token_col].tolist()
        sentence = None
        if "sentence" in numbered:
            sentence = [0] * len(part)
        elif origins is not None:
            sentence = part[origins].astype(int).tolist()
        yield _Text(tokens, list(part[vector_col]), spans[first:last] or _joined(tokens), sentence)


def _offsets(words: Any) -> list[tuple[int, int]]:
    """Return the spans of words as ``EmbeddedText.to_pandas`` and ``predict`` have them; empty without them."""
    if {"start", "stop"} <= set(words.columns):
        return list(zip(words["start"], words["stop"], strict=True))
    if {"token_begin", "token_end"} <= set(words.columns):
        return list(zip(words["token_begin"], words["token_end"] + 1, strict=True))
    return []


def _joined(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Return the spans of tokens in a text with a space before each of them but closing punctuation."""
    spans, stop = [], -1
    for token in tokens:
        start = stop if token in _CLOSING and stop >= 0 else stop + 1
        stop = start + len(token)
        spans.append((start, stop))
    return spans


def _choose(kinds: Mapping[str, str | None], wanted: Sequence[str], given: str | None, names: Sequence[str]) -> str:
    """Return the column of a wanted kind: the given one, the only one, or the only one with a fitting name."""
    option, *prefixes = names
    fitting = [name for name, kind in kinds.items() if kind in wanted]
    if given is not None and given in fitting:
        return given
    what = f"{' or '.join(wanted)} column"
    if given is not None:
        msg = f"{option} is {given!r}, expected the {what}; found {', '.join(map(str, fitting)) or 'none'} "
        msg += f"among the columns {', '.join(map(str, kinds))}."
        raise ColumnError(msg)
    exact = [name for name in fitting if name in prefixes]
    named = [name for name in fitting if str(name).startswith(tuple(prefixes))]
    for candidates in (fitting, exact, named):
        if len(candidates) == 1:
            return candidates[0]
    found = f"found {', '.join(map(str, fitting))}. Choose one with {option}" if fitting else "found none"
    msg = f"Expected one {what}, {found}. The columns are {', '.join(map(str, kinds))}."
    if option == "token_col" and not fitting:
        msg += " The result of predict() has tokens with output_level='token' or metadata=True."
    raise ColumnError(msg)


def _column_kind(column: Iterable[Any]) -> str | None:
    kinds = (_cell_kind(cell) for cell in islice(column, _INSPECTED_CELLS))
    return next((kind for kind in kinds if kind is not None), None)


def _cell_kind(cell: Any) -> str | None:
    """Return what a cell holds: token, tokens, vector, vectors or annotations; None for anything else."""
    if isinstance(cell, str):
        return "token"
    if isinstance(cell, _BYTES) or hasattr(cell, "toArray"):
        return "vector"
    if not isinstance(cell, _LISTS) or len(cell) == 0:
        return None
    return _list_kind(cell[0])


def _list_kind(first: Any) -> str | None:
    if isinstance(first, dict) or hasattr(first, "asDict"):
        record = first if isinstance(first, dict) else first.asDict()
        embeddings = record.get("embeddings")
        return "annotations" if embeddings is not None and len(embeddings) else None
    if isinstance(first, (float, np.floating)):
        return "vector"
    return {"token": "tokens", "vector": "vectors"}.get(_cell_kind(first) or "")


def _array(vector: Any, vector_format: BinaryFormat | None) -> Float32Array:
    """Return a vector in any form as float32 ``[dimension]``."""
    if isinstance(vector, _BYTES):
        if vector_format is None:
            msg = (
                "The vectors are bytes, which do not show their format. Pass the format that they were written with as "
                "vector_format (--vectors): 'binary' or 'binary16'."
            )
            raise ParamError(msg)
        row: Float32Array = binary_to_numpy([bytes(vector)], vector_format)[0]
        return row
    if hasattr(vector, "toArray"):  # a vector of Spark ML
        vector = vector.toArray()
    return np.asarray(vector, dtype=np.float32)
