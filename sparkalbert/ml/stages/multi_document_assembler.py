"""The first stage for several columns of texts, each of which becomes a document column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.sql import DataFrame

from sparkalbert.ml.columns import find_column
from sparkalbert.ml.schema import DOCUMENT
from sparkalbert.ml.stages.document_assembler import DocumentParams, local_cleaner, local_documents
from sparkalbert.ml.stages.local import LocalRows, LocalStep, RunsLocally
from sparkalbert.ml.stages.params import HasColumnPairs
from sparkalbert.ml.stages.persistence import StageReadWrite

__all__ = ["MultiDocumentAssembler"]


class MultiDocumentAssembler(Transformer, HasColumnPairs, DocumentParams, StageReadWrite, RunsLocally):
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
    _inputs_hint: ClassVar = 'Call setInputCols("question", "context"), or name other text columns.'

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
