"""Turns texts into a frame of their words, sentences or documents with vectors."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import pandas as pd

from sparkalbert.errors import ColumnError, ParamError, ParamTypeError
from sparkalbert.nlu.frames import LEVELS, OutputLevel, Shown, result_frame
from sparkalbert.nlu.inputs import TEXT, LocalTexts, check_text_name, is_spark_frame, local_texts, text_column
from sparkalbert.nlu.progress import ProgressLine, progress_line
from sparkalbert.nlu.sources import Source, annotated_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkalbert.ml.job.progress import JobProgress

__all__ = ["LOCAL_CHARACTERS", "Predictor"]

LOCAL_CHARACTERS: Final = 200_000
"""Texts with fewer characters in total (about 100 pages) are never worth a Spark job."""

_LEVEL_ALIASES: Final = {"": "token", "chunk": "document"}
"""NLU's default for models of word embeddings, and its level of chunks, of which such a pipeline has none."""

_PREFIX: Final = "_sparkalbert_"


class Predictor:
    """A model that predicts frames of vectors, as :func:`sparkalbert.load` returns it.

    Parameters
    ----------
    source
        Computes words and vectors.
    vector_column
        Name of the column of vectors.
    """

    def __init__(self, source: Source, vector_column: str) -> None:
        self._source = source
        self._vector_column = vector_column

    def predict(  # noqa: PLR0913 - NLU's keywords
        self,
        data: Any,
        output_level: Literal["token", "sentence", "document", "chunk", ""] = "token",
        *,
        positions: bool = False,
        metadata: bool = False,
        get_embeddings: bool = True,
        keep_stranger_features: bool = True,
        drop_irrelevant_cols: bool = True,
        return_spark_df: bool = False,
        pooling: Literal["mean"] | None = None,
        text_col: str | None = None,
        reset_index: bool = False,
        multithread: bool = True,
    ) -> Any:
        """Return the words, sentences or documents of texts with their vectors.

        Local data of fewer than 200,000 characters is computed in this process, without a Spark job: a short text takes
        milliseconds. Larger local data is computed by the Spark session if there is one, and shows its progress. The
        vectors are the same bit for bit.

        Parameters
        ----------
        data
            A str, or a list, NumPy array or pandas Series of them; a pandas or Spark DataFrame (classic or Connect)
            with a column of texts (see `text_col`), which is called ``text`` in the result.
        output_level
            What a row is: a ``token``, a ``sentence`` or a ``document``. ``chunk`` returns documents, as in NLU.
        positions
            If true, ``NAME_begin`` and ``NAME_end`` locate each part, in UTF-16 units of the text, `end` inclusive.
        metadata
            If true, the texts of the other levels, ``origin_index`` and the metadata of each token are shown.
        get_embeddings
            If false, vectors are neither computed nor shown, nor, as in NLU, is ``text``.
        keep_stranger_features
            If false, of the columns of a DataFrame only ``text`` is kept.
        drop_irrelevant_cols
            If false, the texts of the other levels are shown.
        return_spark_df
            If true, return a Spark DataFrame with the annotation columns, one row for each text, computed when it is
            read; the other options do not change it.
        pooling
            ``mean`` for one vector per sentence or document, the mean of its tokens' vectors; by default all of them,
            ``[tokens, dimension]``.
        text_col
            The column of texts of a DataFrame; by default the column that a saved pipeline reads, else ``text``, else
            the first.
        reset_index
            If true, the index counts the texts from 0, as in NLU; by default a pandas index is kept.
        multithread
            Has no effect; accepted because NLU's method takes it.

        Returns
        -------
        pandas.DataFrame
            Columns in alphabetical order, rows in the order of the texts; the index of a text is repeated for each of
            its rows. An empty or missing text has one row with NaN. Vectors are float32 arrays, in the column
            ``word_embedding_albert``, or ``word_embedding_from_disk`` for a folder.

        Raises
        ------
        ParamError
            If `output_level` or `pooling` is unknown.
        ParamTypeError
            If `data` is something else or contains anything other than strings.
        ColumnError
            If a column is missing, or a column has the name of a column of the result.
        TextError
            If a text is not valid Unicode.
        """
        del multithread
        level = _level(output_level)
        shown = Shown(
            level,
            self._vector_column,
            positions=positions,
            metadata=metadata,
            get_embeddings=get_embeddings,
            keep_stranger_features=keep_stranger_features,
            drop_irrelevant_cols=drop_irrelevant_cols,
            pooled=_is_pooled(pooling, level),
            reset_index=reset_index,
        )
        if is_spark_frame(data):
            return self._of_spark_frame(data, text_col, shown, raw=return_spark_df)
        keep_others = keep_stranger_features or return_spark_df
        texts = local_texts(data, text_col, self._source.text_cols, keep_others=keep_others)
        if return_spark_df:
            return self._raw(_spark_frame(texts), TEXT)
        session = _session() if sum(map(len, texts.texts)) >= LOCAL_CHARACTERS else None
        with progress_line("Predicting") as line:
            if session is not None:
                return self._on_spark(session, texts, shown, line)
            annotated = self._source.annotate(_watched(texts.texts, line), with_vectors=get_embeddings)
            return result_frame(annotated, texts, shown)

    def _on_spark(self, spark: SparkSession, texts: LocalTexts, shown: Shown, line: ProgressLine) -> pd.DataFrame:
        from sparkalbert.ml.job.annotated_frame import collect_annotated, numbered_texts
        from sparkalbert.ml.job.progress import reported_progress

        pipeline, columns = self._source.pipeline(TEXT, _PREFIX)
        frame = numbered_texts(spark, texts.texts, columns.text)
        with reported_progress(spark, "sparkalbert: predict", _report_to(line)):
            _, computed = collect_annotated(frame, pipeline, columns, with_vectors=shown.get_embeddings)
        return result_frame(annotated_rows(computed), texts, shown)

    def _of_spark_frame(self, frame: DataFrame, text_col: str | None, shown: Shown, *, raw: bool) -> Any:
        from sparkalbert.ml.job.annotated_frame import collect_annotated
        from sparkalbert.ml.job.progress import reported_progress

        column = text_column(frame.columns, text_col, self._source.text_cols)
        if raw or shown.keep_stranger_features:
            check_text_name(column, [name.lower() for name in frame.columns if name != column])
        if raw:
            return self._raw(frame, column)
        pipeline, columns = self._source.pipeline(TEXT, _PREFIX)
        names = _run_names(frame.columns, column, columns.text)
        with (
            progress_line("Predicting") as line,
            reported_progress(frame.sparkSession, "sparkalbert: predict", _report_to(line)),
        ):
            texts = frame.toDF(*names)
            carried, computed = collect_annotated(texts, pipeline, columns, with_vectors=shown.get_embeddings)
        if not shown.keep_stranger_features:
            carried = carried[[columns.text]]
        carried = carried.rename(columns=dict(zip(names, _result_names(frame.columns, column), strict=True)))
        return result_frame(annotated_rows(computed), LocalTexts([], carried.index, carried), shown)

    def _raw(self, frame: DataFrame, column: str) -> DataFrame:
        """Return a frame with the annotation columns of a column of texts, computed when they are read."""
        pipeline, columns = self._source.pipeline(TEXT)
        names = _run_names(frame.columns, column, columns.text)
        annotated = pipeline.transform(frame.toDF(*names))
        renamed = {columns.embeddings: self._vector_column}
        renamed |= zip(names, _result_names(frame.columns, column), strict=True)
        result = [renamed.get(name, name) for name in annotated.columns]
        taken = sorted({name for name in result if result.count(name) > 1})
        if taken:
            msg = f"The data has columns named as columns of the result: {', '.join(taken)}. Rename or drop them."
            raise ColumnError(msg)
        return annotated.toDF(*result)


def _run_names(names: Sequence[str], column: str, read: str) -> list[str]:
    """Return the names of a Spark frame's columns while a pipeline runs that reads its texts from column `read`.

    Another column of that name is set aside; Spark does not distinguish upper and lower case by default.
    """
    aside = {name: f"{_PREFIX}column_{position}" for position, name in enumerate(names) if name.lower() == read.lower()}
    return [read if name == column else aside.get(name, name) for name in names]


def _result_names(names: Sequence[str], column: str) -> list[str]:
    return [TEXT if name == column else name for name in names]


def _level(output_level: Any) -> OutputLevel:
    if not isinstance(output_level, str):
        msg = f"output_level is {output_level!r}, expected one of {', '.join(reversed(LEVELS))}."
        raise ParamTypeError(msg)
    level = _LEVEL_ALIASES.get(output_level, output_level)
    if level not in LEVELS:
        close = difflib.get_close_matches(level.lower(), LEVELS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        msg = f"output_level is {output_level!r}, expected one of {', '.join(reversed(LEVELS))}.{hint}"
        raise ParamError(msg)
    return cast(OutputLevel, level)


def _is_pooled(pooling: str | None, level: OutputLevel) -> bool:
    if pooling not in {None, "mean"}:
        msg = (
            f"pooling is {pooling!r}, expected 'mean' or None. To choose the pieces that make a word's vector, use "
            "the option pooling of load()."
        )
        raise ParamError(msg)
    if pooling and level == "token":
        msg = "pooling is 'mean', but output_level is 'token'. Use output_level='sentence' or 'document'."
        raise ParamError(msg)
    return pooling is not None


def _watched(texts: list[str], line: ProgressLine) -> Iterator[str]:
    """Yield texts, and show how many of their characters are done."""
    total, done = sum(map(len, texts)), 0
    for text in texts:
        line.update(done, total)
        yield text
        done += len(text)


def _report_to(line: ProgressLine) -> Callable[[JobProgress], None]:
    return lambda progress: line.update(progress.done, progress.total)


def _session() -> SparkSession | None:
    """Return the Spark session of this process, None if it has none."""
    if "pyspark" not in sys.modules:
        return None
    from sparkalbert.ml.session.spark_session import existing_session

    return existing_session()


def _spark_frame(texts: LocalTexts) -> DataFrame:
    from sparkalbert.ml import start

    frame = pd.DataFrame({TEXT: texts.texts}, dtype=object) if texts.carried is None else texts.carried
    rows = frame.astype(object).where(frame.notna(), None)  # type: ignore[call-overload]  # Spark refuses NaN in texts
    return start().createDataFrame(rows)
