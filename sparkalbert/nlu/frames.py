"""The frames that ``predict`` returns, with NLU's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from sparkalbert.errors import ColumnError
from sparkalbert.nlu.annotated_text import AnnotatedText, Spans
from sparkalbert.nlu.inputs import TEXT, LocalTexts
from sparkalbert.text.pieces.encoding import NO_PIECE
from sparkalbert.vectors import group_means

__all__ = ["LEVELS", "OutputLevel", "Shown", "result_frame"]

OutputLevel = Literal["document", "sentence", "token"]
LEVELS: Final[tuple[str, ...]] = get_args(OutputLevel)
"""From the whole to its parts."""

_NAN: Final = np.nan
_INDEX: Final = "origin_index"


@dataclass(frozen=True)
class Shown:
    """What a result shows; see :meth:`Predictor.predict`.

    Attributes
    ----------
    vectors
        Name of the column of vectors.
    """

    level: OutputLevel
    vectors: str
    positions: bool = False
    metadata: bool = False
    get_embeddings: bool = True
    keep_stranger_features: bool = True
    drop_irrelevant_cols: bool = True
    pooled: bool = False
    reset_index: bool = False

    @property
    def all_levels(self) -> bool:
        """Whether the texts of all levels are shown."""
        return self.metadata or not self.drop_irrelevant_cols

    def carried(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the carried columns that are shown. As in NLU, ``text`` is left out together with the vectors."""
        names = [name for name in frame.columns if self.keep_stranger_features or name == TEXT]
        return frame[[name for name in names if self.get_embeddings or name != TEXT]]


class _Row(NamedTuple):
    """The parts of a text that a row of the result shows, as positions among the parts of its kind."""

    document: Sequence[int]
    sentence: Sequence[int]
    token: Sequence[int]


def result_frame(annotated: Iterable[AnnotatedText], texts: LocalTexts, shown: Shown) -> pd.DataFrame:
    """Return the result of a prediction.

    Parameters
    ----------
    annotated
        The texts with their sentences, words and vectors.
    texts
        The same texts with their index and columns.
    shown
        What to show.

    Raises
    ------
    ColumnError
        If a carried column has the name of a column of the result.
    """
    columns: dict[str, list[Any]] = _cells(_NOTHING, [], shown)
    carried = None if texts.carried is None else shown.carried(texts.carried)
    if carried is not None:
        _check_names(carried.columns, [*columns, _INDEX] if shown.all_levels else columns)
    counts = []
    for text in annotated:
        rows = _rows(text, shown.level)
        for name, cells in _cells(text, rows, shown).items():
            columns[name] += cells
        counts.append(len(rows))
    row = np.repeat(np.arange(len(counts)), counts)
    frame = pd.DataFrame({name: _series(name, cells, shown) for name, cells in columns.items()})
    if shown.all_levels:
        frame[_INDEX] = texts.index.to_numpy()[row]
    if carried is not None:
        frame = pd.concat([carried.take(row).reset_index(drop=True), frame], axis=1)
    frame = frame[sorted(frame.columns, key=str)]
    frame.index = pd.Index(row) if shown.reset_index else texts.index.take(row)
    return frame


def _check_names(carried: Iterable[Any], results: Iterable[str]) -> None:
    taken = sorted(set(map(str, carried)) & set(results))
    if taken:
        msg = (
            f"The data has columns named as columns of the result: {', '.join(taken)}. Rename them, or leave them out "
            "with keep_stranger_features=False."
        )
        raise ColumnError(msg)


def _series(name: str, cells: list[Any], shown: Shown) -> pd.Series[Any]:
    """Return a column. As in NLU, only the offsets of single vectors have a numeric dtype."""
    is_number = shown.level == "token" and name in {f"{shown.vectors}_begin", f"{shown.vectors}_end"}
    return pd.Series(cells) if is_number and cells else pd.Series(cells, dtype=object)


def _rows(text: AnnotatedText, level: OutputLevel) -> list[_Row]:
    """Return the rows of a text, at least one."""
    sentences, tokens = range(len(text.sentences)), range(len(text.tokens))
    if level == "document":
        return [_Row([0], sentences, tokens)]
    if level == "sentence":
        rows = [_Row([0], [number], np.flatnonzero(text.sentence == number).tolist()) for number in sentences]
        return rows or [_Row([0], [], [])]
    return [_Row([0], sentences, [token]) for token in tokens] or [_Row([0], sentences, [])]


def _cells(text: AnnotatedText, rows: Sequence[_Row], shown: Shown) -> dict[str, list[Any]]:
    """Return the cells that some rows of a text have in the columns that are computed."""
    cells: dict[str, list[Any]] = {}
    parts = {"document": text.document, "sentence": text.sentences, "token": text.tokens}
    for level, spans in parts.items():
        members = [getattr(row, level) for row in rows]
        is_own = level == shown.level
        if is_own or shown.all_levels:
            cells[level] = _values(spans.result, members, one=is_own or level == "document")
        if shown.positions:
            cells[f"{level}_begin"] = _values(spans.begin, members, one=is_own)
            cells[f"{level}_end"] = _values(spans.end, members, one=is_own)
    sentence = text.sentence.astype(str).tolist()
    if shown.metadata:
        cells["token_origin_sentence"] = _facts(sentence, [row.token for row in rows], shown)
    if not shown.get_embeddings:
        return cells
    members = [[token for token in row.token if text.has_vector[token]] for row in rows]
    cells[shown.vectors] = [_vectors(text, row, tokens, shown) for row, tokens in zip(rows, members, strict=True)]
    if shown.positions:
        cells[f"{shown.vectors}_begin"] = _values(text.tokens.begin, members, one=shown.level == "token")
        cells[f"{shown.vectors}_end"] = _values(text.tokens.end, members, one=shown.level == "token")
    if shown.metadata:
        facts = {
            "is_OOV": np.where(text.piece == NO_PIECE, "true", "false").tolist(),
            "is_word_start": ["true"] * len(sentence),
            "origin_sentence": sentence,
            "piece_id": text.piece.astype(str).tolist(),
        }
        cells |= {f"{shown.vectors}_{name}": _facts(values, members, shown) for name, values in facts.items()}
    return cells


def _values(values: Sequence[Any], members: Sequence[Sequence[int]], *, one: bool) -> list[Any]:
    """Return for each row the value of its only member, NaN without one; or the list of the values of all."""
    if one:
        return [values[row[0]] if row else _NAN for row in members]
    return [[values[member] for member in row] for row in members]


def _facts(values: Sequence[Any], members: Sequence[Sequence[int]], shown: Shown) -> list[Any]:
    """Return the metadata of the words of each row, NaN (as in NLU) if there are none."""
    if shown.level == "token":
        return _values(values, members, one=True)
    return [cell or _NAN for cell in _values(values, members, one=False)]


def _vectors(text: AnnotatedText, row: _Row, tokens: Sequence[int], shown: Shown) -> Any:
    if shown.level == "token":
        return text.vectors[tokens[0]] if tokens else _NAN
    if not shown.pooled:
        return text.vectors[tokens]
    if not getattr(row, shown.level):
        return _NAN  # an empty text has no sentence
    return group_means(text.vectors[tokens], np.zeros(len(tokens), dtype=np.int64), 1)[0]


_NOTHING: Final = AnnotatedText(
    Spans([], [], []),
    Spans([], [], []),
    Spans([], [], []),
    np.zeros(0, dtype=np.int64),
    np.zeros(0, dtype=np.int64),
    np.zeros((0, 0), dtype=np.float32),
    np.zeros(0, dtype=bool),
)
