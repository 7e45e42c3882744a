"""The sentence stage, which finds sentences by the rules of :mod:`sparkalbert.text.segmentation.sentences`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pyspark import keyword_only
from pyspark.ml.param import TypeConverters
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.ml.columns import add_column, quote_name, unused_name
from sparkalbert.ml.schema import DOCUMENT
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.worker_stage import DocumentAnnotator
from sparkalbert.ml.worker.text_tasks import SentenceTask
from sparkalbert.text.segmentation.sentences import SentenceOptions, SentenceSplitter

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SentenceDetector"]


class SentenceDetector(DocumentAnnotator, StageReadWrite):
    """Adds the sentences of a document column, found by Spark NLP's rules.

    A sentence is an annotation of type ``document``. Its ``begin`` and ``end`` count UTF-16 units of the document,
    ``end`` inclusive; its metadata is ``sentence``, the position in the row, without the document's metadata. If the
    first word of a sentence is longer than `splitLength`, begin and end are one unit too high, as in Spark NLP.

    Parameters
    ----------
    inputCols
        One document column.
    outputCol
        The column to add.
    **params
        Any other Param by its name; see ``explainParams()``.

    Examples
    --------
    >>> detector = SentenceDetector(inputCols=["document"], outputCol="sentence", minLength=2)
    >>> detector.setCustomBounds(["--"]).getCustomBounds()
    ['--']
    """

    name = "SentenceDetector"
    outputAnnotatorType = DOCUMENT
    _inputs: ClassVar = SentenceTask.inputs

    useAbbreviations = declare_param(
        "useAbbreviations",
        "If true, abbreviations of the built-in English list, such as 'etc.', do not end a sentence.",
        TypeConverters.toBoolean,
    )
    detectLists = declare_param(
        "detectLists",
        "If true, enumeration signs such as '(a)' or '1.' start a sentence.",
        TypeConverters.toBoolean,
    )
    useCustomBoundsOnly = declare_param(
        "useCustomBoundsOnly",
        "If true and there are customBounds, they are the only rule.",
        TypeConverters.toBoolean,
    )
    customBounds = declare_param(
        "customBounds", "Java regular expressions that separate sentences.", TypeConverters.toListString
    )
    customBoundsStrategy = declare_param(
        "customBoundsStrategy",
        "Where the text of a custom bound goes: none (it is dropped), prepend (to the sentence after it) or append "
        "(to the sentence before it).",
        TypeConverters.toString,
    )
    explodeSentences = declare_param(
        "explodeSentences",
        "If true, each sentence becomes a row of its own. Rows without a sentence are dropped.",
        TypeConverters.toBoolean,
    )
    splitLength = declare_param(
        "splitLength",
        "Length in UTF-16 units above which a sentence is cut at spaces; sentences are not cut by default.",
        TypeConverters.toInt,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        useAbbreviations: bool | None = None,
        detectLists: bool | None = None,
        useCustomBoundsOnly: bool | None = None,
        customBounds: list[str] | None = None,
        customBoundsStrategy: str | None = None,
        explodeSentences: bool | None = None,
        splitLength: int | None = None,
        minLength: int | None = None,
        maxLength: int | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
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
        self.setParams(**self._input_kwargs)

    def setUseAbbreviations(self, value: bool) -> Self:
        """Sets whether abbreviations of the built-in list do not end a sentence."""
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
        return self._set_checked(
            self.customBoundsStrategy, value, lambda strategy: SentenceOptions(custom_bounds_strategy=strategy)
        )

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
        """Gets splitLength, None by default."""
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
            max_length=self.getMaxLength() if self.isSet(self.maxLength) else None,
        )

    def _task(self) -> SentenceTask:
        options = self._options()
        SentenceSplitter(options)  # an invalid pattern fails here, not on a worker
        return SentenceTask(options)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        transformed = super()._transform(dataset)
        if not self.getExplodeSentences():
            return transformed
        # The other columns are not listed by name: after a join, several may have the same name.
        output, one = self.getOutputCol(), unused_name()
        exploded = transformed.select("*", F.explode(F.col(quote_name(output))).alias(one)).drop(output)
        return add_column(exploded, output, F.array(one), {"annotatorType": self.outputAnnotatorType}).drop(one)
