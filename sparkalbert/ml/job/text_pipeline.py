"""Builds the pipeline of the model card: document, sentences, tokens, embeddings."""

from __future__ import annotations

from pyspark.ml import Pipeline

from sparkalbert.ml.stages.albert_embeddings import AlbertEmbeddings
from sparkalbert.ml.stages.document_assembler import DocumentAssembler
from sparkalbert.ml.stages.sentence_detector import SentenceDetector
from sparkalbert.ml.stages.tokenizer import Tokenizer

__all__ = ["text_pipeline"]


def text_pipeline(embeddings: AlbertEmbeddings, text_col: str = "text", prefix: str = "") -> Pipeline:
    """Return a Pipeline that adds ``document``, ``sentence``, ``token`` and ``embeddings`` to texts.

    Parameters
    ----------
    embeddings
        The last stage; a copy with other columns is used.
    text_col
        The column of texts.
    prefix
        Prefix of the name of each new column.

    Examples
    --------
    >>> stages = text_pipeline(AlbertEmbeddings.pretrained("albert_mini_en")).getStages()
    >>> [type(stage).__name__ for stage in stages]
    ['DocumentAssembler', 'SentenceDetector', 'Tokenizer', 'AlbertEmbeddings']
    """
    document, sentence, token = f"{prefix}document", f"{prefix}sentence", f"{prefix}token"
    return Pipeline(
        stages=[
            DocumentAssembler(inputCol=text_col, outputCol=document),
            SentenceDetector(inputCols=[document], outputCol=sentence),
            Tokenizer(inputCols=[sentence], outputCol=token),
            embeddings.copy().setInputCols(sentence, token).setOutputCol(f"{prefix}embeddings"),
        ]
    )
