"""The first stage for several columns of texts, each of which becomes a document column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.param.shared import HasInputCols, HasOutputCols
from pyspark.sql import DataFrame

from sparkalbert.errors import ParamError
from sparkalbert.ml.columns import find_column
from sparkalbert.ml.schema import DOCUMENT
from sparkalbert.ml.stages.document_assembler import DocumentParams, local_cleaner, local_documents
from sparkalbert.ml.stages.local import LocalRows, LocalStep, RunsLocally
from sparkalbert.ml.stages.params import column_names
from sparkalbert.ml.stages.persistence import StageReadWrite

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MultiDocumentAssembler"]


class MultiDocumentAssembler(Transformer, HasInputCols, HasOutputCols, DocumentParams, StageReadWrite, RunsLocally):
    """Adds a document column for each of several columns of texts, as :class:`DocumentAssembler` does for one.

    In a LightPipeline the first column has the text, the others are empty, as in Spark NLP.

    Parameters
    ----------
    inputCols
        Columns of strings or arrays of strings.
    outputCols
        The columns to add; ``finished_`` and the input's name by default.
    idCol
        Column whose value is ``id`` in each document's metadata.
    metadataCol
        Column of type ``map<string,string>`` whose entries are added to the metadata.
    cleanupMode
        What happens to white space.

    Examples
    --------
    >>> assembler = MultiDocumentAssembler().setInputCols("question", "context").setOutputCols("q", "c")
    >>> assembler.getInputCols()
    ['question', 'context']
    """

    name = "MultiDocumentAssembler"
    outputAnnotatorType = DOCUMENT

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: list[str] | None = None,
        outputCols: list[str] | None = None,
        idCol: str | None = None,
        metadataCol: str | None = None,
        cleanupMode: str | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(cleanupMode="disabled")
        self.setParams(**self._input_kwargs)

    def setInputCols(self, *value: str | list[str]) -> Self:
        """Sets the columns of texts: names, or one list of names."""
        return self._set(inputCols=column_names(value))

    def setOutputCols(self, *value: str | list[str]) -> Self:
        """Sets the names of the new columns; ``finished_`` and the input's name by default."""
        return self._set(outputCols=column_names(value))

    def column_pairs(self) -> list[tuple[str, str]]:
        """Return each input column with its output column; raises ParamError if their numbers differ."""
        if not self.isDefined(self.inputCols):
            msg = f'{self.uid} has no inputCols. Call setInputCols("question", "context"), or name other text columns.'
            raise ParamError(msg)
        inputs = self.getInputCols()
        outputs = self.getOutputCols() if self.isDefined(self.outputCols) else [f"finished_{name}" for name in inputs]
        if len(inputs) != len(outputs):
            msg = (
                f"inputCols and outputCols length must match, found {len(inputs)} and {len(outputs)} in {self.uid}. "
                "Name one output column for each input column."
            )
            raise ParamError(msg)
        return list(zip(inputs, outputs, strict=True))

    def _transform(self, dataset: DataFrame) -> DataFrame:
        transformed = dataset
        for name, output in self.column_pairs():
            texts = find_column(dataset, name, self.uid)
            transformed = self._with_documents(transformed, texts, output)
        return transformed

    def _local_step(self, types: Mapping[str, str]) -> LocalStep:
        """Return the step that makes documents of texts; as in Spark NLP's LightPipeline without ``sentence``."""
        outputs = [output for _, output in self.column_pairs()]
        clean = local_cleaner(self.getCleanupMode())

        def step(rows: LocalRows) -> LocalRows:
            texts = [clean(text) for text in rows.texts]
            for output in outputs:
                rows = rows.with_column(output, local_documents(texts))
                texts = [""] * len(texts)
            return rows

        return step
