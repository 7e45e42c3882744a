"""Runs a pipeline on strings, without Spark jobs and without a Spark session.

Each stage runs the task that its Spark workers run, so annotations and vectors are the same bit for bit.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import numpy as np
import pyarrow as pa
from pyspark.ml import Estimator, Pipeline, PipelineModel, Transformer
from pyspark.ml.param import Param
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.ml.annotation import Annotation, annotation_list, result_list
from sparkalbert.ml.columns import find_column, unused_name
from sparkalbert.ml.schema import DOCUMENT
from sparkalbert.ml.stages.local import FitsLocally, LocalRows, LocalStep, RunsLocally
from sparkalbert.ml.stages.multi_document_assembler import MultiDocumentAssembler
from sparkalbert.text.pieces.normalization import check_unicode

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LightPipeline"]

T = TypeVar("T", Annotation, str)

_BATCH_CHARACTERS: Final = 1 << 16
"""Characters of text processed at a time. With a large model the vectors of its words take about 1000 times as much."""


class LightPipeline:
    """Annotates strings immediately, for a service or to try a pipeline on a few texts.

    It may be shared by threads. It can be pickled and copied: the stages travel, and a model is loaded again where the
    copy is used first.

    Parameters
    ----------
    pipelineModel
        A fitted pipeline, in memory or loaded. A ``Pipeline`` or a list of stages is enough if no stage learns from
        data; ``Tokenizer`` does not.
    parse_embeddings
        If true, annotations contain their vectors in ``embeddings``, and :meth:`annotate` returns vectors instead of
        words for an embeddings column.
    output_cols
        Columns to return, by default all. The column ``document`` is always returned.

    Raises
    ------
    ParamTypeError
        If `pipelineModel` is something else.
    ParamError
        If a stage has to learn from data first.

    Warns
    -----
    UserWarning
        If a stage of Spark ML that comes before an annotator is not run.

    Notes
    -----
    As in Spark NLP, stages of Spark ML and finishers of vectors are not run, ``lazyAnnotator`` leaves a stage out,
    ``explodeSentences`` has no effect, and a document has no metadata. The stages of sparkalbert are copied, also for
    :meth:`transform`; changing one later has no effect.

    Examples
    --------
    >>> from sparkalbert.ml import DocumentAssembler, SentenceDetector, Tokenizer
    >>> detector = SentenceDetector(inputCols=["document"])
    >>> light = LightPipeline([DocumentAssembler(inputCol="text"), detector, Tokenizer(inputCols=["sentence"])])
    >>> light.annotate("I love NLP. You too?")["sentence"]
    ['I love NLP.', 'You too?']
    """

    def __init__(
        self,
        pipelineModel: PipelineModel | Pipeline | Sequence[Any],
        parse_embeddings: bool = False,
        output_cols: Sequence[str] | None = None,
    ) -> None:
        self.pipeline_model = _fitted(pipelineModel)
        self.parse_embeddings = parse_embeddings
        self.output_cols = list(output_cols or [])
        self._stages: list[Any] = [
            stage.copy() if isinstance(stage, RunsLocally) else stage for stage in _flat(self.pipeline_model)
        ]
        self._ignore_unsupported = False
        self._steps: list[LocalStep] | None = None
        self._lock = threading.Lock()
        _warn_of_stages_not_run(self._stages)

    def __getstate__(self) -> dict[str, Any]:
        # Neither a lock nor a loaded model can be pickled.
        return {name: value for name, value in vars(self).items() if name not in {"_steps", "_lock"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _steps=None, _lock=threading.Lock())

    def fullAnnotate(
        self, target: str | list[str] | list[int], optional_target: str | list[str] = ""
    ) -> list[dict[str, list[Annotation]]]:
        """Annotate texts: ``fullAnnotate(text)``, ``fullAnnotate(texts)`` or ``fullAnnotate(ids, texts)``.

        Parameters
        ----------
        target
            A text or a list of texts; or ids, if texts follow.
        optional_target
            The texts of the ids. Each document then has its id in the metadata, and a column ``doc_id`` (or the
            ``idCol`` of the DocumentAssembler) is added, as in Spark NLP 6.

        Returns
        -------
        list of dict
            For each text, also for a single one, the annotations of every column, a list of
            :class:`~sparkalbert.ml.Annotation`.

        Raises
        ------
        ParamTypeError
            If `target` is something else, or an input column of a stage is missing.
        ParamError
            If a stage cannot run without Spark, or if there is not one text for each id.
        TextError
            If a text is not valid Unicode.
        """
        rows = _checked_rows(target, optional_target)
        return self._annotated(rows, partial(annotation_list, with_vectors=self.parse_embeddings))

    @overload
    def annotate(self, target: str, optional_target: str = "") -> dict[str, list[str]]: ...

    @overload
    def annotate(
        self, target: list[str] | list[int], optional_target: str | list[str] = ""
    ) -> list[dict[str, list[str]]]: ...

    def annotate(self, target: str | list[str] | list[int], optional_target: str | list[str] = "") -> Any:
        """Annotate texts and return the results only.

        Parameters
        ----------
        target, optional_target
            As for :meth:`fullAnnotate`.

        Returns
        -------
        dict or list of dict
            For a text the results of every column, a list of str; for a list one such dict per text.

        Raises
        ------
        ParamTypeError, ParamError, TextError
            As :meth:`fullAnnotate` does.
        """
        rows = _checked_rows(target, optional_target)
        results = self._annotated(rows, partial(result_list, with_vectors=self.parse_embeddings))
        return results[0] if isinstance(target, str) else results

    def transform(self, dataframe: DataFrame) -> DataFrame:
        """Transform a DataFrame; the result has its columns, then `output_cols` or all new columns.

        Raises
        ------
        ColumnError
            If one of `output_cols` does not exist.
        """
        transformed = PipelineModel(self._stages).transform(dataframe)
        if not self.output_cols:
            return transformed
        # The DataFrame's own columns are not listed by name: after a join, several may have the same name.
        added = [name for name in transformed.columns if name not in dataframe.columns]
        wanted = [name for name in dict.fromkeys(self.output_cols) if name not in dataframe.columns]
        held = {unused_name(): find_column(transformed, name, "LightPipeline") for name in wanted}
        chosen = transformed.select("*", *(found.column.alias(holder) for holder, found in held.items())).drop(*added)
        named = [F.col(holder).alias(found.field.name) for holder, found in held.items()]
        return chosen.select("*", *named).drop(*held)

    def setIgnoreUnsupported(self, value: bool) -> Self:
        """Sets whether annotators that cannot run without Spark are left out rather than refused."""
        self._ignore_unsupported = value
        self._steps = None
        return self

    def getIgnoreUnsupported(self) -> bool:
        """Gets whether annotators that cannot run without Spark are left out."""
        return self._ignore_unsupported

    def _annotated(self, rows: LocalRows, form: Callable[[pa.Array], list[T]]) -> list[dict[str, list[T]]]:
        """Return for each text what `form` returns for its part of every column."""
        with self._lock:  # services call from many threads
            steps = self._steps = self._steps or self._prepared_steps()
        results: list[dict[str, list[T]]] = []
        for batch in _batches(rows):
            done = batch
            for step in steps:
                done = step(done)
            columns = {name: _by_row(done.columns[name], form) for name in done.columns if self._is_wanted(name)}
            results += [{name: column[row] for name, column in columns.items()} for row in range(len(batch.texts))]
        return results

    def _prepared_steps(self) -> list[LocalStep]:
        """Return the steps of the stages; raises ParamError if one of them cannot run."""
        steps: list[LocalStep] = []
        types: dict[str, str] = {}
        for stage in self._stages:
            kind = _annotator_type(stage)
            if _is_lazy(stage):
                pass  # it is left out, whether or not it could run
            elif isinstance(stage, RunsLocally):
                steps.append(stage._local_step(types))  # noqa: SLF001 - the protocol between stages and this class
            elif kind is not None and not self._ignore_unsupported:
                msg = (
                    f"model {stage.uid} does not support LightPipeline: a {type(stage).__name__} needs a Spark "
                    "session. Call setIgnoreUnsupported(True) on LightPipeline to leave it out, or transform() a "
                    "DataFrame."
                )
                raise ParamError(msg)
            if kind is not None:
                types.update(dict.fromkeys(_outputs(stage), kind))
        return steps

    def _is_wanted(self, name: str) -> bool:
        return not self.output_cols or name in self.output_cols or name.lower() == DOCUMENT


def _fitted(pipeline: PipelineModel | Pipeline | Sequence[Any]) -> PipelineModel:
    if isinstance(pipeline, PipelineModel):
        return pipeline
    stages = pipeline.getStages() if isinstance(pipeline, Pipeline) else pipeline
    if not isinstance(stages, (list, tuple)) or not all(
        isinstance(stage, (Estimator, Transformer)) for stage in stages
    ):
        msg = f"LightPipeline expects a PipelineModel, a Pipeline or a list of stages, got {type(pipeline).__name__}."
        raise ParamTypeError(msg)
    return PipelineModel([_fitted_stage(stage) for stage in stages])


def _fitted_stage(stage: Any) -> Transformer:
    if isinstance(stage, Pipeline):
        return _fitted(stage)
    if isinstance(stage, FitsLocally):
        return stage._fit_locally()  # type: ignore[return-value]  # noqa: SLF001 - the protocol
    if isinstance(stage, Estimator):
        msg = (
            f"{stage.uid} has to be fitted: a {type(stage).__name__} learns from data. Pass the PipelineModel that "
            "pipeline.fit(dataframe) returns."
        )
        raise ParamError(msg)
    return stage  # type: ignore[no-any-return]


def _flat(pipeline: PipelineModel) -> Iterator[Any]:
    for stage in pipeline.stages:
        if isinstance(stage, PipelineModel):
            yield from _flat(stage)
        else:
            yield stage


def _annotator_type(stage: Any) -> str | None:
    """Return the type of the annotation column that a stage adds; None for a stage that adds another column."""
    return getattr(stage, "outputAnnotatorType", None)


def _outputs(stage: Any) -> list[str]:
    """Return the annotation columns that an annotator adds."""
    if isinstance(stage, MultiDocumentAssembler):
        return [output for _, output in stage.column_pairs()]
    return [stage.getOutputCol()]


def _is_lazy(stage: Any) -> bool:
    lazy = getattr(stage, "lazyAnnotator", None)
    return isinstance(lazy, Param) and stage.isDefined(lazy) and bool(stage.getOrDefault(lazy))


def _warn_of_stages_not_run(stages: Sequence[Any]) -> None:
    """Warn of stages that may change what a later annotator reads."""
    annotators = [position for position, stage in enumerate(stages) if isinstance(stage, RunsLocally)]
    last = annotators[-1] if annotators else 0
    for stage in stages[:last]:
        if not isinstance(stage, RunsLocally) and _annotator_type(stage) is None:
            msg = (
                f"LightPipeline does not run {stage.uid}, as in Spark NLP: later stages see texts and annotations "
                "without it. Use transform() on a DataFrame to run it."
            )
            warnings.warn(msg, stacklevel=3)


def _checked_rows(target: Any, optional_target: Any) -> LocalRows:
    if optional_target == "":
        return LocalRows(_texts([target] if isinstance(target, str) else target, "target"), {})
    if not isinstance(target, list) or not all(type(number) is int for number in target):
        msg = (
            "LightPipeline expects ids (a list of int) before a second argument: annotate(ids, texts). Question "
            "answering, annotate(question, context), is not supported."
        )
        raise ParamError(msg)
    texts = _texts(optional_target, "optional_target")
    if len(texts) != len(target):
        msg = f"ids and texts must have the same length, got {len(target)} ids and {len(texts)} texts."
        raise ParamError(msg)
    return LocalRows(texts, {}, [str(number) for number in target])


def _texts(texts: Any, argument: str) -> list[str]:
    expected = f"{argument} for annotation must be 'str' or list[str]"
    if not isinstance(texts, list):
        msg = f"{expected}, found {type(texts).__name__}."
        raise ParamTypeError(msg)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            msg = f"{expected}, found {type(text).__name__} at position {position} of the list."
            raise ParamTypeError(msg)
        check_unicode(text)
    return texts


def _batches(rows: LocalRows) -> Iterator[LocalRows]:
    """Cut rows into batches of about `_BATCH_CHARACTERS`, at least one text each."""
    start, characters = 0, 0
    for stop, text in enumerate(rows.texts):
        if stop > start and characters + len(text) > _BATCH_CHARACTERS:
            yield _part(rows, start, stop)
            start, characters = stop, 0
        characters += len(text)
    if rows.texts:
        yield _part(rows, start, len(rows.texts))


def _part(rows: LocalRows, start: int, stop: int) -> LocalRows:
    return LocalRows(rows.texts[start:stop], {}, None if rows.ids is None else rows.ids[start:stop])


def _by_row(column: pa.Array, form: Callable[[pa.Array], list[T]]) -> list[list[T]]:
    """Return `form` of all annotations of a column, cut into rows."""
    items = form(column.flatten())
    offsets = np.asarray(column.offsets)
    return [items[start:stop] for start, stop in pairwise((offsets - offsets[0]).tolist())]
