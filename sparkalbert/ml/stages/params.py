"""The Params that several stages share, with Spark NLP's names, setters and error texts.

camelCase lives here and in the stages only. It knows Params, nothing about columns' contents.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCols as SparkHasInputCols
from pyspark.ml.param.shared import HasOutputCol as SparkHasOutputCol

from sparkalbert.errors import ParamTypeError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "HasInputCols",
    "HasLazyAnnotator",
    "HasLengthBounds",
    "HasOutputCol",
    "HasParamKeywords",
    "HasParamValue",
    "HasPoolingStrategy",
    "HasStorageRef",
    "declare_param",
]


def declare_param(name: str, doc: str, converter: Any) -> Param[Any]:
    """Return a Param as a class attribute declares it."""
    return Param(Params._dummy(), name, doc, converter)  # noqa: SLF001 - how pyspark declares a Param


class HasParamValue(Params):
    """Spark NLP's access to a Param by its name."""

    def getParamValue(self, paramName: str) -> Any:
        """Gets the value of the Param called `paramName`."""
        return self.getOrDefault(paramName)

    def setParamValue(self, paramName: str, paramValue: Any) -> Self:
        """Sets the Param called `paramName`."""
        return self._set(**{paramName: paramValue})

    def _value_or_none(self, param: Param[Any]) -> Any:
        """Return a Param's value, None unless set: what many getters of Spark NLP give then."""
        return self.getOrDefault(param) if self.isDefined(param) else None


class HasParamKeywords(HasParamValue):
    """Params by keyword, each checked as by its own setter."""

    def setParams(self, **params: Any) -> Self:
        """Sets several Params by name.

        Raises
        ------
        ParamTypeError
            When there is no such Param.
        """
        for name, value in params.items():
            setter = getattr(self, f"set{name[0].upper()}{name[1:]}", None)
            if setter is None or not self.hasParam(name):
                known = ", ".join(param.name for param in self.params)
                msg = f"{type(self).__name__} has no Param {name!r}. Its Params: {known}."
                raise ParamTypeError(msg)
            setter(value)
        return self


class HasInputCols(SparkHasInputCols, HasParamValue):
    """Input annotation columns, given as names or as one list."""

    inputAnnotatorTypes: ClassVar[Sequence[str]] = ()
    optionalInputAnnotatorTypes: ClassVar[Sequence[str]] = ()

    def setInputCols(self, *value: str | list[str]) -> Self:
        """Sets the input columns: ``setInputCols("sentence", "token")`` or one list of names.

        Raises
        ------
        ParamTypeError
            When the names are neither strings nor one list, or their number is wrong.
        """
        if value and isinstance(value[0], str):
            names: Any = list(value)
        elif len(value) == 1 and isinstance(value[0], list):
            names = value[0]
        else:
            msg = "InputCols datatype not supported. It must be either str or list"
            raise ParamTypeError(msg)
        self.inputColsValidation(names)
        return self._set(inputCols=names)

    def inputColsValidation(self, value: Sequence[str]) -> None:
        """Check the number of input columns against what the stage reads.

        Raises
        ------
        ParamTypeError
            With Spark NLP's text.
        """
        wanted = len(self.inputAnnotatorTypes)
        if len(value) != wanted and not self._accepts_columns(value):
            msg = (
                f"setInputCols in {self.uid} expecting {wanted} columns. "
                f"Provided column amount: {len(value)}. "
                f"Which should be columns from the following annotators: {list(self.inputAnnotatorTypes)}"
            )
            raise ParamTypeError(msg)

    def _accepts_columns(self, value: Sequence[str]) -> bool:  # noqa: ARG002
        """Whether another number of columns is fine too."""
        return False


class HasOutputCol(SparkHasOutputCol, HasParamValue):
    """The output annotation column."""

    def setOutputCol(self, value: str) -> Self:
        """Sets the name of the output column."""
        return self._set(outputCol=value)


class HasLazyAnnotator(HasParamValue):
    """Kept for ported code; only Spark NLP's RecursivePipeline reads it."""

    lazyAnnotator = declare_param(
        "lazyAnnotator",
        "Whether this AnnotatorModel acts as lazy in RecursivePipelines",
        TypeConverters.toBoolean,
    )

    def setLazyAnnotator(self, value: bool) -> Self:
        """Sets whether the stage is lazy in a RecursivePipeline; without effect here."""
        return self._set(lazyAnnotator=value)

    def getLazyAnnotator(self) -> bool:
        """Gets lazyAnnotator or its default value."""
        return bool(self.getOrDefault(self.lazyAnnotator))


class HasLengthBounds(HasParamValue):
    """Bounds on the length of what an annotator finds."""

    minLength = declare_param(
        "minLength", "What is shorter is left out; in UTF-16 units.", TypeConverters.toInt
    )
    maxLength = declare_param(
        "maxLength",
        "What is longer is left out; in UTF-16 units. For sentences 99999, the default, is no bound.",
        TypeConverters.toInt,
    )

    def setMinLength(self, value: int) -> Self:
        """Sets the length below which a sentence or token is left out."""
        return self._set(minLength=value)

    def getMinLength(self) -> int:
        """Gets minLength or its default value."""
        return int(self.getOrDefault(self.minLength))

    def setMaxLength(self, value: int) -> Self:
        """Sets the length above which a sentence or token is left out."""
        return self._set(maxLength=value)

    def getMaxLength(self) -> int:
        """Gets maxLength or its default value."""
        return int(self.getOrDefault(self.maxLength))


class HasPoolingStrategy(HasParamValue):
    """How many vectors become one."""

    poolingStrategy = declare_param(
        "poolingStrategy",
        "What becomes of the vectors of several words: AVERAGE or SUM.",
        TypeConverters.toString,
    )

    def setPoolingStrategy(self, strategy: str) -> Self:
        """Sets ``AVERAGE`` or ``SUM``; anything else means AVERAGE, as in Spark NLP, with a warning."""
        if strategy not in {"AVERAGE", "SUM"}:
            msg = f"poolingStrategy {strategy!r} is neither AVERAGE nor SUM: AVERAGE is taken."
            warnings.warn(msg, stacklevel=2)
            strategy = "AVERAGE"
        return self._set(poolingStrategy=strategy)

    def getPoolingStrategy(self) -> str:
        """Gets poolingStrategy or its default value."""
        return str(self.getOrDefault(self.poolingStrategy))


class HasStorageRef(HasParamValue):
    """Where the vectors come from."""

    storageRef = declare_param(
        "storageRef",
        "Name of the vectors' origin in the column's metadata; that of the model or input unless set.",
        TypeConverters.toString,
    )

    def setStorageRef(self, value: str) -> Self:
        """Sets the name of the vectors' origin."""
        return self._set(storageRef=value)

    def getStorageRef(self) -> str:
        """Gets storageRef or its default value."""
        return str(self.getOrDefault(self.storageRef))
