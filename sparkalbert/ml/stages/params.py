"""The Params that several stages share, with Spark NLP's names, setters and error texts.

camelCase names are used here and in the stages only. A Param can be set in six ways (its setter, a keyword, ``set``,
``setParamValue``, ``copy`` and ``transform`` with extra Params), and only the first two pass through a setter. So
values are checked by getters, where they are used; setters check too, to fail early. In each way None gives a Param its
default back.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCols as SparkHasInputCols
from pyspark.ml.param.shared import HasOutputCol as SparkHasOutputCol
from pyspark.ml.param.shared import HasOutputCols as SparkHasOutputCols

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.options import check_choice, near_miss

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "HasColumnPairs",
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

T = TypeVar("T")

_STRATEGIES: Final = ("AVERAGE", "SUM")
_EXPECTED: Final[Mapping[Any, str]] = {
    TypeConverters.toBoolean: "True or False",
    TypeConverters.toFloat: "a number",
    TypeConverters.toInt: "an integer",
    TypeConverters.toList: "a list",
    TypeConverters.toListInt: "a list of integers",
    TypeConverters.toListString: "a list of strings",
    TypeConverters.toString: "a string",
}
"""What each converter of pyspark takes."""


def declare_param(name: str, doc: str, converter: Any) -> Param[Any]:
    """Return a Param, to be declared as a class attribute."""
    return Param(Params._dummy(), name, doc, converter)  # noqa: SLF001 - how pyspark declares a Param


class HasParamValue(Params):
    """Gives access to a Param by its name, as in Spark NLP. None gives a Param its default back."""

    def getParam(self, paramName: str) -> Param[Any]:
        """Gets a Param by its name; every method that takes a name finds it here.

        Raises
        ------
        ParamTypeError
            If there is no such Param; the message suggests the nearest name.
        """
        if not self.hasParam(paramName):
            known = [param.name for param in self.params]
            hint = near_miss(paramName, known)
            msg = f"{type(self).__name__} has no Param {paramName!r}.{hint} Its Params: {', '.join(known)}."
            raise ParamTypeError(msg)
        return super().getParam(paramName)

    def getParamValue(self, paramName: str) -> Any:
        """Gets the value of the Param called `paramName`."""
        return self.getOrDefault(paramName)

    def setParamValue(self, paramName: str, paramValue: Any) -> Self:
        """Sets the Param called `paramName`."""
        return self._set(**{paramName: paramValue})

    def set(self, param: Param[Any], value: Any) -> None:
        """Sets a Param, as pyspark's method does.

        Raises
        ------
        ParamTypeError
            If the value has another type.
        """
        self._set(**{self._resolveParam(param).name: value})

    def _set(self, **values: Any) -> Self:
        """Set Params; every way to set one leads here."""
        given = {name: _converted(self.getParam(name), value) for name, value in values.items() if value is not None}
        for name in values.keys() - given.keys():
            self.clear(self.getParam(name))
        return super()._set(**given)

    def _set_checked(self, param: Param[Any], value: Any, check: Callable[[Any], object]) -> Self:
        """Set a Param if its value passes a check, which gets it in the Param's type."""
        if value is not None:
            check(_converted(param, value))
        return self._set(**{param.name: value})

    def _set_choice(self, param: Param[Any], value: Any, choices: Sequence[str]) -> Self:
        """Set a Param if its value is one of its choices."""
        if value is not None:
            check_choice(param.name, value, choices)
        return self._set(**{param.name: value})

    def _value_or_none(self, param: Param[Any]) -> Any:
        """Return a Param's value, None by default: what many getters of Spark NLP return."""
        return self.getOrDefault(param) if self.isDefined(param) else None

    def _value_if_set(self, param: Param[Any], getter: Callable[[], T]) -> T | None:
        """Return the value that a getter checks, None if the Param is not set."""
        return getter() if self.isSet(param) else None


def _converted(param: Param[Any], value: Any) -> Any:
    """Return a value as pyspark converts it for a Param."""
    try:
        return param.typeConverter(value)
    except (AttributeError, TypeError, ValueError) as error:  # of pyspark 3.5: NumPy 2 lacks a name that it looks up
        msg = f"{param.name} is {value!r}, expected {_EXPECTED.get(param.typeConverter, f'another type: {error}')}."
        raise ParamTypeError(msg) from error


class HasParamKeywords(HasParamValue):
    """Sets Params by keyword, each through its own setter."""

    _input_kwargs: dict[str, Any]  # set by pyspark's decorator keyword_only

    def setParams(self, **params: Any) -> Self:
        """Sets several Params by name; None gives a Param its default back.

        Raises
        ------
        ParamTypeError
            If there is no such Param; the message suggests the nearest name.
        """
        for name, value in params.items():
            self.getParam(name)
            setter = getattr(self, f"set{name[0].upper()}{name[1:]}", None)
            if setter is None or value is None:
                self._set(**{name: value})
            else:
                setter(value)
        return self


class HasInputCols(SparkHasInputCols, HasParamValue):
    """The Param that names the input annotation columns, set by names or by one list."""

    inputAnnotatorTypes: ClassVar[Sequence[str]] = ()
    optionalInputAnnotatorTypes: ClassVar[Sequence[str]] = ()

    def setInputCols(self, *value: str | list[str] | None) -> Self:
        """Sets the input columns: ``setInputCols("sentence", "token")`` or one list of names.

        Raises
        ------
        ParamTypeError
            If the names are neither strings nor one list, or if their number is wrong.
        """
        if len(value) == 1 and value[0] is None:
            return self._set(inputCols=None)
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
        """Check the number of input columns.

        Raises
        ------
        ParamTypeError
            If it is wrong, with Spark NLP's text.
        """
        expected = len(self.inputAnnotatorTypes)
        if len(value) != expected and not self._accepts_columns(value):
            msg = (
                f"setInputCols in {self.uid} expecting {expected} columns. "
                f"Provided column amount: {len(value)}. "
                f"Which should be columns from the following annotators: {list(self.inputAnnotatorTypes)}"
            )
            raise ParamTypeError(msg)

    def _accepts_columns(self, value: Sequence[str]) -> bool:
        """Return whether another number of columns is allowed too."""
        return False

    def _input_names(self) -> list[str]:
        """Return the input columns, checked.

        Raises
        ------
        ParamError
            If none are set.
        """
        if not self.isDefined(self.inputCols):
            types = ", ".join(f'"{kind}"' for kind in self.inputAnnotatorTypes)
            msg = f"{self.uid} has no inputCols. Call setInputCols({types}), or name other columns of those types."
            raise ParamError(msg)
        names: list[str] = self.getInputCols()
        self.inputColsValidation(names)
        return names


class HasOutputCol(SparkHasOutputCol, HasParamValue):
    """The Param that names the output annotation column."""

    def setOutputCol(self, value: str) -> Self:
        """Sets the name of the output column."""
        return self._set(outputCol=value)


class HasColumnPairs(SparkHasInputCols, SparkHasOutputCols, HasParamValue):
    """The Params that name several input columns and the column to add for each of them."""

    _inputs_hint: ClassVar[str]
    """What to do if inputCols is not set, as a sentence of the message."""

    def setInputCols(self, *value: str | list[str]) -> Self:
        """Sets the input columns: names, or one list of names."""
        return self._set(inputCols=_column_names(value))

    def setOutputCols(self, *value: str | list[str]) -> Self:
        """Sets the names of the new columns; ``finished_`` and the input's name by default."""
        return self._set(outputCols=_column_names(value))

    def column_pairs(self) -> list[tuple[str, str]]:
        """Return each input column with its output column.

        Raises
        ------
        ParamError
            If inputCols is not set, or if the numbers of columns differ.
        """
        if not self.isDefined(self.inputCols):
            msg = f"{self.uid} has no inputCols. {self._inputs_hint}"
            raise ParamError(msg)
        inputs = self.getInputCols()
        outputs = self._output_names(inputs)
        if len(inputs) != len(outputs):
            msg = (
                f"inputCols and outputCols length must match, found {len(inputs)} and {len(outputs)} in {self.uid}. "
                "Name one output column for each input column."
            )
            raise ParamError(msg)
        return list(zip(inputs, outputs, strict=True))

    def _output_names(self, inputs: Sequence[str]) -> list[str]:
        """Return the names of the new columns, as set or derived from the names of the input columns."""
        return list(self._value_or_none(self.outputCols) or [f"finished_{name}" for name in inputs])


def _column_names(value: tuple[str | list[str], ...]) -> Any:
    """Return the names given as ``set...Cols("a", "b")`` or ``set...Cols(["a", "b"])``."""
    return value[0] if len(value) == 1 and (value[0] is None or isinstance(value[0], list)) else list(value)


class HasLazyAnnotator(HasParamValue):
    """The Param that decides whether a LightPipeline leaves the stage out."""

    lazyAnnotator = declare_param(
        "lazyAnnotator",
        "If true, a LightPipeline leaves the stage out, as in Spark NLP; pipelines on DataFrames run it.",
        TypeConverters.toBoolean,
    )

    def setLazyAnnotator(self, value: bool) -> Self:
        """Sets whether a LightPipeline leaves the stage out."""
        return self._set(lazyAnnotator=value)

    def getLazyAnnotator(self) -> bool:
        """Gets lazyAnnotator or its default value."""
        return bool(self.getOrDefault(self.lazyAnnotator))


class HasLengthBounds(HasParamValue):
    """The Params that bound the length of a sentence or token."""

    minLength = declare_param(
        "minLength", "Minimum length in UTF-16 units; shorter spans are left out.", TypeConverters.toInt
    )
    maxLength = declare_param(
        "maxLength",
        "Maximum length in UTF-16 units; longer spans are left out. Without a value there is no limit; for sentences "
        "the default, 99999, is no limit either.",
        TypeConverters.toInt,
    )

    def setMinLength(self, value: int) -> Self:
        """Sets the minimum length of a sentence or token."""
        return self._set(minLength=value)

    def getMinLength(self) -> int:
        """Gets minLength or its default value."""
        return int(self.getOrDefault(self.minLength))

    def setMaxLength(self, value: int) -> Self:
        """Sets the maximum length of a sentence or token."""
        return self._set(maxLength=value)

    def getMaxLength(self) -> int | None:
        """Gets maxLength or its default value, None where it has no default."""
        value: int | None = self._value_or_none(self.maxLength)
        return value


class HasPoolingStrategy(HasParamValue):
    """The Param that decides how several vectors become one vector."""

    poolingStrategy = declare_param(
        "poolingStrategy",
        "How the vectors of several words are pooled: AVERAGE or SUM.",
        TypeConverters.toString,
    )

    def setPoolingStrategy(self, strategy: str) -> Self:
        """Sets ``AVERAGE`` or ``SUM``; anything else means AVERAGE, as in Spark NLP, with a warning."""
        if strategy is not None and strategy not in _STRATEGIES:
            msg = f"poolingStrategy is {strategy!r}, expected AVERAGE or SUM. AVERAGE is used."
            warnings.warn(msg, stacklevel=2)
            strategy = "AVERAGE"
        return self._set(poolingStrategy=strategy)

    def getPoolingStrategy(self) -> str:
        """Gets poolingStrategy or its default value."""
        return check_choice("poolingStrategy", self.getOrDefault(self.poolingStrategy), _STRATEGIES)


class HasStorageRef(HasParamValue):
    """The Param that names the origin of vectors."""

    storageRef = declare_param(
        "storageRef",
        "Name of the vectors' origin in the column's metadata; the model's or the input's by default.",
        TypeConverters.toString,
    )

    def setStorageRef(self, value: str) -> Self:
        """Sets the name of the vectors' origin."""
        return self._set(storageRef=value)

    def getStorageRef(self) -> str:
        """Gets storageRef or its default value."""
        return str(self.getOrDefault(self.storageRef))
