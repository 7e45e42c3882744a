"""Re-exports what Spark NLP has in ``sparknlp.base``; ported code changes only the name of the package.

``from sparknlp.base import *`` brings pyspark's ``Pipeline`` and ``PipelineModel`` along, so this does too.
"""

from __future__ import annotations

from pyspark.ml import Pipeline, PipelineModel

from sparkalbert.ml.annotation import Annotation
from sparkalbert.ml.light_pipeline import LightPipeline
from sparkalbert.ml.stages.doc2_chunk import Doc2Chunk
from sparkalbert.ml.stages.document_assembler import DocumentAssembler
from sparkalbert.ml.stages.embeddings_finisher import EmbeddingsFinisher
from sparkalbert.ml.stages.finisher import Finisher
from sparkalbert.ml.stages.multi_document_assembler import MultiDocumentAssembler
from sparkalbert.ml.stages.token_assembler import TokenAssembler

__all__ = [
    "Annotation",
    "Doc2Chunk",
    "DocumentAssembler",
    "EmbeddingsFinisher",
    "Finisher",
    "LightPipeline",
    "MultiDocumentAssembler",
    "Pipeline",
    "PipelineModel",
    "TokenAssembler",
]
