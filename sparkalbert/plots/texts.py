"""Reads the tokens and vectors of texts from any form in which sparkalbert returns them, and recognizes the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.errors import ColumnError, ParamError, ParamTypeError
from sparkalbert.vectors import BinaryFormat, binary_to_numpy
from sparkalbert.word_embedder import EmbeddedText

__all__ = ["Columns", "TextTokens", "as_float32", "read_frame", "read_texts", "recognize_columns"]

_LISTS: Final = (list, tuple, np.ndarray)
_BYTES: Final = (bytes, bytearray)
"""Without Arrow, classic Spark 3.5 and 4.0 return binary columns as ``bytearray``."""

_INSPECTED_CELLS: Final = 1000
"""A column whose first cells are all null or empty is not recognized."""

_VECTOR_NAMES: Final = ("word_embedding", "vector", "embedding")
_TOKEN_NAMES: Final = ("token",)
_CLOSING: Final = frozenset(".,;:!?…")
"""With one row per word and no offsets, tokens that have no space before them."""


@dataclass(frozen=True)
class TextTokens:
    """The tokens of one text.

    Attributes
    ----------
    tokens, vectors
        One of each per token.
    spans
        The half-open span of each token in the text, in any unit, or made up from the tokens (see `_joined`). If None,
        there is a space before each token, and without `sentence` all tokens are one sentence.
    sentence
        The number of each token's sentence; None if it is not known.
    """

    tokens: Sequence[str]
    vectors: Sequence[Any]
    spans: Sequence[tuple[int, int]] | None = None
    sentence: Sequence[int] | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a DataFrame to read.

    Attributes
    ----------
    kind
        What the cells of `vectors` hold: annotations, vectors (a list per text) or vector (one per word).
    vectors
        The column of the vectors.
    tokens
        The column of the tokens; empty for annotations, which contain them.
    """

    kind: str
    vectors: str
    tokens: str = ""


def read_texts(data: Any, token_col: str | None, vector_col: str | None) -> Iterator[TextTokens]:
    """Yield the tokens of each text of any data that is in memory.

    Parameters
    ----------
    data
        :class:`~sparkalbert.EmbeddedText` or several of them, a pandas DataFrame or an Arrow table.
    token_col, vector_col
        See :func:`recognize_columns`.

    Raises
    ------
    ColumnError
        If a column is not found, or if a row has different numbers of tokens and vectors.
    ParamTypeError
        If `data` is something else.
    """
    if isinstance(data, EmbeddedText):
        yield TextTokens(data.tokens, list(data.vectors), list(zip(data.start, data.stop, strict=True)), data.sentence)
    elif hasattr(data, "schema") and hasattr(data, "to_pandas"):  # an Arrow table or batch
        yield from read_texts(data.to_pandas(), token_col, vector_col)
    elif hasattr(data, "iloc") and hasattr(data, "columns"):
        yield from read_frame(data, recognize_columns(data, token_col, vector_col))
    elif isinstance(data, Iterable) and not isinstance(data, (str, Mapping)):
        for item in data:
            if not isinstance(item, EmbeddedText):
                raise ParamTypeError(_expected(item))
            yield from read_texts(item, token_col, vector_col)
    else:
        raise ParamTypeError(_expected(data))


def recognize_columns(frame: Any, token_col: str | None, vector_col: str | None) -> Columns:
    """Return the columns of a pandas DataFrame that hold tokens and vectors.

    Parameters
    ----------
    frame
        The DataFrame; its first cells are inspected.
    token_col, vector_col
        The columns to read. By default they are recognized by their content and, if several fit, by their names.

    Raises
    ------
    ColumnError
        If a column is not found.
    """
    kinds = {name: _column_kind(frame[name]) for name in frame.columns}
    wanted = ["annotations", "vectors", "vector"]
    vectors = _choose(kinds, wanted, vector_col, option="vector_col", usual_names=_VECTOR_NAMES)
    kind = kinds[vectors] or ""
    if kind == "annotations":
        return Columns(kind, vectors)
    wanted = ["tokens" if kind == "vectors" else "token"]
    tokens = _choose(kinds, wanted, token_col, option="token_col", usual_names=_TOKEN_NAMES)
    return Columns(kind, vectors, tokens)


def read_frame(frame: Any, columns: Columns) -> Iterator[TextTokens]:
    """Yield the tokens of each text of a pandas DataFrame: annotations, lists of vectors, or one vector per row.

    Raises
    ------
    ColumnError
        If a row has different numbers of tokens and vectors.
    """
    if columns.kind == "annotations":
        yield from (_annotated(cell) for cell in frame[columns.vectors] if isinstance(cell, _LISTS))
    elif columns.kind == "vectors":
        yield from _wide_texts(frame, columns.tokens, columns.vectors)
    else:
        yield from _long_texts(frame, columns.tokens, columns.vectors)


def as_float32(vector: Any, vector_format: BinaryFormat | None) -> Float32Array:
    """Return a vector in any form as float32 ``[dimension]``.

    Raises
    ------
    ParamError
        If the vector is bytes and `vector_format` is not given or does not fit.
    """
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


def _annotated(cell: Any) -> TextTokens:
    spans = [(annotation["begin"], annotation["end"] + 1) for annotation in cell]
    metadata = [{} if annotation["metadata"] is None else dict(annotation["metadata"]) for annotation in cell]
    return TextTokens(
        [annotation["result"] for annotation in cell],
        [annotation["embeddings"] for annotation in cell],
        spans,
        [int(entries.get("sentence", 0)) for entries in metadata],
    )


def _wide_texts(frame: Any, token_col: str, vector_col: str) -> Iterator[TextTokens]:
    has_spans = {"begin", "end"} <= set(frame.columns)
    for row in frame.to_dict("records"):
        tokens, vectors = row[token_col], row[vector_col]
        if not isinstance(tokens, _LISTS) or not isinstance(vectors, _LISTS):
            continue  # a null text
        if len(tokens) != len(vectors):
            msg = (
                f"A row has {len(tokens)} tokens in {token_col!r} but {len(vectors)} vectors in {vector_col!r}, "
                "expected equally many. Choose columns that belong together with token_col and vector_col."
            )
            raise ColumnError(msg)
        spans = None
        if has_spans and isinstance(row["begin"], _LISTS) and len(row["begin"]) == len(tokens):
            spans = [(begin, end + 1) for begin, end in zip(row["begin"], row["end"], strict=True)]
        yield TextTokens(list(tokens), list(vectors), spans)


def _long_texts(frame: Any, token_col: str, vector_col: str) -> Iterator[TextTokens]:
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
        yield TextTokens(tokens, list(part[vector_col]), spans[first:last] or _joined(tokens), sentence)


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


def _choose(
    kinds: Mapping[str, str | None],
    wanted: Sequence[str],
    given: str | None,
    *,
    option: str,
    usual_names: Sequence[str],
) -> str:
    """Return the column of a wanted kind: the given column, the only column, or the only column with a usual name.

    Parameters
    ----------
    kinds
        What each column holds.
    wanted
        The kinds that fit.
    given
        The column that the caller chose, if any.
    option
        The caller's option for it, for messages.
    usual_names
        If several columns fit, the column with such a name is taken, else the column whose name begins with one.
    """
    fitting = [name for name, kind in kinds.items() if kind in wanted]
    if given is not None and given in fitting:
        return given
    what = f"{' or '.join(wanted)} column"
    if given is not None:
        msg = f"{option} is {given!r}, expected the {what}; found {', '.join(map(str, fitting)) or 'none'} "
        msg += f"among the columns {', '.join(map(str, kinds))}."
        raise ColumnError(msg)
    exact = [name for name in fitting if name in usual_names]
    named = [name for name in fitting if str(name).startswith(tuple(usual_names))]
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


def _expected(found: object) -> str:
    hint = " Embed it first: WordEmbedder.load(model).embed([text])." if isinstance(found, str) else ""
    return f"Expected embedded texts (EmbeddedText, pandas, Spark or Arrow), got {type(found).__name__}.{hint}"
