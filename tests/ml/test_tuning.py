"""Spark's own searches around the stages: CrossValidator, TrainValidationSplit and OneVsRest, saved and loaded."""

import numpy as np
import pytest
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression, OneVsRest
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.feature import SQLTransformer
from pyspark.ml.tuning import (
    CrossValidator,
    CrossValidatorModel,
    ParamGridBuilder,
    TrainValidationSplit,
    TrainValidationSplitModel,
)

from sparkalbert import WordEmbedder
from sparkalbert.ml import (
    AlbertEmbeddings,
    DocumentAssembler,
    EmbeddingsFinisher,
    SentenceEmbeddings,
    Tokenizer,
)
from tests import tiny_bundle

# pyspark leaves its thread pools to the garbage collector, which warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TEXTS = [
    ("The river was high after the rain.", 0.0),
    ("Nobody could cross the river.", 0.0),
    ("The rivers of the north are long.", 0.0),
    ("Rain fell on the river all night.", 0.0),
    ("The bank refused the loan.", 1.0),
    ("She paid the loan at the bank.", 1.0),
    ("A bank lends money to people.", 1.0),
    ("The money lay in the bank.", 1.0),
]


@pytest.fixture(scope="module")
def texts(spark):
    return spark.createDataFrame(TEXTS, "text string, label double").coalesce(1).cache()


@pytest.fixture
def embeddings():
    return AlbertEmbeddings(
        model=str(tiny_bundle.bundle().path), inputCols=["document", "token"], outputCol="embeddings"
    )


def featured(embeddings):
    """The stages from the text to a vector in the column features."""
    return [
        DocumentAssembler(inputCol="text", outputCol="document"),
        Tokenizer(inputCols=["document"], outputCol="token"),
        embeddings,
        SentenceEmbeddings(inputCols=["document", "embeddings"], outputCol="mean"),
        EmbeddingsFinisher(inputCols=["mean"], outputCols=["vectors"], outputAsVector=True),
        SQLTransformer(statement="SELECT text, label, vectors[0] AS features FROM __THIS__"),
    ]


def means(model, **options):
    """The features of all texts, computed without Spark."""
    with WordEmbedder.load(model, **options) as embedder:
        return np.array([words.vectors.mean(axis=0) for words in embedder.embed([text for text, _ in TEXTS])])


def features(transformed):
    rows = {row["text"]: row["features"].toArray() for row in transformed.select("text", "features").collect()}
    return np.array([rows[text] for text, _ in TEXTS])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [CrossValidator, TrainValidationSplit])
def test_a_search_over_params_of_the_embeddings(texts, embeddings, tmp_path, kind):
    other = str(tiny_bundle.bundle("int8").path)
    classifier = LogisticRegression(maxIter=5)
    grid = [
        {embeddings.pooling: "first", embeddings.layers: [-1], embeddings.model: embeddings.getModel()},
        {embeddings.pooling: "mean", embeddings.layers: [-1], embeddings.model: embeddings.getModel()},
        {embeddings.pooling: "first", embeddings.layers: [0, -1], embeddings.model: embeddings.getModel()},
        {embeddings.pooling: "first", embeddings.layers: [-1], embeddings.model: other},
    ]
    search = kind(
        estimator=Pipeline(stages=[*featured(embeddings), classifier]),
        estimatorParamMaps=grid,
        evaluator=MulticlassClassificationEvaluator(metricName="logLoss"),
        parallelism=2,
        seed=1,
        collectSubModels=True,
    )
    found = search.fit(texts)
    metrics = found.avgMetrics if kind is CrossValidator else found.validationMetrics
    assert len(set(metrics)) == len(grid), "each setting has vectors of its own"
    best = grid[int(np.argmin(metrics))]
    stage = found.bestModel.stages[2]
    assert [stage.getOrDefault(param.name) for param in best] == list(best.values())
    sub_models = found.subModels[0] if kind is CrossValidator else found.subModels
    for params, model in zip(grid, sub_models, strict=True):
        expected = means(params[embeddings.model], layers=params[embeddings.layers], pooling=params[embeddings.pooling])
        assert np.abs(features(model.transform(texts)) - expected).max() < 1e-6

    found.write().overwrite().save(str(tmp_path / "found"))
    loaded = (CrossValidatorModel if kind is CrossValidator else TrainValidationSplitModel).load(
        str(tmp_path / "found")
    )
    assert np.array_equal(features(loaded.transform(texts)), features(found.transform(texts)))
    search.write().overwrite().save(str(tmp_path / "search"))
    again = kind.load(str(tmp_path / "search"))
    saved = [{param.name: value for param, value in params.items()} for params in again.getEstimatorParamMaps()]
    assert saved == [{param.name: value for param, value in params.items()} for params in grid]


def test_a_grid_of_one_param(embeddings):
    grid = ParamGridBuilder().addGrid(embeddings.pooling, ["first", "mean"]).addGrid(embeddings.layers, [[-1]]).build()
    assert [embeddings.copy(params).getPooling() for params in grid] == ["first", "mean"]


def test_one_vs_rest_is_a_stage_after_the_embeddings(texts, embeddings, tmp_path):
    pipeline = Pipeline(stages=[*featured(embeddings), OneVsRest(classifier=LogisticRegression(maxIter=5))])
    fitted = pipeline.fit(texts)
    predicted = [row["prediction"] for row in fitted.transform(texts).collect()]
    assert sorted(set(predicted)) == [0.0, 1.0]
    fitted.save(str(tmp_path / "fitted"))
    loaded = type(fitted).load(str(tmp_path / "fitted"))
    assert [row["prediction"] for row in loaded.transform(texts).collect()] == predicted
