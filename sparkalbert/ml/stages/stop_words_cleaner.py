"""The stage that drops stop words."""

from __future__ import annotations

import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import pyspark
from pyspark import keyword_only
from pyspark.ml.feature import StopWordsRemover
from pyspark.ml.param import TypeConverters

from sparkalbert.errors import ModelNotFoundError, ParamError
from sparkalbert.ml.schema import TOKEN
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.token_tasks import StopWordTask

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["StopWordsCleaner"]

_LISTS: Final = "org/apache/spark/ml/feature/stopwords"
_LOCALE: Final = re.compile(r"(?:[a-z]{2,3}(?:_.*)?)?")


class StopWordsCleaner(WorkerStage, StageReadWrite):
    """Adds the tokens of a token column that are not stop words, unchanged.

    Parameters
    ----------
    inputCols
        One token column.
    outputCol
        The column to add.
    stopWords
        The words to drop, by default the English stop words of Spark ML's ``StopWordsRemover``.
    caseSensitive
        If true, words are compared as they are written.
    locale
        Language whose rules lower-case, unless `caseSensitive`.
    lazyAnnotator
        If true, a LightPipeline leaves the stage out.

    Examples
    --------
    >>> StopWordsCleaner(inputCols=["token"], stopWords=["the"]).getStopWords()
    ['the']
    >>> StopWordsCleaner.loadDefaultStopWords("german")[:3]
    ['aber', 'alle', 'allem']
    """

    name = "StopWordsCleaner"
    inputAnnotatorTypes: ClassVar = (TOKEN,)
    outputAnnotatorType = TOKEN
    _inputs: ClassVar = StopWordTask.inputs

    stopWords = declare_param(
        "stopWords",
        "The words to drop, by default the English stop words of Spark ML's StopWordsRemover.",
        TypeConverters.toListString,
    )
    caseSensitive = declare_param(
        "caseSensitive", "If true, words are compared as they are written.", TypeConverters.toBoolean
    )
    locale = declare_param(
        "locale",
        "Language whose rules lower-case words, such as tr for Turkish; has no effect if caseSensitive.",
        TypeConverters.toString,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        stopWords: list[str] | None = None,
        caseSensitive: bool | None = None,
        locale: str | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(outputCol="cleanedToken", caseSensitive=False, locale="en", lazyAnnotator=False)
        packaged = _packaged_stop_words("english")
        if packaged is not None:
            self._setDefault(stopWords=list(packaged))
        self.setParams(**self._input_kwargs)

    @staticmethod
    def loadDefaultStopWords(language: str = "english") -> list[str]:
        """Return Spark ML's stop words of a language.

        Parameters
        ----------
        language
            danish, dutch, english, finnish, french, german, hungarian, italian, norwegian, portuguese, russian,
            spanish, swedish or turkish.

        Raises
        ------
        ParamError
            If there are none of that language.
        """
        packaged = _packaged_stop_words(language)
        # A client of Spark Connect alone has no jars; the server has.
        return StopWordsRemover.loadDefaultStopWords(language) if packaged is None else list(packaged)

    @staticmethod
    def pretrained(
        name: str = "stopwords_en",
        lang: str = "en",
        remote_loc: str | None = None,  # noqa: ARG004 - as in Spark NLP
    ) -> StopWordsCleaner:
        """Refuse Spark NLP's lists, which are not part of sparkalbert.

        Raises
        ------
        ModelNotFoundError
            Always, with what to use instead.
        """
        msg = (
            f"Spark NLP's stop words {name!r} ({lang}) are not part of sparkalbert. Use "
            "setStopWords(StopWordsCleaner.loadDefaultStopWords('english')), or words of your own."
        )
        raise ModelNotFoundError(msg)

    def setStopWords(self, value: list[str]) -> Self:
        """Sets the words to drop."""
        return self._set(stopWords=value)

    def getStopWords(self) -> list[str]:
        """Gets stopWords or its default value."""
        if self.isDefined(self.stopWords):
            return list(self.getOrDefault(self.stopWords))
        return self.loadDefaultStopWords()

    def setCaseSensitive(self, value: bool) -> Self:
        """Sets whether words are compared as they are written."""
        return self._set(caseSensitive=value)

    def getCaseSensitive(self) -> bool:
        """Gets caseSensitive or its default value."""
        return bool(self.getOrDefault(self.caseSensitive))

    def setLocale(self, value: str) -> Self:
        """Sets the language whose rules lower-case words.

        Raises
        ------
        ParamError
            If it is not written as Java writes a locale: ``tr``, ``en_US``.
        """
        return self._set_checked(self.locale, value, _checked_locale)

    def getLocale(self) -> str:
        """Gets locale or its default value."""
        return _checked_locale(self.getOrDefault(self.locale))

    def _task(self) -> StopWordTask:
        return StopWordTask(tuple(self.getStopWords()), self.getCaseSensitive(), self.getLocale())


def _checked_locale(value: str) -> str:
    if not _LOCALE.fullmatch(value):
        msg = f"locale is {value!r}, expected a language as Java writes it, such as 'en', 'tr' or 'en_US'."
        raise ParamError(msg)
    return value


@lru_cache(maxsize=16)
def _packaged_stop_words(language: str) -> tuple[str, ...] | None:
    """Return the list in Spark's own jar, which needs no session; None if this Spark has no jars.

    Raises
    ------
    ParamError
        If the jar has no list of that language.
    """
    jars = sorted(Path(pyspark.__file__).parent.glob("jars/spark-mllib_*.jar"))
    if not jars:
        return None
    with zipfile.ZipFile(jars[0]) as jar:
        lists = {Path(name).stem: name for name in jar.namelist() if re.fullmatch(rf"{_LISTS}/[a-z]+\.txt", name)}
        if language not in lists:
            msg = f"There are no stop words for {language!r}, expected one of {', '.join(sorted(lists))}."
            raise ParamError(msg)
        return tuple(jar.read(lists[language]).decode("utf-8").splitlines())
