"""The n-gram stage: a token column in, chunks of n tokens out.

How they are cut is :mod:`sparkalbert.ml.worker.ngram_task`'s business; here are the Params.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pyspark.ml.param import TypeConverters

from sparkalbert.errors import ParamError
from sparkalbert.ml.schema import CHUNK, TOKEN
from sparkalbert.ml.stages.annotator import TaskAnnotator
from sparkalbert.ml.stages.params import declare_param
from sparkalbert.ml.stages.persistence import StageReadWrite
from sparkalbert.ml.worker.ngram_task import NGRAM_FIELDS, NGramTask

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["NGramGenerator"]


class NGramGenerator(TaskAnnotator, StageReadWrite):
    """Adds the n-grams of a token column: every n tokens in a row, within one sentence.

    An n-gram is an annotation of type ``chunk``, from the first token's ``begin`` to the last one's
    ``end``. Its metadata holds the ``sentence`` and the n-gram's number in it as ``chunk``.

    Parameters
    ----------
    **params
        Params by name: ``inputCols`` (one token column), ``outputCol``, ``n``, ``enableCumulative``,
        ``delimiter``.

    Examples
    --------
    >>> NGramGenerator(inputCols=["token"], outputCol="ngrams").setN(3).getN()
    3
    """

    name = "NGramGenerator"
    inputAnnotatorTypes: ClassVar[Sequence[str]] = (TOKEN,)
    outputAnnotatorType = CHUNK
    _fields: ClassVar = {TOKEN: NGRAM_FIELDS}

    n = declare_param("n", "Number of tokens in an n-gram, at least 1.", TypeConverters.toInt)
    enableCumulative = declare_param(
        "enableCumulative",
        "Whether shorter ones come too: all from one token to n tokens.",
        TypeConverters.toBoolean,
    )
    delimiter = declare_param(
        "delimiter",
        "What stands between the tokens, at most one character; a space unless set.",
        TypeConverters.toString,
    )

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(n=2, enableCumulative=False, lazyAnnotator=False)
        self.setParams(**params)

    def setN(self, value: int) -> Self:
        """Sets the number of tokens in an n-gram.

        Raises
        ------
        ParamError
            When it is below 1.
        """
        if value < 1:
            msg = f"n is {value}, expected at least 1."
            raise ParamError(msg)
        return self._set(n=value)

    def getN(self) -> int:
        """Gets n or its default value."""
        return int(self.getOrDefault(self.n))

    def setEnableCumulative(self, value: bool) -> Self:
        """Sets whether shorter n-grams come too."""
        return self._set(enableCumulative=value)

    def getEnableCumulative(self) -> bool:
        """Gets enableCumulative or its default value."""
        return bool(self.getOrDefault(self.enableCumulative))

    def setDelimiter(self, value: str) -> Self:
        """Sets what stands between the tokens.

        Raises
        ------
        ParamError
            When it is longer than one character.
        """
        if len(value) > 1:
            msg = f"Delimiter should have length == 1, found {value!r}."
            raise ParamError(msg)
        return self._set(delimiter=value)

    def getDelimiter(self) -> str | None:
        """Gets delimiter, None unless set."""
        value: str | None = self._value_or_none(self.delimiter)
        return value

    def _task(self) -> NGramTask:
        delimiter = self.getDelimiter()
        return NGramTask(self.getN(), self.getEnableCumulative(), " " if delimiter is None else delimiter)
