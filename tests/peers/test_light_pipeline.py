"""LightPipeline of the two: the same annotations of the same strings, and the same vectors."""

from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest
from pyspark.ml import Pipeline

from tests.peers import random_texts
from tests.peers.compare import TOLERANCE, annotators, assert_same_rows, assert_same_schema, plain

SEED = 11
TEXTS = [
    "He said 🙂 no. Mr. Wu (a café owner) didn't!",
    "",
    *random_texts.texts(12, SEED),
    *random_texts.prose(6, SEED),
]


@pytest.fixture(scope="module")
def models(spark, theirs, ours, model_folder):
    def fitted(home):
        albert = home.AlbertEmbeddings.loadSavedModel(model_folder, spark).setInputCols("sentence", "token")
        if home is ours:
            albert.setCompatibility("spark-nlp")
        stages = [*annotators(home), albert.setOutputCol("embeddings").setBatchSize(1)]
        stages[-1].setDimension(32).setStorageRef("tiny")
        return Pipeline(stages=stages).fit(spark.createDataFrame([("",)], "text string"))

    return SimpleNamespace(theirs=fitted(theirs), ours=fitted(ours))


@pytest.fixture
def both(theirs, ours, models):
    """LightPipelines of ours and theirs with the same arguments."""

    def make(**arguments):
        return [
            home.LightPipeline(model, **arguments) for home, model in [(ours, models.ours), (theirs, models.theirs)]
        ]

    return make


def test_annotate(both):
    found, expected = both()
    assert found.annotate(TEXTS) == expected.annotate(TEXTS)
    assert found.annotate(TEXTS[0]) == expected.annotate(TEXTS[0])


def test_full_annotate(both):
    found, expected = both()
    for texts in (TEXTS, TEXTS[0]):
        for row, other in zip(found.fullAnnotate(texts), expected.fullAnnotate(texts), strict=True):
            assert list(row) == list(other)
            assert {name: plain(row[name]) for name in row} == {name: plain(other[name]) for name in other}
            assert all(len(one.embeddings) == 0 for one in chain(row["embeddings"], other["embeddings"]))


def test_vectors_where_asked(both):
    found, expected = both(parse_embeddings=True)
    for row, other in zip(found.fullAnnotate(TEXTS), expected.fullAnnotate(TEXTS), strict=True):
        for one, its in zip(row["embeddings"], other["embeddings"], strict=True):
            np.testing.assert_allclose(one.embeddings, its.embeddings, rtol=0, atol=TOLERANCE)
    for row, other in zip(found.annotate(TEXTS), expected.annotate(TEXTS), strict=True):
        for one, its in zip(row["embeddings"], other["embeddings"], strict=True):
            vector, its_vector = (np.array(written.split(), dtype=float) for written in (one, its))
            np.testing.assert_allclose(vector, its_vector, rtol=0, atol=TOLERANCE)


def test_transform(both, spark):
    frame = spark.createDataFrame([(TEXTS[0],)], "text string")
    found, expected = (light.transform(frame) for light in both())
    assert_same_schema(found, expected)
    assert_same_rows(found.collect(), expected.collect())
