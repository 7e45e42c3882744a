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

__all__ = ["LEVELS", "OutputLevel", "Shown", "check_names", "result_frame"]

OutputLevel = Literal["chunk", "document", "sentence", "token"]
LEVELS: Final[tuple[str, ...]] = get_args(OutputLevel)
"""From the whole to its parts; such pipelines have no chunks, and NLU returns documents in their place."""

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
    multithread: bool = True
    keep_stranger_features: bool = True
    drop_irrelevant_cols: bool = True
    pooled: bool = False
    reset_index: bool = False

    @property
    def all_levels(self) -> bool:
        """Whether the texts of all levels are shown."""
        return self.metadata or not self.drop_irrelevant_cols

    def carried(self, texts: LocalTexts) -> pd.DataFrame | None:
        """Return the carried columns that are shown, None if the data had no columns.

        Without vectors NLU uses a LightPipeline where it can, which drops ``text``.
        """
        if texts.carried is None:
            return None
        drops_text = texts.fits_light_pipeline and self.multithread and not self.get_embeddings
        names = [name for name in texts.carried.columns if self.keep_stranger_features or name == TEXT]
        return texts.carried[[name for name in names if name != TEXT or not drops_text]]


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
    carried = shown.carried(texts)
    if carried is not None:
        check_names(carried.columns, shown)
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


def check_names(carried: Iterable[Any], shown: Shown) -> None:
    """Check that no carried column has the name of a column of the result.

    Raises
    ------
    ColumnError
        If one has.
    """
    results = {*_cells(_NOTHING, [], shown), *([_INDEX] if shown.all_levels else [])}
    taken = sorted(set(map(str, carried)) & results)
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
    document, sentences, tokens = [0], range(len(text.sentences)), range(len(text.tokens))
    if level in {"chunk", "document"}:
        return [_Row(document, sentences, tokens)]
    if level == "sentence":
        order = np.argsort(text.sentence, kind="stable")
        firsts = np.searchsorted(text.sentence[order], np.arange(len(sentences) + 1)).tolist()
        rows = [_Row(document, [number], order[firsts[number] : firsts[number + 1]].tolist()) for number in sentences]
        return rows or [_Row(document, [], [])]
    return [_Row(document, sentences, [token]) for token in tokens] or [_Row(document, sentences, [])]


def _cells(text: AnnotatedText, rows: Sequence[_Row], shown: Shown) -> dict[str, list[Any]]:
    """Return the cells that some rows of a text have in the columns that are computed."""
    cells: dict[str, list[Any]] = {}
    parts = {"document": text.document, "sentence": text.sentences, "token": text.tokens}
    for level, spans in parts.items():
        members = [getattr(row, level) for row in rows]
        is_own = level == shown.level
        is_shown = is_own or (level == "document" and shown.level == "chunk")
        if is_shown or shown.all_levels:
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
    """Return for each row the value of its only member, NaN without one; or the list of the values of all.

    Rows with the same members share their list: each word of a book would need a list of all its sentences.
    """
    if one:
        return [values[row[0]] if row else _NAN for row in members]
    lists = {id(row): row for row in members}
    cells = {key: [values[member] for member in row] for key, row in lists.items()}
    return [cells[id(row)] for row in members]


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
    if shown.level == "sentence" and not row.sentence:
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
