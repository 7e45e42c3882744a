"""Where a prediction comes from: a model without Spark, or a pipeline; either also runs on Spark.

pyspark is imported only where a pipeline or a session is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from sparkalbert.arrays import BoolArray, Float32Array, Int64Array
from sparkalbert.nlu.annotated_text import AnnotatedText, Spans
from sparkalbert.nlu.inputs import TEXT
from sparkalbert.offsets import utf16_length
from sparkalbert.text.pieces.encoding import NO_PIECE
from sparkalbert.word_embedder import WordEmbedder

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.job.annotated_frame import AnnotatedColumns

__all__ = ["ModelSource", "PipelineSource", "Source", "StageSource", "annotated_rows"]

_BATCH_TEXTS = 256


class Source(Protocol):
    """Computes words and vectors of texts, in this process or as a pipeline."""

    @property
    def text_cols(self) -> Sequence[str]:
        """The names that the column of texts of a DataFrame may have, best first."""

    def annotate(self, texts: Iterable[str], *, with_vectors: bool) -> Iterator[AnnotatedText]:
        """Yield the texts with their sentences, words and vectors, without a Spark job."""

    def pipeline(self, text_col: str, prefix: str = "") -> tuple[PipelineModel, AnnotatedColumns]:
        """Return the same as a pipeline, with its columns.

        Parameters
        ----------
        text_col
            The column of texts; a saved pipeline has its own.
        prefix
            Prefix of the new columns; a saved pipeline has its own names.
        """


class ModelSource:
    """A model, with options of :class:`~sparkalbert.WordEmbedder`."""

    text_cols = (TEXT,)

    def __init__(self, embedder: WordEmbedder, *, threads: int | None) -> None:
        self._embedder = embedder
        self._threads = threads

    def annotate(self, texts: Iterable[str], *, with_vectors: bool) -> Iterator[AnnotatedText]:
        """Yield the texts with their sentences, words and vectors, without Spark."""
        embed = self._embedder.embed if with_vectors else self._embedder.split
        remaining = iter(texts)
        while batch := list(islice(remaining, _BATCH_TEXTS)):
            yield from map(AnnotatedText.of, batch, embed(batch))

    def pipeline(self, text_col: str, prefix: str = "") -> tuple[PipelineModel, AnnotatedColumns]:
        """Return a pipeline of DocumentAssembler, SentenceDetector, Tokenizer and this model with its options."""
        from sparkalbert.ml import AlbertEmbeddings

        options = self._embedder.options
        stage = AlbertEmbeddings(
            model=str(self._embedder.bundle.path.absolute()),
            modelDigest=self._embedder.bundle.digest,  # the folder may hold another model by now
            pooling=options.vectors.pooling,
            layers=list(options.vectors.layers),
            maxSentenceLength=options.vectors.max_sentence_length,
            encoding=options.encoding,
            device=options.session.device,
            threads=self._threads,
        )
        return _text_pipeline(stage, text_col, prefix)


class StageSource:
    """An AlbertEmbeddings stage, with Params that WordEmbedder does not have, such as ``compatibility``."""

    text_cols = (TEXT,)

    def __init__(self, stage: Any) -> None:
        self._stage = _pinned(stage)
        self._local = PipelineSource(_text_pipeline(self._stage, TEXT, "")[0])

    def annotate(self, texts: Iterable[str], *, with_vectors: bool) -> Iterator[AnnotatedText]:
        """Yield the texts with their sentences, words and vectors, without a Spark job."""
        return self._local.annotate(texts, with_vectors=with_vectors)

    def pipeline(self, text_col: str, prefix: str = "") -> tuple[PipelineModel, AnnotatedColumns]:
        """Return a pipeline of DocumentAssembler, SentenceDetector, Tokenizer and this stage."""
        return _text_pipeline(self._stage, text_col, prefix)


class PipelineSource:
    """A fitted pipeline of DocumentAssembler, SentenceDetector, Tokenizer and AlbertEmbeddings.

    Raises
    ------
    ParamError
        If it has other stages in their place.
    """

    def __init__(self, pipeline: PipelineModel) -> None:
        from sparkalbert.ml import AlbertEmbeddings, LightPipeline
        from sparkalbert.ml.job.annotated_frame import AnnotatedColumns

        pipeline = pipeline.copy()  # later changes of Params must not reach one of the ways only
        pipeline.stages = [
            _pinned(stage) if isinstance(stage, AlbertEmbeddings) else stage for stage in pipeline.stages
        ]
        self._pipeline = pipeline
        self._columns = AnnotatedColumns.of(pipeline)
        self.text_cols = (self._columns.text, TEXT)
        names = [self._columns.document, self._columns.sentence, self._columns.token, self._columns.embeddings]
        last = [_output(stage) for stage in pipeline.stages].index(self._columns.embeddings)
        self._light = LightPipeline(pipeline, parse_embeddings=True, output_cols=names)
        self._without_vectors = LightPipeline(pipeline.stages[:last], output_cols=names[:-1])

    def annotate(self, texts: Iterable[str], *, with_vectors: bool) -> Iterator[AnnotatedText]:
        """Yield the texts with their sentences, words and vectors, without a Spark job."""
        light = self._light if with_vectors else self._without_vectors
        remaining = iter(texts)
        while batch := list(islice(remaining, _BATCH_TEXTS)):
            for found in light.fullAnnotate(batch):
                yield self._annotated(found)

    def pipeline(self, text_col: str, prefix: str = "") -> tuple[PipelineModel, AnnotatedColumns]:  # noqa: ARG002
        """Return the pipeline; its columns have the names that it gives them."""
        return self._pipeline, self._columns

    def _annotated(self, found: dict[str, list[Any]]) -> AnnotatedText:
        sentence, token = found[self._columns.sentence], found[self._columns.token]
        words = found.get(self._columns.embeddings, [])
        return _aligned(
            [document.result for document in found[self._columns.document]],
            _spans(sentence),
            _spans(token),
            [int(annotation.metadata["sentence"]) for annotation in token],
            _Words(
                [annotation.begin for annotation in words],
                [annotation.end for annotation in words],
                [int(annotation.metadata["sentence"]) for annotation in words],
                [int(annotation.metadata["pieceId"]) for annotation in words],
                [annotation.embeddings for annotation in words],
            ),
        )


def annotated_rows(computed: pd.DataFrame) -> Iterator[AnnotatedText]:
    """Yield the texts of rows that :func:`.annotated_frame.collect_annotated` returned."""
    for row in computed.to_dict("records"):
        cells = {name: [] if cell is None else list(cell) for name, cell in row.items()}
        part = {level: Spans(cells[f"{level}_begin"], cells[f"{level}_end"], cells[level]) for level in _PARTS}
        words = _Words(*(cells.get(name, []) for name in _WORDS))
        yield _aligned(cells["document"], part["sentence"], part["token"], cells["token_sentence"], words)


_PARTS = ("sentence", "token")
_WORDS = ("vector_begin", "vector_end", "vector_sentence", "piece", "vector")


class _Words:
    """The annotations with vectors, field by field."""

    def __init__(
        self,
        begin: Sequence[int],
        end: Sequence[int],
        sentence: Sequence[int],
        piece: Sequence[int],
        vector: Sequence[Any],
    ) -> None:
        self.place = list(zip(begin, end, strict=True))
        self.sentence = np.array(sentence, dtype=np.int64)
        self.piece = np.array(piece, dtype=np.int64)
        self.vector = np.stack([np.asarray(row, dtype=np.float32) for row in vector]) if vector else None


def _aligned(
    document: Sequence[str], sentences: Spans, tokens: Spans, token_sentence: Sequence[int], words: _Words
) -> AnnotatedText:
    """Return a text with each vector beside its own token, even where Spark NLP leaves out tokens."""
    text = document[0] if document else ""
    sentence: Int64Array = np.array(token_sentence, dtype=np.int64)
    has_vector: BoolArray = np.zeros(len(tokens), dtype=bool)
    member = 0
    for index, place in enumerate(zip(tokens.begin, tokens.end, strict=True)):
        if member < len(words.place) and words.place[member] == place:
            has_vector[index] = True
            member += 1
    dimension = 0 if words.vector is None else words.vector.shape[1]
    vectors: Float32Array = np.zeros((len(tokens), dimension), dtype=np.float32)
    piece: Int64Array = np.full(len(tokens), NO_PIECE)
    if words.vector is not None:
        vectors[has_vector], piece[has_vector], sentence[has_vector] = words.vector, words.piece, words.sentence
    whole = Spans([0], [utf16_length(text) - 1 if text else -1], [text])
    return AnnotatedText(whole, sentences, tokens, sentence, piece, vectors, has_vector)


def _spans(annotations: Sequence[Any]) -> Spans:
    begin, end = ([getattr(annotation, name) for annotation in annotations] for name in ("begin", "end"))
    return Spans(begin, end, [annotation.result for annotation in annotations])


def _pinned(stage: AlbertEmbeddings) -> AlbertEmbeddings:
    """Return a copy that runs its present model in every way, and refuses another one in the same folder."""
    return stage.copy().setModelDigest(stage.getModelDigest())


def _text_pipeline(stage: Any, text_col: str, prefix: str) -> tuple[PipelineModel, AnnotatedColumns]:
    from sparkalbert.ml import LightPipeline
    from sparkalbert.ml.job.annotated_frame import AnnotatedColumns
    from sparkalbert.ml.job.text_pipeline import text_pipeline

    pipeline = LightPipeline(text_pipeline(stage, text_col, prefix)).pipeline_model
    return pipeline, AnnotatedColumns.of(pipeline)


def _output(stage: Any) -> str | None:
    return stage.getOutputCol() if hasattr(stage, "getOutputCol") else None
