"""The token stage, which finds tokens by the rules of :mod:`sparkalbert.text.segmentation.tokens`.

It is an Estimator as in Spark NLP, although fitting only reads the exceptions file and checks the patterns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pyspark import keyword_only
from pyspark.ml import Estimator
from pyspark.ml.param import TypeConverters
from pyspark.sql import DataFrame

from sparkalbert.ml.schema import TOKEN
from sparkalbert.ml.stages.local import FitsLocally
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.text_resource import check_text_resource, text_lines
from sparkalbert.ml.stages.worker_stage import AnnotatorParams, DocumentAnnotator
from sparkalbert.ml.worker.text_tasks import TokenTask
from sparkalbert.text.segmentation.tokens import TokenizerOptions, WordTokenizer

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Tokenizer", "TokenizerModel"]

_DEFAULTS = TokenizerOptions()


class TokenizerParams(AnnotatorParams):
    """The Params that decide tokens. Patterns are Java regular expressions."""

    targetPattern = declare_param(
        "targetPattern", r"Which characters a token may contain, by default \S+.", TypeConverters.toString
    )
    prefixPattern = declare_param(
        "prefixPattern",
        r"What to split off at the start of a candidate, each group a token; begins with \A. By default all "
        "contextChars there.",
        TypeConverters.toString,
    )
    suffixPattern = declare_param(
        "suffixPattern",
        r"What to split off at the end of a candidate, each group a token; ends with \z. By default all "
        "contextChars there.",
        TypeConverters.toString,
    )
    infixPatterns = declare_param(
        "infixPatterns",
        "How to split the text between prefix and suffix, each group a token; the first pattern that matches is used.",
        TypeConverters.toListString,
    )
    contextChars = declare_param(
        "contextChars",
        "Characters that are tokens of their own at the start and end of a candidate.",
        TypeConverters.toListString,
    )
    exceptions = declare_param(
        "exceptions", "Patterns that are not split, even across spaces.", TypeConverters.toListString
    )
    caseSensitiveExceptions = declare_param(
        "caseSensitiveExceptions", "If true, exceptions distinguish A from a.", TypeConverters.toBoolean
    )
    splitPattern = declare_param(
        "splitPattern",
        "Where to split tokens further, leaving out what matches; applied before splitChars.",
        TypeConverters.toString,
    )
    splitChars = declare_param(
        "splitChars",
        "Characters at which tokens are split further; they are left out. Together they form a pattern, so a full "
        "stop is written \\.",
        TypeConverters.toListString,
    )

    def _set_defaults(self) -> None:
        self._setDefault(
            outputCol="token",
            lazyAnnotator=False,
            targetPattern=_DEFAULTS.target_pattern,
            contextChars=list(_DEFAULTS.context_chars),
            caseSensitiveExceptions=_DEFAULTS.case_sensitive_exceptions,
            minLength=_DEFAULTS.min_length,
            maxLength=_DEFAULTS.max_length,
        )

    def setTargetPattern(self, value: str) -> Self:
        """Sets which characters a token may contain."""
        return self._set(targetPattern=value)

    def getTargetPattern(self) -> str:
        """Gets targetPattern or its default value."""
        return str(self.getOrDefault(self.targetPattern))

    def setPrefixPattern(self, value: str) -> Self:
        r"""Sets what to split off at the start of a candidate; begins with ``\A``."""
        return self._set_checked(self.prefixPattern, value, lambda one: TokenizerOptions(prefix_pattern=one))

    def getPrefixPattern(self) -> str:
        """Gets prefixPattern, if set."""
        return str(self.getOrDefault(self.prefixPattern))

    def setSuffixPattern(self, value: str) -> Self:
        r"""Sets what to split off at the end of a candidate; ends with ``\z``."""
        return self._set_checked(self.suffixPattern, value, lambda one: TokenizerOptions(suffix_pattern=one))

    def getSuffixPattern(self) -> str:
        """Gets suffixPattern, if set."""
        return str(self.getOrDefault(self.suffixPattern))

    def setInfixPatterns(self, value: list[str]) -> Self:
        """Sets the patterns that split the text between prefix and suffix."""
        return self._set_checked(self.infixPatterns, value, lambda all_: TokenizerOptions(infix_patterns=tuple(all_)))

    def addInfixPattern(self, value: str) -> Self:
        """Adds an infix pattern before the others."""
        return self.setInfixPatterns([value, *self._values(self.infixPatterns)])

    def getInfixPatterns(self) -> list[str]:
        """Gets infixPatterns, if set."""
        return list(self.getOrDefault(self.infixPatterns))

    def setContextChars(self, value: list[str]) -> Self:
        """Sets the characters that are tokens of their own at the edges of a candidate."""
        return self._set_checked(self.contextChars, value, lambda all_: TokenizerOptions(context_chars=tuple(all_)))

    def addContextChars(self, value: str) -> Self:
        """Adds a context character."""
        return self.setContextChars([*self.getContextChars(), value])

    def getContextChars(self) -> list[str]:
        """Gets contextChars or its default value."""
        return list(self.getOrDefault(self.contextChars))

    def setExceptions(self, value: list[str]) -> Self:
        """Sets the patterns that are not split."""
        return self._set(exceptions=value)

    def addException(self, value: str) -> Self:
        """Adds a pattern that is not split."""
        return self.setExceptions([*self._values(self.exceptions), value])

    def getExceptions(self) -> list[str]:
        """Gets exceptions, if set."""
        return list(self.getOrDefault(self.exceptions))

    def setCaseSensitiveExceptions(self, value: bool) -> Self:
        """Sets whether exceptions distinguish ``A`` from ``a``."""
        return self._set(caseSensitiveExceptions=value)

    def getCaseSensitiveExceptions(self) -> bool:
        """Gets caseSensitiveExceptions or its default value."""
        return bool(self.getOrDefault(self.caseSensitiveExceptions))

    def setSplitPattern(self, value: str) -> Self:
        """Sets where to split tokens further."""
        return self._set(splitPattern=value)

    def getSplitPattern(self) -> str | None:
        """Gets splitPattern, None by default."""
        value: str | None = self._value_or_none(self.splitPattern)
        return value

    def setSplitChars(self, value: list[str]) -> Self:
        """Sets the characters at which tokens are split further."""
        return self._set_checked(self.splitChars, value, lambda all_: TokenizerOptions(split_chars=tuple(all_)))

    def addSplitChars(self, value: str) -> Self:
        """Adds a character at which tokens are split further."""
        return self.setSplitChars([*self._values(self.splitChars), value])

    def getSplitChars(self) -> list[str]:
        """Gets splitChars, if set."""
        return list(self.getOrDefault(self.splitChars))

    def _values(self, param: Any) -> list[str]:
        return list(self.getOrDefault(param)) if self.isDefined(param) else []

    def _options(self) -> TokenizerOptions:
        """Return the Params as the rules take them; raises ParamError if they are invalid."""
        options = TokenizerOptions(
            target_pattern=self.getTargetPattern(),
            prefix_pattern=self._value_or_none(self.prefixPattern),
            suffix_pattern=self._value_or_none(self.suffixPattern),
            infix_patterns=tuple(self._values(self.infixPatterns)),
            context_chars=tuple(self.getContextChars()),
            exceptions=tuple(self._values(self.exceptions)),
            case_sensitive_exceptions=self.getCaseSensitiveExceptions(),
            split_pattern=self._value_or_none(self.splitPattern),
            split_chars=tuple(self._values(self.splitChars)),
            min_length=self.getMinLength(),
            max_length=self.getMaxLength(),
        )
        WordTokenizer(options)
        return options


class TokenizerModel(DocumentAnnotator, TokenizerParams, StageReadWrite):
    """Adds the tokens of a document or sentence column.

    A token is a part of its sentence: ``begin`` and ``end`` count UTF-16 units of the document, ``end`` inclusive; its
    metadata contains the number of its sentence. Begin and end drift where Spark NLP's do: after an emoji that
    `targetPattern` excludes, and after text that a split or a custom pattern leaves out. ``result`` is always right.

    Parameters
    ----------
    inputCols
        One document or sentence column.
    outputCol
        The column to add.
    **params
        Any other Param by its name; see ``explainParams()``.
    """

    name = "TokenizerModel"
    outputAnnotatorType = TOKEN
    _inputs: ClassVar = TokenTask.inputs

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        targetPattern: str | None = None,
        prefixPattern: str | None = None,
        suffixPattern: str | None = None,
        infixPatterns: list[str] | None = None,
        contextChars: list[str] | None = None,
        exceptions: list[str] | None = None,
        caseSensitiveExceptions: bool | None = None,
        splitPattern: str | None = None,
        splitChars: list[str] | None = None,
        minLength: int | None = None,
        maxLength: int | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._set_defaults()
        self.setParams(**self._input_kwargs)

    def _task(self) -> TokenTask:
        return TokenTask(self._options())


class Tokenizer(Estimator[TokenizerModel], TokenizerParams, StageReadWrite, FitsLocally):
    """Returns a :class:`TokenizerModel` that splits sentences as Spark NLP's Tokenizer does.

    ``fit`` never reads the data.

    Parameters
    ----------
    inputCols
        One document or sentence column.
    outputCol
        The column to add.
    exceptionsPath
        Text file of exceptions.
    **params
        Any other Param by its name; see ``explainParams()``.

    Examples
    --------
    >>> tokenizer = Tokenizer(inputCols=["sentence"], outputCol="token").addException("New York")
    >>> tokenizer.getExceptions()
    ['New York']
    """

    name = "Tokenizer"
    outputAnnotatorType = TOKEN

    exceptionsPath = declare_param(
        "exceptionsPath",
        "Text file of exceptions, one per line; read on the driver by fit.",
        TypeConverters.toString,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        targetPattern: str | None = None,
        prefixPattern: str | None = None,
        suffixPattern: str | None = None,
        infixPatterns: list[str] | None = None,
        contextChars: list[str] | None = None,
        exceptions: list[str] | None = None,
        exceptionsPath: str | None = None,
        caseSensitiveExceptions: bool | None = None,
        splitPattern: str | None = None,
        splitChars: list[str] | None = None,
        minLength: int | None = None,
        maxLength: int | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._set_defaults()
        self.setParams(**self._input_kwargs)

    def setExceptionsPath(self, path: str, read_as: str = "TEXT", options: dict[str, str] | None = None) -> Self:
        """Sets the file of exceptions: UTF-8 text, one exception per line.

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
        check_text_resource("exceptionsPath", read_as, options)
        return self._set(exceptionsPath=path)

    def getExceptionsPath(self) -> str | None:
        """Gets exceptionsPath, None by default."""
        value: str | None = self._value_or_none(self.exceptionsPath)
        return value

    def _fit(self, dataset: DataFrame | None) -> TokenizerModel:
        """Return the model; without a dataset the exceptions file must be on the driver."""
        model = self._copyValues(TokenizerModel())
        path = self.getExceptionsPath()
        if path is not None:
            lines = text_lines(dataset, path, "exceptionsPath")
            model.setExceptions([*lines, *self._values(self.exceptions)])
        model._options()  # noqa: SLF001 - invalid Params fail here, before any row
        return model

    def _fit_locally(self) -> TokenizerModel:
        return self._fit(None)
