"""What is counted of each row beside its vectors, by hand and however the rows are cut."""

import numpy as np
import pyarrow as pa
import pytest

from sparkalbert.inference import EmbedderOptions, VectorOptions, VectorSizes
from sparkalbert.ml.worker.embedding_tasks import AnnotationTask, MeanVectorTask
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel
from sparkalbert.ml.worker.row_counts import COUNTS
from tests import tiny_bundle

DIMENSION = 32
CAPACITY = 3
TEXTS = [["the a", "lighthouse the a"], None, [], ["\u200b"], ["the", "a \u200b the"]]
"""The sentences of each row; a word is a token, "lighthouse" has two pieces and a zero-width space none."""

EXPECTED = {"tokens": [5, 0, 0, 1, 4], "windows": [3, 0, 0, 0, 2], "pieceless_tokens": [0, 0, 0, 1, 1]}
AS_SPARK_NLP = {"tokens": [5, 0, 0, 0, 3], "windows": [2, 0, 0, 0, 2], "pieceless_tokens": [0, 0, 0, 0, 0]}
"""A sentence ends after `CAPACITY` tokens and pieces, but the token at the place of [SEP] counts."""


def model(vectors_per_part=100):
    size = vectors_per_part * 4 * DIMENSION
    options = EmbedderOptions(encoding="token", vectors=VectorOptions(max_sentence_length=CAPACITY + 2))
    return WorkerModel(ModelHandle.in_place(tiny_bundle.bundle()), options, 1, VectorSizes(size, size))


def batch():
    """The columns of `TEXTS`: begin, end, result and sentence of the sentences, then of the tokens."""
    sentences, tokens = [], []
    for row in TEXTS:
        begin, both = 0, ([], [])
        for number, text in enumerate(row or ()):
            both[0].append((begin, begin + len(text) - 1, text, str(number)))
            for word in text.split(" "):
                both[1].append((begin, begin + len(word) - 1, word, str(number)))
                begin += len(word) + 1
        sentences.append(None if row is None else both[0])
        tokens.append(None if row is None else both[1])
    kinds = [pa.int32(), pa.int32(), pa.string(), pa.string()]
    return tuple(
        pa.array([None if row is None else [item[place] for item in row] for row in rows], pa.list_(kind))
        for rows in (sentences, tokens)
        for place, kind in enumerate(kinds)
    )


def tasks(source, **options):
    return {
        "annotations": AnnotationTask(source, **options),
        "binary": AnnotationTask(source, binary="binary", **options),
        "sentence": MeanVectorTask(source, of_sentences=True, **options),
        "document": MeanVectorTask(source, of_sentences=False, **options),
    }


@pytest.mark.parametrize("name", ["annotations", "binary", "sentence", "document"])
@pytest.mark.parametrize(("as_spark_nlp", "expected"), [(False, EXPECTED), (True, AS_SPARK_NLP)])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_each_row_is_counted_and_its_vectors_are_the_same(name, as_spark_nlp, expected, size):
    plain = list(tasks(model(size), as_spark_nlp=as_spark_nlp)[name](iter([batch()])))
    parts = list(tasks(model(size), as_spark_nlp=as_spark_nlp, counted=True)[name](iter([batch()])))
    values, *counts = pa.chunked_array(parts).combine_chunks().flatten()
    assert values.equals(pa.chunked_array(plain).combine_chunks())
    assert {count: column.to_pylist() for count, column in zip(COUNTS, counts, strict=True)} == expected


def test_windows_are_the_sequences_of_the_graph(monkeypatch):
    """Each piece of these words is needed, and no sentence is equal to another."""
    source = model()
    session = source.load().model.session
    computed, real = [], session.run_rows

    def counted(ids, mask, *rest):
        computed.append(len(ids))
        return real(ids, mask, *rest)

    monkeypatch.setattr(session, "run_rows", counted)
    (part,) = AnnotationTask(source, counted=True)(iter([batch()]))
    assert sum(computed) == np.sum(part.field("windows").to_numpy()) == sum(EXPECTED["windows"])
