"""What both finishers share: which columns they make of which, and what they leave of the others.

It knows Params and column types, nothing about contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.ml.param import TypeConverters
from pyspark.ml.param.shared import HasInputCols, HasOutputCols
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.schema import check_column, is_annotation_type, reference
from sparkalbert.ml.stages.params import HasParamKeywords, declare_param

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FinisherParams"]


class FinisherParams(HasInputCols, HasOutputCols, HasParamKeywords):
    """Annotation columns in, one plain column for each of them out."""

    cleanAnnotations = declare_param(
        "cleanAnnotations", "Whether every annotation column is dropped.", TypeConverters.toBoolean
    )

    def setInputCols(self, *value: str | list[str]) -> Self:
        """Sets the annotation columns: names, or one list of names."""
        return self._set(inputCols=_names(value))

    def setOutputCols(self, *value: str | list[str]) -> Self:
        """Sets the names of the new columns; ``finished_`` and the input's name unless set."""
        return self._set(outputCols=_names(value))

    def getOutputCols(self) -> list[str]:
        """Gets the names of the new columns, as set or made of the inputs' names."""
        columns = self.getInputCols() if self.isDefined(self.inputCols) else []
        outputs: list[str] = self.getOrDefault("outputCols")
        return list(outputs) or [f"finished_{column}" for column in columns]

    def setCleanAnnotations(self, value: bool) -> Self:
        """Sets whether every annotation column is dropped."""
        return self._set(cleanAnnotations=value)

    def getCleanAnnotations(self) -> bool:
        """Gets cleanAnnotations or its default value."""
        return bool(self.getOrDefault(self.cleanAnnotations))

    def _column_names(self, dataset: DataFrame) -> dict[str, str]:
        """Output column of each input column, every input checked to hold annotations."""
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols: setInputCols("token") or other annotation columns.'
            raise ParamError(msg)
        columns, outputs = self.getInputCols(), self.getOutputCols()
        if len(columns) != len(outputs):
            msg = (
                f"inputCols and outputCols length must match, found {len(columns)} and {len(outputs)} in "
                f"{self.uid}. Please name one output column for each input column."
            )
            raise ParamError(msg)
        for column in columns:
            found = check_column(dataset, column, self.uid).dataType
            if not is_annotation_type(found):
                msg = (
                    f"{self.uid}: column [{column}] must be an NLP Annotation column, found "
                    f"{found.simpleString()}."
                )
                raise ColumnError(msg)
        return dict(zip(columns, outputs, strict=True))

    def _cleaned(self, finished: DataFrame) -> DataFrame:
        """The result without annotation columns, where these are not wanted."""
        if not self.getCleanAnnotations():
            return finished
        kept = [field.name for field in finished.schema.fields if not is_annotation_type(field.dataType)]
        return finished.select([F.col(reference(name)) for name in kept])


def _names(value: tuple[str | list[str], ...]) -> Any:
    return value[0] if len(value) == 1 and isinstance(value[0], list) else list(value)
