"""The stage that cleans tokens, by the rules of :mod:`sparkalbert.text.segmentation.normalized_tokens`.

It is an Estimator as in Spark NLP, although fitting only reads the slang dictionary and checks the patterns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pyspark import keyword_only
from pyspark.ml import Estimator
from pyspark.ml.param import TypeConverters
from pyspark.sql import DataFrame

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.ml.schema import TOKEN
from sparkalbert.ml.stages.local import FitsLocally
from sparkalbert.ml.stages.params import (
    HasInputCols,
    HasLazyAnnotator,
    HasLengthBounds,
    HasOutputCol,
    HasParamKeywords,
    declare_param,
)
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.text_resource import check_text_resource, text_lines
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.token_tasks import NormalizeTask
from sparkalbert.text.segmentation.java_case import lower_java
from sparkalbert.text.segmentation.java_regex import compile_java, split_java
from sparkalbert.text.segmentation.normalized_tokens import NormalizerOptions

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Normalizer", "NormalizerModel"]

_DEFAULTS: Final = NormalizerOptions()
_PARAM: Final = "slangDictionary"


class NormalizerParams(HasInputCols, HasOutputCol, HasLazyAnnotator, HasLengthBounds, HasParamKeywords):
    """The Params that decide what becomes of a token. Patterns are Java regular expressions."""

    inputAnnotatorTypes: ClassVar = (TOKEN,)

    cleanupPatterns = declare_param(
        "cleanupPatterns",
        r"Patterns of what to remove from tokens, by default [^\pL+]: all but letters and plus signs.",
        TypeConverters.toListString,
    )
    lowercase = declare_param("lowercase", "If true, tokens are lower-cased.", TypeConverters.toBoolean)
    slangMatchCase = declare_param(
        "slangMatchCase", "If true, the slang dictionary distinguishes A from a.", TypeConverters.toBoolean
    )

    def _set_defaults(self) -> None:
        self._setDefault(
            lazyAnnotator=False,
            cleanupPatterns=list(_DEFAULTS.cleanup_patterns),
            lowercase=_DEFAULTS.lowercase,
            slangMatchCase=_DEFAULTS.slang_match_case,
            minLength=_DEFAULTS.min_length,
        )

    def setCleanupPatterns(self, value: list[str]) -> Self:
        """Sets the patterns of what to remove from tokens.

        Raises
        ------
        ParamError
            If one of them is invalid.
        """
        return self._set_checked(
            self.cleanupPatterns, value, lambda patterns: NormalizerOptions(cleanup_patterns=tuple(patterns))
        )

    def getCleanupPatterns(self) -> list[str]:
        """Gets cleanupPatterns or its default value."""
        return list(self.getOrDefault(self.cleanupPatterns))

    def setLowercase(self, value: bool) -> Self:
        """Sets whether tokens are lower-cased."""
        return self._set(lowercase=value)

    def getLowercase(self) -> bool:
        """Gets lowercase or its default value."""
        return bool(self.getOrDefault(self.lowercase))

    def setSlangMatchCase(self, value: bool) -> Self:
        """Sets whether the slang dictionary distinguishes ``A`` from ``a``."""
        return self._set(slangMatchCase=value)

    def getSlangMatchCase(self) -> bool:
        """Gets slangMatchCase or its default value."""
        return bool(self.getOrDefault(self.slangMatchCase))

    def _options(self, slang: Mapping[str, str]) -> NormalizerOptions:
        """Return the Params as the rules take them; raises ParamError if they are invalid."""
        return NormalizerOptions(
            cleanup_patterns=tuple(self.getCleanupPatterns()),
            lowercase=self.getLowercase(),
            slang=slang,
            slang_match_case=self.getSlangMatchCase(),
            min_length=self.getMinLength(),
            max_length=self.getMaxLength(),
        )


class NormalizerModel(WorkerStage, NormalizerParams, StageReadWrite):
    """Adds the cleaned tokens of a token column.

    A token keeps its ``begin`` and metadata; ``end`` follows from the length of the cleaned word. A token of which
    nothing is left is dropped. Slang may become several tokens, all with the same ``begin``.

    Parameters
    ----------
    inputCols
        One token column.
    outputCol
        The column to add.
    slangDict
        What to write instead of a token.
    **params
        Any other Param by its name; see ``explainParams()``.
    """

    name = "NormalizerModel"
    outputAnnotatorType = TOKEN
    _inputs: ClassVar = NormalizeTask.inputs

    slangDict = declare_param(
        "slangDict",
        "What to write instead of a token; lower-cased keys unless slangMatchCase.",
        TypeConverters.identity,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        cleanupPatterns: list[str] | None = None,
        lowercase: bool | None = None,
        slangDict: dict[str, str] | None = None,
        slangMatchCase: bool | None = None,
        minLength: int | None = None,
        maxLength: int | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._set_defaults()
        self._setDefault(slangDict={})
        self.setParams(**self._input_kwargs)

    def setSlangDict(self, value: dict[str, str]) -> Self:
        """Sets what to write instead of a token.

        Raises
        ------
        ParamTypeError
            If it is not a dict of strings.
        """
        return self._set_checked(self.slangDict, value, _checked_slang)

    def getSlangDict(self) -> dict[str, str]:
        """Gets slangDict or its default value."""
        return dict(_checked_slang(self.getOrDefault(self.slangDict)))

    def _task(self) -> NormalizeTask:
        return NormalizeTask(self._options(self.getSlangDict()))


class Normalizer(Estimator[NormalizerModel], NormalizerParams, StageReadWrite, FitsLocally):
    r"""Returns a :class:`NormalizerModel` that cleans tokens as Spark NLP's Normalizer does.

    ``fit`` never reads the data.

    Parameters
    ----------
    inputCols
        One token column.
    outputCol
        The column to add.
    slangDictionary
        Text file of what to write instead of tokens: ``{"path": ..., "delimiter": ...}``.
    **params
        Any other Param by its name; see ``explainParams()``.

    Examples
    --------
    >>> normalizer = Normalizer(inputCols=["token"], outputCol="word").setCleanupPatterns([r"[^\w\s]"])
    >>> normalizer.setSlangDictionary("slang.txt", ",").getSlangDictionary()
    {'path': 'slang.txt', 'delimiter': ','}
    """

    name = "Normalizer"
    outputAnnotatorType = TOKEN

    slangDictionary = declare_param(
        "slangDictionary",
        "Text file of what to write instead of tokens, a word and its replacement per line; read by fit.",
        TypeConverters.identity,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        cleanupPatterns: list[str] | None = None,
        lowercase: bool | None = None,
        slangDictionary: dict[str, str] | None = None,
        slangMatchCase: bool | None = None,
        minLength: int | None = None,
        maxLength: int | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._set_defaults()
        self.setParams(**self._input_kwargs)

    def setSlangDictionary(
        self,
        path: str | Mapping[str, str] | None,
        delimiter: str | None = None,
        read_as: str = "TEXT",
        options: dict[str, str] | None = None,
    ) -> Self:
        """Sets the slang dictionary: UTF-8 text, a word and what to write instead of it per line.

        Parameters
        ----------
        path
            On the driver's file system, or a URI that Spark reads; or both values as :meth:`getSlangDictionary`
            returns them.
        delimiter
            Java regular expression of what is between the two; ``delimiter`` of `options` goes first.
        read_as
            ``TEXT`` or ``SPARK``; accepted because Spark NLP's method takes it. The path decides in either case.
        options
            Spark NLP's reader options; ``format`` must be ``text``.

        Raises
        ------
        ParamError
            For another `read_as` or format, or without a delimiter.
        ParamTypeError
            If the path or the delimiter is not a string.
        """
        if path is None:
            return self._set(slangDictionary=None)
        check_text_resource(_PARAM, read_as, options)
        both = dict(path) if isinstance(path, Mapping) else {"path": path}
        between = (options or {}).get("delimiter", both.get("delimiter", delimiter))
        if between is not None:
            both["delimiter"] = between
        return self._set(slangDictionary=_checked_dictionary(both))

    def getSlangDictionary(self) -> dict[str, str] | None:
        """Gets slangDictionary, None by default."""
        value = self._value_or_none(self.slangDictionary)
        return None if value is None else dict(_checked_dictionary(value))

    def _fit(self, dataset: DataFrame | None) -> NormalizerModel:
        """Return the model; without a dataset the slang dictionary must be on the driver."""
        model = self._copyValues(NormalizerModel())
        dictionary = self.getSlangDictionary()
        if dictionary is not None:
            model.setSlangDict(dict(self._slang(dataset, **dictionary)))
        model._task()  # noqa: SLF001 - invalid Params fail here, before any row
        return model

    def _slang(self, dataset: DataFrame | None, path: str, delimiter: str) -> Iterator[tuple[str, str]]:
        between = compile_java(delimiter, _PARAM)
        match_case = self.getSlangMatchCase()
        for line in text_lines(dataset, path, _PARAM):
            parts = split_java(between, line)
            if parts:
                yield parts[0] if match_case else lower_java(parts[0]), parts[-1].strip()

    def _fit_locally(self) -> NormalizerModel:
        return self._fit(None)


def _checked_dictionary(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or set(value) != {"path", "delimiter"}:
        msg = f"{_PARAM} is {value!r}, expected a path and a delimiter: setSlangDictionary('slang.txt', ',')."
        raise ParamError(msg)
    return _checked_strings(_PARAM, value)


def _checked_slang(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        msg = f"slangDict is {value!r}, expected a dict of strings, such as {{'im': 'I am'}}."
        raise ParamTypeError(msg)
    return _checked_strings("slangDict", value)


def _checked_strings(param: str, value: Mapping[Any, Any]) -> Mapping[str, str]:
    """Return the value of a Param if its keys and values are strings; raises ParamTypeError otherwise."""
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            msg = f"{param} contains {key!r}: {item!r}, expected strings. Convert both with str()."
            raise ParamTypeError(msg)
    return value
