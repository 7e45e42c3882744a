"""The Params and columns that both finishers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.ml.param import TypeConverters
from pyspark.ml.param.shared import HasInputCols, HasOutputCols
from pyspark.sql import Column, DataFrame

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml.columns import InputColumn, add_column, check_output, find_column
from sparkalbert.ml.schema import is_annotation_type
from sparkalbert.ml.stages.params import HasParamKeywords, column_names, declare_param

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FinisherParams"]


class FinisherParams(HasInputCols, HasOutputCols, HasParamKeywords):
    """Params of a stage that adds one plain column for each annotation column."""

    cleanAnnotations = declare_param(
        "cleanAnnotations", "If true, every annotation column is dropped.", TypeConverters.toBoolean
    )

    def setInputCols(self, *value: str | list[str]) -> Self:
        """Sets the annotation columns: names, or one list of names."""
        return self._set(inputCols=column_names(value))

    def setOutputCols(self, *value: str | list[str]) -> Self:
        """Sets the names of the new columns; ``finished_`` and the input's name by default."""
        return self._set(outputCols=column_names(value))

    def getOutputCols(self) -> list[str]:
        """Gets the names of the new columns, as set or derived from the inputs' names."""
        columns = self.getInputCols() if self.isDefined(self.inputCols) else []
        outputs: list[str] = self.getOrDefault("outputCols")
        return list(outputs) or [f"finished_{column}" for column in columns]

    def setCleanAnnotations(self, value: bool) -> Self:
        """Sets whether every annotation column is dropped."""
        return self._set(cleanAnnotations=value)

    def getCleanAnnotations(self) -> bool:
        """Gets cleanAnnotations or its default value."""
        return bool(self.getOrDefault(self.cleanAnnotations))

    def _finished_columns(self, dataset: DataFrame) -> list[tuple[str, InputColumn]]:
        """Return each new column with its input column, every input checked to be an annotation column."""
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols. Call setInputCols("token"), or name other annotation columns.'
            raise ParamError(msg)
        names, outputs = self.getInputCols(), self.getOutputCols()
        if len(names) != len(outputs):
            msg = (
                f"inputCols and outputCols length must match, found {len(names)} and {len(outputs)} in {self.uid}. "
                "Name one output column for each input column."
            )
            raise ParamError(msg)
        columns = [find_column(dataset, name, self.uid) for name in names]
        for column in columns:
            if not is_annotation_type(column.type):
                msg = (
                    f"{self.uid}: column [{column.name}] must be an NLP Annotation column, found "
                    f"{column.type.simpleString()}."
                )
                raise ColumnError(msg)
        return list(zip(outputs, columns, strict=True))

    def _with_column(self, finished: DataFrame, name: str, column: Column) -> DataFrame:
        """Return the result with one more column; raises ColumnError if it has a column of that name already."""
        check_output(finished, name, self.uid)
        return add_column(finished, name, column)

    def _cleaned(self, finished: DataFrame) -> DataFrame:
        """Return the result without annotation columns if they are to be dropped."""
        if not self.getCleanAnnotations():
            return finished
        return finished.drop(*(field.name for field in finished.schema.fields if is_annotation_type(field.dataType)))
