"""A pipeline on strings: the stages' own computation, without Spark jobs and without a Spark session.

Every stage runs the task that its Spark workers run, so annotations and vectors are the same bit for
bit. It knows no stage by name, only :mod:`sparkalbert.ml.stages.local`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import numpy as np
import pyarrow as pa
from pyspark.ml import Estimator, Pipeline, PipelineModel, Transformer
from pyspark.sql import DataFrame

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.ml.annotation import Annotation, annotation_list, result_list
from sparkalbert.ml.schema import DOCUMENT
from sparkalbert.ml.stages.local import FitsLocally, LocalRows, LocalStep, RunsLocally
from sparkalbert.text.normalization import check_unicode

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LightPipeline"]

T = TypeVar("T", Annotation, str)

_BATCH_CHARACTERS: Final = 1 << 16
"""Text worked on at a time. Vectors of its words take about a thousand times as much in a large model."""


class LightPipeline:
    """Annotates strings at once, for a service or a look at a few texts.

    Parameters
    ----------
    pipelineModel
        A fitted pipeline, in memory or loaded. A ``Pipeline`` or a list of stages will do where no
        stage learns from data; ``Tokenizer`` does not.
    parse_embeddings
        Whether vectors are wanted: in ``embeddings`` of annotations, and in place of the words that
        :meth:`annotate` returns for an embeddings column.
    output_cols
        Columns to return, all unless given. The column ``document`` always comes along.

    Raises
    ------
    ParamTypeError
        When `pipelineModel` is none of these.
    ParamError
        When a stage has to learn from data first.

    Notes
    -----
    As in Spark NLP a finisher of vectors does nothing here, ``lazyAnnotator`` leaves a stage out,
    ``explodeSentences`` has no effect, and a document has no metadata. Params are read once: what is
    set on a stage later has no effect.

    Examples
    --------
    >>> from sparkalbert.ml import DocumentAssembler, SentenceDetector, Tokenizer
    >>> detector = SentenceDetector(inputCols=["document"])
    >>> light = LightPipeline(
    ...     [DocumentAssembler(inputCol="text"), detector, Tokenizer(inputCols=["sentence"])]
    ... )
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
        self._stages = [
            stage.copy() if isinstance(stage, RunsLocally) else stage for stage in _flat(self.pipeline_model)
        ]
        self._ignore_unsupported = False
        self._steps: list[LocalStep] | None = None
        self._lock = threading.Lock()

    def fullAnnotate(
        self, target: str | list[str], optional_target: str = ""
    ) -> list[dict[str, list[Annotation]]]:
        """Annotate texts.

        Parameters
        ----------
        target
            A text or a list of texts.
        optional_target
            Only for Spark NLP's question answering, which is not here.

        Returns
        -------
        list of dict
            For each text, also for a single one, the annotations of every column, a list of
            :class:`~sparkalbert.ml.Annotation`.

        Raises
        ------
        ParamTypeError
            When `target` is something else, or an input column of a stage is missing.
        ParamError
            When a stage cannot run without Spark, or `optional_target` is given.
        TextError
            When a text is not valid Unicode.
        """
        texts = _texts(target, optional_target, "argument for annotation must be 'str' or list[str]")
        return self._annotated(texts, partial(annotation_list, with_vectors=self.parse_embeddings))

    @overload
    def annotate(self, target: str, optional_target: str = "") -> dict[str, list[str]]: ...

    @overload
    def annotate(self, target: list[str], optional_target: str = "") -> list[dict[str, list[str]]]: ...

    def annotate(self, target: str | list[str], optional_target: str = "") -> Any:
        """Annotate texts and return the results only.

        Parameters
        ----------
        target
            A text or a list of texts.
        optional_target
            Only for Spark NLP's question answering, which is not here.

        Returns
        -------
        dict or list of dict
            For a text the results of every column, a list of str; for a list one such dict a text.

        Raises
        ------
        ParamTypeError
            When `target` is something else, or an input column of a stage is missing.
        ParamError
            When a stage cannot run without Spark, or `optional_target` is given.
        TextError
            When a text is not valid Unicode.
        """
        texts = _texts(target, optional_target, "target for annotation must be 'str' or list")
        results = self._annotated(texts, partial(result_list, with_vectors=self.parse_embeddings))
        return results[0] if isinstance(target, str) else results

    def transform(self, dataframe: DataFrame) -> DataFrame:
        """Return what the pipeline makes of a DataFrame: its columns, then output_cols or all new ones."""
        transformed = self.pipeline_model.transform(dataframe)
        if not self.output_cols:
            return transformed
        return transformed.select(*dict.fromkeys([*dataframe.columns, *self.output_cols]))

    def setIgnoreUnsupported(self, value: bool) -> Self:
        """Sets whether stages that cannot run without Spark are left out rather than refused."""
        self._ignore_unsupported = value
        self._steps = None
        return self

    def getIgnoreUnsupported(self) -> bool:
        """Gets whether stages that cannot run without Spark are left out."""
        return self._ignore_unsupported

    def _annotated(
        self, texts: Sequence[str], form: Callable[[pa.Array], list[T]]
    ) -> list[dict[str, list[T]]]:
        """Return for each text what `form` makes of its part of every column."""
        with self._lock:  # services call from many threads
            steps = self._steps = self._steps or self._prepared()
        results: list[dict[str, list[T]]] = []
        for part in _batches(texts):
            rows = LocalRows(part, {})
            for step in steps:
                rows = step(rows)
            columns = {
                name: _by_row(rows.columns[name], form) for name in rows.columns if self._is_wanted(name)
            }
            results += [{name: column[row] for name, column in columns.items()} for row in range(len(part))]
        return results

    def _prepared(self) -> list[LocalStep]:
        """The stages as steps; raises where one of them cannot run."""
        steps: list[LocalStep] = []
        types: dict[str, str] = {}
        for stage in self._stages:
            if isinstance(stage, RunsLocally):
                step = stage._local_step(types)  # noqa: SLF001 - the protocol between stages and this class
                steps += [] if _is_lazy(stage) else [step]
            elif not self._ignore_unsupported:
                msg = (
                    f"model {stage.uid} does not support LightPipeline: a {type(stage).__name__} needs a "
                    "Spark session. Call setIgnoreUnsupported(True) on LightPipeline to leave it out, or "
                    "transform() a DataFrame."
                )
                raise ParamError(msg)
            types.update(_made_by(stage))
        return steps

    def _is_wanted(self, name: str) -> bool:
        return not self.output_cols or name in self.output_cols or name.lower() == DOCUMENT


def _fitted(pipeline: PipelineModel | Pipeline | Sequence[Any]) -> PipelineModel:
    if isinstance(pipeline, PipelineModel):
        return pipeline
    stages = pipeline.getStages() if isinstance(pipeline, Pipeline) else pipeline
    if not isinstance(stages, (list, tuple)) or not all(
        isinstance(s, (Estimator, Transformer)) for s in stages
    ):
        msg = (
            f"LightPipeline takes a PipelineModel, a Pipeline or a list of stages, found "
            f"{type(pipeline).__name__}."
        )
        raise ParamTypeError(msg)
    return PipelineModel([_fitted_stage(stage) for stage in stages])


def _fitted_stage(stage: Any) -> Transformer:
    if isinstance(stage, Pipeline):
        return _fitted(stage)
    if isinstance(stage, FitsLocally):
        return stage._fit_locally()  # type: ignore[return-value]  # noqa: SLF001 - the protocol
    if isinstance(stage, Estimator):
        msg = (
            f"{stage.uid} has to be fitted: a {type(stage).__name__} learns from data. Pass the "
            "PipelineModel that pipeline.fit(dataframe) returns."
        )
        raise ParamError(msg)
    return stage  # type: ignore[no-any-return]


def _flat(pipeline: PipelineModel) -> Iterator[Any]:
    for stage in pipeline.stages:
        if isinstance(stage, PipelineModel):
            yield from _flat(stage)
        else:
            yield stage


def _made_by(stage: Any) -> dict[str, str]:
    """Return the annotation column a stage makes, with its annotator type."""
    kind = getattr(stage, "outputAnnotatorType", None)
    return {} if kind is None else {stage.getOutputCol(): kind}


def _is_lazy(stage: Any) -> bool:
    return hasattr(stage, "getLazyAnnotator") and bool(stage.getLazyAnnotator())


def _texts(target: Any, optional_target: Any, expected: str) -> list[str]:
    if optional_target != "":
        msg = "optional_target is for question answering, which sparkalbert does not do. Please leave it out."
        raise ParamError(msg)
    texts = [target] if isinstance(target, str) else target
    if not isinstance(texts, list):
        msg = f"{expected}, found {type(target).__name__}."
        raise ParamTypeError(msg)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            msg = f"{expected}, found {type(text).__name__} at position {position} of the list."
            raise ParamTypeError(msg)
        check_unicode(text)
    return texts


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a list into parts of about `_BATCH_CHARACTERS`, at least one text each."""
    start, characters = 0, 0
    for stop, text in enumerate(texts):
        if stop > start and characters + len(text) > _BATCH_CHARACTERS:
            yield texts[start:stop]
            start, characters = stop, 0
        characters += len(text)
    if texts:
        yield texts[start:]


def _by_row(column: pa.Array, form: Callable[[pa.Array], list[T]]) -> list[list[T]]:
    """Return `form` of all annotations of a column, cut into rows."""
    items = form(column.flatten())
    offsets = np.asarray(column.offsets)
    return [items[start:stop] for start, stop in pairwise((offsets - offsets[0]).tolist())]
