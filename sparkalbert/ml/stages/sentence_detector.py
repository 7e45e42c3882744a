"""The sentence stage: a document column in, its sentences out.

The rules are :mod:`sparkalbert.text.sentences`'; here are their Params and the column around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pyspark.ml.param import TypeConverters
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.ml.schema import DOCUMENT, reference
from sparkalbert.ml.stages.annotator import DocumentAnnotator
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.worker.annotation_tasks import SENTENCE_FIELDS, SentenceTask
from sparkalbert.text.sentences import SentenceOptions, SentenceSplitter

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SentenceDetector"]


class SentenceDetector(DocumentAnnotator, StageReadWrite):
    """Adds the sentences of a document column, found by Spark NLP's rules.

    A sentence is an annotation of type ``document``. Its ``begin`` and ``end`` count UTF-16 units of
    the document, ``end`` inclusive; its metadata is ``sentence``, the position in the row, and nothing of the
    document's. In a sentence whose first word alone is longer than `splitLength`, begin and end are one too
    high, as they are in Spark NLP.

    Parameters
    ----------
    **params
        Params by name: ``inputCols`` (one document column), ``outputCol`` and any other.

    Examples
    --------
    >>> detector = SentenceDetector(inputCols=["document"], outputCol="sentence", minLength=2)
    >>> detector.setCustomBounds(["--"]).getCustomBounds()
    ['--']
    """

    name = "SentenceDetector"
    outputAnnotatorType = DOCUMENT
    _fields: ClassVar = {DOCUMENT: SENTENCE_FIELDS}

    useAbbreviations = declare_param(
        "useAbbreviations",
        "Whether an abbreviation of the built-in English list, such as 'etc.', ends no sentence.",
        TypeConverters.toBoolean,
    )
    detectLists = declare_param(
        "detectLists",
        "Whether enumeration signs such as '(a)' or '1.' start a sentence.",
        TypeConverters.toBoolean,
    )
    useCustomBoundsOnly = declare_param(
        "useCustomBoundsOnly",
        "Whether customBounds, where there are any, are the only rule.",
        TypeConverters.toBoolean,
    )
    customBounds = declare_param(
        "customBounds", "Java regular expressions that separate sentences.", TypeConverters.toListString
    )
    customBoundsStrategy = declare_param(
        "customBoundsStrategy",
        "Where the text of a custom bound goes: none (nowhere), prepend (to the sentence after it) or append "
        "(to the sentence before it).",
        TypeConverters.toString,
    )
    explodeSentences = declare_param(
        "explodeSentences",
        "Whether each sentence becomes a row of its own. Rows without a sentence vanish.",
        TypeConverters.toBoolean,
    )
    splitLength = declare_param(
        "splitLength",
        "Length in UTF-16 units above which a sentence is cut at spaces; never unless set.",
        TypeConverters.toInt,
    )

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(
            outputCol="sentence",
            lazyAnnotator=False,
            useAbbreviations=True,
            detectLists=True,
            useCustomBoundsOnly=False,
            customBounds=[],
            customBoundsStrategy="none",
            explodeSentences=False,
            minLength=0,
            maxLength=99_999,
        )
        self.setParams(**params)

    def setUseAbbreviations(self, value: bool) -> Self:
        """Sets whether abbreviations of the built-in list end no sentence."""
        return self._set(useAbbreviations=value)

    def getUseAbbreviations(self) -> bool:
        """Gets useAbbreviations or its default value."""
        return bool(self.getOrDefault(self.useAbbreviations))

    def setDetectLists(self, value: bool) -> Self:
        """Sets whether enumeration signs start a sentence."""
        return self._set(detectLists=value)

    def getDetectLists(self) -> bool:
        """Gets detectLists or its default value."""
        return bool(self.getOrDefault(self.detectLists))

    def setUseCustomBoundsOnly(self, value: bool) -> Self:
        """Sets whether customBounds are the only rule."""
        return self._set(useCustomBoundsOnly=value)

    def getUseCustomBoundsOnly(self) -> bool:
        """Gets useCustomBoundsOnly or its default value."""
        return bool(self.getOrDefault(self.useCustomBoundsOnly))

    def setCustomBounds(self, value: list[str]) -> Self:
        """Sets the Java regular expressions that separate sentences."""
        return self._set(customBounds=value)

    def getCustomBounds(self) -> list[str]:
        """Gets customBounds or its default value."""
        return list(self.getOrDefault(self.customBounds))

    def setCustomBoundsStrategy(self, value: str) -> Self:
        """Sets where the text of a custom bound goes: ``none``, ``prepend`` or ``append``.

        Raises
        ------
        ParamError
            For any other value.
        """
        SentenceOptions(custom_bounds_strategy=value)
        return self._set(customBoundsStrategy=value)

    def getCustomBoundsStrategy(self) -> str:
        """Gets customBoundsStrategy or its default value."""
        return str(self.getOrDefault(self.customBoundsStrategy))

    def setExplodeSentences(self, value: bool) -> Self:
        """Sets whether each sentence becomes a row of its own."""
        return self._set(explodeSentences=value)

    def getExplodeSentences(self) -> bool:
        """Gets explodeSentences or its default value."""
        return bool(self.getOrDefault(self.explodeSentences))

    def setSplitLength(self, value: int) -> Self:
        """Sets the length above which a sentence is cut at spaces."""
        return self._set(splitLength=value)

    def getSplitLength(self) -> int | None:
        """Gets splitLength, None unless set."""
        value: int | None = self._value_or_none(self.splitLength)
        return value

    def _options(self) -> SentenceOptions:
        return SentenceOptions(
            use_abbreviations=self.getUseAbbreviations(),
            detect_lists=self.getDetectLists(),
            use_custom_bounds_only=self.getUseCustomBoundsOnly(),
            custom_bounds=tuple(self.getCustomBounds()),
            custom_bounds_strategy=self.getCustomBoundsStrategy(),
            split_length=self.getSplitLength(),
            min_length=self.getMinLength(),
            max_length=self.getMaxLength(),
        )

    def _task(self) -> SentenceTask:
        options = self._options()
        SentenceSplitter(options)  # a pattern that cannot work fails here, not on a worker
        return SentenceTask(options)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        transformed = super()._transform(dataset)
        if not self.getExplodeSentences():
            return transformed
        output = self.getOutputCol()
        metadata = transformed.schema[output].metadata
        one = transformed.withColumn(output, F.explode(F.col(reference(output))))
        return one.withColumn(output, F.array(F.col(reference(output)))).withMetadata(output, metadata)
