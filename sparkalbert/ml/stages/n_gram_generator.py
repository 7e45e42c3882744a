"""The n-gram stage, which joins consecutive tokens to chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pyspark import keyword_only
from pyspark.ml.param import TypeConverters

from sparkalbert.errors import ParamError
from sparkalbert.ml.schema import CHUNK, TOKEN
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.stages.worker_stage import WorkerStage
from sparkalbert.ml.worker.ngram_task import NGramTask

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["NGramGenerator"]


class NGramGenerator(WorkerStage, StageReadWrite):
    """Adds the n-grams of a token column: every n consecutive tokens within one sentence.

    An n-gram is an annotation of type ``chunk``, from the first token's ``begin`` to the last token's ``end``. Its
    metadata holds the ``sentence`` and the n-gram's number in the sentence as ``chunk``.

    Parameters
    ----------
    inputCols
        One token column.
    outputCol
        The column to add.
    n
        Number of tokens in an n-gram.
    enableCumulative
        If true, shorter n-grams are added too.
    delimiter
        The text between the tokens, at most one character.
    lazyAnnotator
        If true, a LightPipeline leaves the stage out.

    Examples
    --------
    >>> NGramGenerator(inputCols=["token"], outputCol="ngrams").setN(3).getN()
    3
    """

    name = "NGramGenerator"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (TOKEN,)
    outputAnnotatorType = CHUNK
    _inputs: ClassVar = NGramTask.inputs

    n = declare_param("n", "Number of tokens in an n-gram, at least 1.", TypeConverters.toInt)
    enableCumulative = declare_param(
        "enableCumulative",
        "If true, shorter n-grams are added too: all from one token to n tokens.",
        TypeConverters.toBoolean,
    )
    delimiter = declare_param(
        "delimiter",
        "The text between the tokens, at most one character; a space by default.",
        TypeConverters.toString,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCol: str | None = None,
        n: int | None = None,
        enableCumulative: bool | None = None,
        delimiter: str | None = None,
        lazyAnnotator: bool | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(n=2, enableCumulative=False, lazyAnnotator=False)
        self.setParams(**self._input_kwargs)

    def setN(self, value: int) -> Self:
        """Sets the number of tokens in an n-gram.

        Raises
        ------
        ParamError
            If it is less than 1.
        """
        return self._set_checked(self.n, value, _check_n)

    def getN(self) -> int:
        """Gets n or its default value."""
        value = int(self.getOrDefault(self.n))
        _check_n(value)
        return value

    def setEnableCumulative(self, value: bool) -> Self:
        """Sets whether shorter n-grams are added too."""
        return self._set(enableCumulative=value)

    def getEnableCumulative(self) -> bool:
        """Gets enableCumulative or its default value."""
        return bool(self.getOrDefault(self.enableCumulative))

    def setDelimiter(self, value: str) -> Self:
        """Sets the text between the tokens.

        Raises
        ------
        ParamError
            If it is longer than one character.
        """
        return self._set_checked(self.delimiter, value, _check_delimiter)

    def getDelimiter(self) -> str | None:
        """Gets delimiter, None by default."""
        value: str | None = self._value_or_none(self.delimiter)
        if value is not None:
            _check_delimiter(value)
        return value

    def _task(self) -> NGramTask:
        delimiter = self.getDelimiter()
        return NGramTask(self.getN(), self.getEnableCumulative(), " " if delimiter is None else delimiter)


def _check_n(value: int) -> None:
    if value < 1:
        msg = f"n is {value}, expected at least 1."
        raise ParamError(msg)


def _check_delimiter(value: str) -> None:
    if len(value) > 1:
        msg = f"Delimiter should have length == 1, found {value!r}."
        raise ParamError(msg)
