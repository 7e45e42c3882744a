"""The stage that finds the phrases of a file, by the rules of :mod:`sparkalbert.text.segmentation.phrases`.

It is an Estimator as in Spark NLP, although fitting only reads the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pyspark import keyword_only
from pyspark.ml import Estimator
from pyspark.ml.param import TypeConverters
from pyspark.sql import DataFrame

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.ml.schema import CHUNK, DOCUMENT, TOKEN
from sparkalbert.ml.stages.local import FitsLocally
from sparkalbert.ml.stages.params import (
    HasInputCols,
    HasLazyAnnotator,
    HasOutputCol,
    HasParamKeywords,
    declare_param,
)
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.text_resource import check_text_resource, text_lines
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.sentence_tasks import MatchTask

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TextMatcher", "TextMatcherModel"]


class TextMatcherParams(HasInputCols, HasOutputCol, HasLazyAnnotator, HasParamKeywords):
    """The Params that decide what is a match and what a chunk contains."""

    inputAnnotatorTypes: ClassVar = (DOCUMENT, TOKEN)

    caseSensitive = declare_param(
        "caseSensitive", "If true, words are compared as they are written.", TypeConverters.toBoolean
    )
    mergeOverlapping = declare_param(
        "mergeOverlapping", "If true, chunks that overlap become one.", TypeConverters.toBoolean
    )
    entityValue = declare_param(
        "entityValue", "The 'entity' in the metadata of each chunk, by default 'entity'.", TypeConverters.toString
    )
    buildFromTokens = declare_param(
        "buildFromTokens",
        "If true, a chunk is its tokens joined by spaces instead of a part of the sentence.",
        TypeConverters.toBoolean,
    )

    def _set_defaults(self) -> None:
        self._setDefault(inputCols=[DOCUMENT, TOKEN], lazyAnnotator=False, caseSensitive=True, mergeOverlapping=False)

    def setCaseSensitive(self, b: bool) -> Self:
        """Sets whether words are compared as they are written."""
        return self._set(caseSensitive=b)

    def getCaseSensitive(self) -> bool:
        """Gets caseSensitive or its default value."""
        return bool(self.getOrDefault(self.caseSensitive))

    def setMergeOverlapping(self, b: bool) -> Self:
        """Sets whether chunks that overlap become one."""
        return self._set(mergeOverlapping=b)

    def getMergeOverlapping(self) -> bool:
        """Gets mergeOverlapping or its default value."""
        return bool(self.getOrDefault(self.mergeOverlapping))

    def setEntityValue(self, b: str) -> Self:
        """Sets the ``entity`` in the metadata of each chunk."""
        return self._set(entityValue=b)

    def getEntityValue(self) -> str | None:
        """Gets entityValue, None by default, which means ``entity``."""
        value: str | None = self._value_or_none(self.entityValue)
        return value

    def setBuildFromTokens(self, b: bool) -> Self:
        """Sets whether a chunk is its tokens joined by spaces."""
        return self._set(buildFromTokens=b)

    def getBuildFromTokens(self) -> bool | None:
        """Gets buildFromTokens, None by default, which means false."""
        value: bool | None = self._value_or_none(self.buildFromTokens)
        return value


class TextMatcherModel(WorkerStage, TextMatcherParams, StageReadWrite):
    """Adds a chunk for each place in a sentence whose tokens are those of a phrase.

    ``begin`` and ``end`` are those of the first and last token; the metadata is ``entity``, ``sentence`` (its position
    in the row) and ``chunk`` (the chunk's position in the row). Chunks are in order of their last token, and the
    longer first.

    Parameters
    ----------
    inputCols
        A document or sentence column, and a token column.
    outputCol
        The column to add.
    searchTrie
        The words of each phrase.
    **params
        Any other Param by its name; see ``explainParams()``.
    """

    name = "TextMatcherModel"
    outputAnnotatorType = CHUNK
    _inputs: ClassVar = MatchTask.inputs

    searchTrie = declare_param("searchTrie", "The phrases, a list of words each.", TypeConverters.toList)

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        searchTrie: list[list[str]] | None = None,
        caseSensitive: bool | None = None,
        mergeOverlapping: bool | None = None,
        entityValue: str | None = None,
        buildFromTokens: bool | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._set_defaults()
        self.setParams(**self._input_kwargs)

    def setSearchTrie(self, value: list[list[str]]) -> Self:
        """Sets the phrases, a list of words each.

        Raises
        ------
        ParamTypeError
            If a phrase is not a list of strings.
        """
        return self._set_checked(self.searchTrie, value, _checked_phrases)

    def getSearchTrie(self) -> list[list[str]]:
        """Gets the phrases."""
        return _checked_phrases(self.getOrDefault(self.searchTrie))

    def _task(self) -> MatchTask:
        if not self.isDefined(self.searchTrie):
            msg = f"{self.uid} has no phrases. Fit a TextMatcher, or call setSearchTrie([['New', 'York']])."
            raise ParamError(msg)
        entity = self.getEntityValue()
        return MatchTask(
            phrases=self.getSearchTrie(),
            case_sensitive=self.getCaseSensitive(),
            merge_overlapping=self.getMergeOverlapping(),
            entity="entity" if entity is None else entity,
            build_from_tokens=bool(self.getBuildFromTokens()),
        )


class TextMatcher(Estimator[TextMatcherModel], TextMatcherParams, StageReadWrite, FitsLocally):
    """Returns a :class:`TextMatcherModel` that finds the phrases of a file as Spark NLP's TextMatcher does.

    ``fit`` never reads the data. Write the phrases as the Tokenizer splits them, with spaces between the tokens:
    ``Mr. Wu 's car``.

    Parameters
    ----------
    inputCols
        A document or sentence column, and a token column.
    outputCol
        The column to add.
    entities
        Text file of phrases, one per line.
    **params
        Any other Param by its name; see ``explainParams()``.

    Examples
    --------
    >>> matcher = TextMatcher(inputCols=["sentence", "token"], outputCol="entity").setEntities("phrases.txt")
    >>> matcher.getEntities()
    'phrases.txt'
    """

    name = "TextMatcher"
    outputAnnotatorType = CHUNK

    entities = declare_param(
        "entities", "Text file of phrases, one per line; read on the driver by fit.", TypeConverters.toString
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        entities: str | None = None,
        caseSensitive: bool | None = None,
        mergeOverlapping: bool | None = None,
        entityValue: str | None = None,
        buildFromTokens: bool | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._set_defaults()
        self.setParams(**self._input_kwargs)

    def setEntities(self, path: str, read_as: str = "TEXT", options: dict[str, str] | None = None) -> Self:
        """Sets the file of phrases: UTF-8 text, one phrase per line.

        Parameters
        ----------
        path
            On the driver's file system, or a URI that Spark reads.
        read_as
            ``TEXT`` or ``SPARK``; accepted because Spark NLP's method takes it. The path decides in either case.
        options
            Spark NLP's reader options; only ``{"format": "text"}`` is supported.

        Raises
        ------
        ParamError
            For another `read_as` or format.
        """
        check_text_resource("entities", read_as, options)
        return self._set(entities=path)

    def getEntities(self) -> str | None:
        """Gets entities, None by default."""
        value: str | None = self._value_or_none(self.entities)
        return value

    def _fit(self, dataset: DataFrame | None) -> TextMatcherModel:
        """Return the model; without a dataset the file must be on the driver."""
        path = self.getEntities()
        if path is None:
            msg = f"{self.uid} has no entities. Call setEntities('phrases.txt') with a file of one phrase per line."
            raise ParamError(msg)
        phrases = [line.rstrip(" ").split(" ") for line in text_lines(dataset, path, "entities")]
        return self._copyValues(TextMatcherModel()).setSearchTrie([phrase for phrase in phrases if any(phrase)])

    def _fit_locally(self) -> TextMatcherModel:
        return self._fit(None)


def _checked_phrases(value: list[Any]) -> list[list[str]]:
    """Return the phrases as lists; raises ParamTypeError if one of them is not a list of words."""
    for phrase in value:
        if not isinstance(phrase, (list, tuple)) or not all(isinstance(word, str) for word in phrase):
            hint = f" Did you mean [{phrase.split()!r}]?" if isinstance(phrase, str) else ""
            msg = f"searchTrie contains {phrase!r}, expected a list of phrases, each a list of words.{hint}"
            raise ParamTypeError(msg)
    return [list(phrase) for phrase in value]
