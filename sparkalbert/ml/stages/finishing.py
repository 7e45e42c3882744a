"""The Params and columns that both finishers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pyspark.ml.param import TypeConverters
from pyspark.sql import Column, DataFrame

from sparkalbert.errors import ColumnError
from sparkalbert.ml.columns import InputColumn, add_column, check_output, find_column
from sparkalbert.ml.schema import is_annotation_type
from sparkalbert.ml.stages.params import HasColumnPairs, HasParamKeywords, declare_param

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FinisherParams"]


class FinisherParams(HasColumnPairs, HasParamKeywords):
    """Params of a stage that adds one plain column for each annotation column."""

    _inputs_hint: ClassVar = 'Call setInputCols("token"), or name other annotation columns.'

    cleanAnnotations = declare_param(
        "cleanAnnotations", "If true, every annotation column is dropped.", TypeConverters.toBoolean
    )

    def getOutputCols(self) -> list[str]:
        """Gets the names of the new columns, as set or derived from the inputs' names."""
        return self._output_names(self.getInputCols() if self.isDefined(self.inputCols) else [])

    def setCleanAnnotations(self, value: bool) -> Self:
        """Sets whether every annotation column is dropped."""
        return self._set(cleanAnnotations=value)

    def getCleanAnnotations(self) -> bool:
        """Gets cleanAnnotations or its default value."""
        return bool(self.getOrDefault(self.cleanAnnotations))

    def _finished_columns(self, dataset: DataFrame) -> list[tuple[str, InputColumn]]:
        """Return each new column with its input column, every input checked to be an annotation column."""
        found = [(output, find_column(dataset, name, self.uid)) for name, output in self.column_pairs()]
        for _, column in found:
            if not is_annotation_type(column.type):
                msg = (
                    f"{self.uid}: column [{column.name}] must be an NLP Annotation column, found "
                    f"{column.type.simpleString()}."
                )
                raise ColumnError(msg)
        return found

    def _with_column(self, finished: DataFrame, name: str, column: Column) -> DataFrame:
        """Return the result with one more column; raises ColumnError if it has a column of that name already."""
        check_output(finished, name, self.uid)
        return add_column(finished, name, column)

    def _cleaned(self, finished: DataFrame) -> DataFrame:
        """Return the result without annotation columns if they are to be dropped."""
        if not self.getCleanAnnotations():
            return finished
        return finished.drop(*(field.name for field in finished.schema.fields if is_annotation_type(field.dataType)))
