"""The stage that splits text at a pattern, by the rules of :mod:`sparkalbert.text.segmentation.regex_tokens`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pyspark import keyword_only
from pyspark.ml.param import TypeConverters

from sparkalbert.ml.schema import DOCUMENT, TOKEN
from sparkalbert.ml.stages.params import HasLengthBounds, declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.text_tasks import RegexTokenTask
from sparkalbert.text.segmentation.regex_tokens import RegexTokenizerOptions

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RegexTokenizer"]


class RegexTokenizer(WorkerStage, HasLengthBounds, StageReadWrite):
    r"""Adds the tokens of a document or sentence column: the text between the matches of a pattern.

    ``begin`` and ``end`` count UTF-16 units of the document, ``end`` inclusive. As in Spark NLP, each token is looked
    for from the end of the token before it, so they are too low where a match of `pattern` contains the token.

    Parameters
    ----------
    inputCols
        One document or sentence column.
    outputCol
        The column to add.
    pattern
        Java regular expression of the text between tokens.
    **params
        Any other Param by its name; see ``explainParams()``.

    Examples
    --------
    >>> RegexTokenizer(inputCols=["document"], outputCol="token", pattern=r"\W+").getPattern()
    '\\W+'
    """

    name = "RegexTokenizer"
    inputAnnotatorTypes: ClassVar = (DOCUMENT,)
    outputAnnotatorType = TOKEN
    _inputs: ClassVar = RegexTokenTask.inputs

    toLowercase = declare_param(
        "toLowercase", "If true, the text is lower-cased before it is split.", TypeConverters.toBoolean
    )
    pattern = declare_param(
        "pattern", r"Java regular expression of the text between tokens, by default \s+.", TypeConverters.toString
    )
    positionalMask = declare_param(
        "positionalMask",
        "Accepted because Spark NLP has it; it changes nothing, because begin and end always increase.",
        TypeConverters.toBoolean,
    )
    trimWhitespace = declare_param(
        "trimWhitespace", "If true, white space inside tokens is removed.", TypeConverters.toBoolean
    )
    preservePosition = declare_param(
        "preservePosition",
        "If false, begin and end leave out the white space that trimWhitespace removes at the edges of a token.",
        TypeConverters.toBoolean,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        toLowercase: bool | None = None,
        pattern: str | None = None,
        positionalMask: bool | None = None,
        trimWhitespace: bool | None = None,
        preservePosition: bool | None = None,
        minLength: int | None = None,
        maxLength: int | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(
            inputCols=["document"],
            outputCol="regexToken",
            lazyAnnotator=False,
            toLowercase=False,
            pattern=r"\s+",
            positionalMask=False,
            trimWhitespace=False,
            preservePosition=True,
            minLength=1,
        )
        self.setParams(**self._input_kwargs)

    def setToLowercase(self, value: bool) -> Self:
        """Sets whether the text is lower-cased before it is split."""
        return self._set(toLowercase=value)

    def getToLowercase(self) -> bool:
        """Gets toLowercase or its default value."""
        return bool(self.getOrDefault(self.toLowercase))

    def setPattern(self, value: str) -> Self:
        """Sets the Java regular expression of the text between tokens.

        Raises
        ------
        ParamError
            If it is invalid.
        """
        return self._set_checked(self.pattern, value, lambda pattern: RegexTokenizerOptions(pattern=pattern))

    def getPattern(self) -> str:
        """Gets pattern or its default value."""
        return str(self.getOrDefault(self.pattern))

    def setPositionalMask(self, value: bool) -> Self:
        """Sets what Spark NLP calls a positional mask; it changes nothing."""
        return self._set(positionalMask=value)

    def getPositionalMask(self) -> bool:
        """Gets positionalMask or its default value."""
        return bool(self.getOrDefault(self.positionalMask))

    def setTrimWhitespace(self, value: bool) -> Self:
        """Sets whether white space inside tokens is removed."""
        return self._set(trimWhitespace=value)

    def getTrimWhitespace(self) -> bool:
        """Gets trimWhitespace or its default value."""
        return bool(self.getOrDefault(self.trimWhitespace))

    def setPreservePosition(self, value: bool) -> Self:
        """Sets whether begin and end include white space that trimWhitespace removes."""
        return self._set(preservePosition=value)

    def getPreservePosition(self) -> bool:
        """Gets preservePosition or its default value."""
        return bool(self.getOrDefault(self.preservePosition))

    def _task(self) -> RegexTokenTask:
        return RegexTokenTask(
            RegexTokenizerOptions(
                pattern=self.getPattern(),
                to_lowercase=self.getToLowercase(),
                trim_whitespace=self.getTrimWhitespace(),
                preserve_position=self.getPreservePosition(),
                min_length=self.getMinLength(),
                max_length=self.getMaxLength(),
            )
        )
