"""Turns texts into a frame of their words, sentences or documents with vectors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import pandas as pd

from sparkalbert.errors import ColumnError, ParamError, ParamTypeError
from sparkalbert.nlu.annotated_text import AnnotatedText
from sparkalbert.nlu.frames import LEVELS, OutputLevel, Shown, check_names, result_frame
from sparkalbert.nlu.inputs import TEXT, LocalTexts, check_text_name, is_spark_frame, local_texts, text_column
from sparkalbert.nlu.progress import ProgressLine, progress_line
from sparkalbert.nlu.sources import Source, annotated_rows
from sparkalbert.options import near_miss

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkalbert.ml.job.progress import JobProgress

__all__ = ["LOCAL_CHARACTERS", "Predictor"]

LOCAL_CHARACTERS: Final = 200_000
"""Texts with fewer characters in total (about 100 pages) are never worth a Spark job."""

_DEFAULT_LEVEL: Final = "token"
"""The level of models of word embeddings, which NLU chooses for ``""``."""

_SLICE_BYTES: Final = 256 * 1024 * 1024
"""Local texts are collected in slices of about this size: Spark refuses results above ``spark.driver.maxResultSize``,
1 GB by default, and the driver's JVM holds them in its heap."""

_CHARACTERS_PER_TOKEN: Final = 2
"""A low estimate, so that slices are rather too small; English has five to six."""

_TOKEN_BYTES: Final = 64
"""What is collected of a token besides its vector, about."""

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

    def predict(  # noqa: PLR0913, PLR0917 - NLU's keywords
        self,
        data: Any,
        output_level: Literal["token", "sentence", "document", "chunk", ""] = "token",
        output_path: Any = None,
        positions: bool = False,
        keep_stranger_features: bool = True,
        metadata: bool = False,
        multithread: bool = True,
        drop_irrelevant_cols: bool = True,
        return_spark_df: bool = False,
        get_embeddings: bool | None = True,
        parser_output: bool = False,
        parser_config: Any = None,
        partition: int | None = None,
        *,
        pooling: Literal["mean"] | None = None,
        text_col: str | None = None,
        reset_index: bool = False,
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
        output_path, parser_config, partition
            Have no effect; accepted because NLU's method takes them. It reads `output_path` for images only, and
            spreads texts over `partition` tasks.
        positions
            If true, ``NAME_begin`` and ``NAME_end`` locate each part, in UTF-16 units of the text, `end` inclusive.
        metadata
            If true, the texts of the other levels, ``origin_index`` and the metadata of each token are shown.
        multithread
            If true, ``text`` is left out where NLU uses a LightPipeline: if `get_embeddings` is false and the data is a
            pandas DataFrame with a column ``text`` without missing texts, and an index without a name. It changes
            nothing else.
        get_embeddings
            If false, vectors are neither computed nor shown. None is true.
        keep_stranger_features
            If false, of the columns of a DataFrame only ``text`` is kept.
        drop_irrelevant_cols
            If false, the texts of the other levels are shown.
        return_spark_df
            If true, return a Spark DataFrame with the annotation columns, one row for each text, computed when it is
            read; the other options do not change it.
        parser_output
            Must be false: the parser of NLU is a part of Spark NLP for Healthcare.
        pooling
            ``mean`` for one vector per sentence or document, the mean of its tokens' vectors; by default all of them,
            ``[tokens, dimension]``.
        text_col
            The column of texts of a DataFrame; by default the column that a saved pipeline reads, else ``text``, else
            the first.
        reset_index
            If true, the index counts the texts from 0, as in NLU; by default a pandas index is kept.

        Returns
        -------
        pandas.DataFrame
            Columns in alphabetical order, rows in the order of the texts; the index of a text is repeated for each of
            its rows. An empty or missing text has one row with NaN. Vectors are float32 arrays, in the column
            ``word_embedding_albert``, or ``word_embedding_from_disk`` for a folder; see :func:`sparkalbert.load`.

        Raises
        ------
        ParamError
            If `output_level` or `pooling` is unknown, or `parser_output` is true.
        ParamTypeError
            If `data` is something else or contains anything other than strings.
        ColumnError
            If a column is missing, or a column has the name of a column of the result.
        TextError
            If a text is not valid Unicode.
        """
        del output_path, parser_config, partition
        if parser_output:
            msg = (
                f"parser_output is {parser_output!r}, expected False: its parser is a part of Spark NLP for Healthcare."
            )
            raise ParamError(msg)
        level = _level(output_level)
        shown = Shown(
            level,
            self._vector_column,
            positions=positions,
            metadata=metadata,
            get_embeddings=get_embeddings is None or bool(get_embeddings),
            multithread=multithread,
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
            if session is None:
                annotated = self._source.annotate(_watched(texts.texts, line), with_vectors=shown.get_embeddings)
            else:
                annotated = self._on_spark(session, texts.texts, line, with_vectors=shown.get_embeddings)
            return result_frame(annotated, texts, shown)

    def _on_spark(
        self, spark: SparkSession, texts: Sequence[str], line: ProgressLine, *, with_vectors: bool
    ) -> Iterator[AnnotatedText]:
        """Yield the texts with their sentences, words and vectors, computed by Spark jobs of bounded results."""
        from sparkalbert.ml.job.annotated_frame import collect_texts
        from sparkalbert.ml.job.progress import reported_progress

        pipeline, columns = self._source.pipeline(TEXT, _PREFIX)
        token_bytes = _TOKEN_BYTES + (4 * columns.dimension(pipeline) if with_vectors else 0)
        done, total = 0, sum(map(len, texts))
        for part in _slices(texts, _CHARACTERS_PER_TOKEN * _SLICE_BYTES // token_bytes):
            size = sum(map(len, part))
            with reported_progress(spark, "sparkalbert: predict", _report_to(line, done, size, total)):
                computed = collect_texts(spark, part, pipeline, columns, with_vectors=with_vectors)
            yield from annotated_rows(computed)
            done += size

    def _of_spark_frame(self, frame: DataFrame, text_col: str | None, shown: Shown, *, raw: bool) -> Any:
        from sparkalbert.ml.columns import quote_name
        from sparkalbert.ml.job.annotated_frame import collect_annotated
        from sparkalbert.ml.job.progress import reported_progress

        column = text_column(frame.columns, text_col, self._source.text_cols)
        if raw or shown.keep_stranger_features:
            check_text_name(column, [name.lower() for name in frame.columns if name != column])
        if raw:
            return self._raw(frame, column)
        if not shown.keep_stranger_features:
            frame = frame.select(frame[quote_name(column)])
        shown_names = _result_names(frame.columns, column)
        check_names(shown_names, shown)
        pipeline, columns = self._source.pipeline(TEXT, _PREFIX)
        names = _run_names(frame.columns, column, columns.text)
        with (
            progress_line("Predicting") as line,
            reported_progress(frame.sparkSession, "sparkalbert: predict", _report_to(line)),
        ):
            texts = frame.toDF(*names)
            carried, computed = collect_annotated(texts, pipeline, columns, with_vectors=shown.get_embeddings)
        carried = carried.rename(columns=dict(zip(names, shown_names, strict=True)))
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
    level = output_level or _DEFAULT_LEVEL
    if level not in LEVELS:
        hint = near_miss(level.lower(), LEVELS)
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


def _slices(texts: Sequence[str], characters: int) -> Iterator[list[str]]:
    """Yield texts in lists of at most `characters` characters; a longer text is alone."""
    part: list[str] = []
    size = 0
    for text in texts:
        if part and size + len(text) > characters:
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    yield part


def _report_to(line: ProgressLine, done: int = 0, size: int = 1, total: int = 1) -> Callable[[JobProgress], None]:
    """Return a callback for the progress of a job that computes `size` of `total`, of which `done` is done."""

    def report(progress: JobProgress) -> None:
        if progress.total:
            line.update(done + size * progress.done / progress.total, total)

    return report


def _session() -> SparkSession | None:
    """Return the Spark session of this process, None if it has none."""
    if "pyspark" not in sys.modules:
        return None
    from sparkalbert.ml.session.spark_session import existing_session

    return existing_session()


def _spark_frame(texts: LocalTexts) -> DataFrame:
    from sparkalbert.ml import start
    from sparkalbert.ml.job.annotated_frame import text_frame

    frame = pd.DataFrame({TEXT: texts.texts}, dtype=object) if texts.carried is None else texts.carried
    return text_frame(start(), frame, TEXT)
