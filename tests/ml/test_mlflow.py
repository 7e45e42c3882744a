"""A pipeline in MLflow: logged, registered, and loaded in a process that has never seen it, with the same bits."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from pyspark.ml import Pipeline

from sparkalbert import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from tests import tiny_bundle
from tests.child_processes import run_python

mlflow = pytest.importorskip("mlflow", reason="MLflow is not in this environment")
from mlflow.models import ModelSignature  # noqa: E402
from mlflow.types.schema import Array, ColSpec, DataType, Schema  # noqa: E402

TEXTS = ["A lighthouse. It is old.", "", "Words 🙂 and words."]
SIGNATURE = ModelSignature(
    Schema([ColSpec(DataType.string, "text")]), Schema([ColSpec(Array(DataType.float), "prediction")])
)
REQUIREMENTS = [f"{name}=={version(name)}" for name in ("pyspark", "sparkalbert")]

# What another process does with the registered model: the vectors by Spark's loader and by the generic one.
LOADED = """
import json, sys
import mlflow, pandas as pd
from sparkalbert import start

mlflow.set_tracking_uri(sys.argv[1])
texts = json.loads(sys.argv[2])
spark = start(master="local[1]")
frame = spark.createDataFrame([(text,) for text in texts], "text string")
pipeline = mlflow.spark.load_model("models:/albert/1")
by_spark = [list(row.prediction) for row in pipeline.transform(frame).collect()]
generic = mlflow.pyfunc.load_model("models:/albert/1")
by_pandas = [list(map(float, vector)) for vector in generic.predict(pd.DataFrame({"text": texts}))]
print(json.dumps([by_spark, by_pandas]))
"""

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow and what it imports


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A tracking server's database and artifacts in a folder of their own."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_DFS_TMP", str(tmp_path / "dfs"))
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(None)


def pipeline_of(spark, persist_model):
    stages = [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(
            model=str(tiny_bundle.bundle().path),
            inputCols=["sentence", "token"],
            outputCol="prediction",
            outputLevel="document",
            persistModel=persist_model,
        ),
    ]
    frame = spark.createDataFrame([(text,) for text in TEXTS], "text string")
    return Pipeline(stages=stages).fit(frame), frame


def logged(pipeline):
    with mlflow.start_run():
        return mlflow.spark.log_model(
            pipeline,
            "albert",
            signature=SIGNATURE,
            pip_requirements=REQUIREMENTS,
            registered_model_name="albert",
        )


def vectors(rows):
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("persist_model", ["value", pytest.param("reference", marks=pytest.mark.slow)])
def test_a_fresh_process_loads_what_was_registered(spark, store, tmp_path, persist_model):
    pipeline, frame = pipeline_of(spark, persist_model)
    expected = vectors([row.prediction for row in pipeline.transform(frame).collect()])
    info = logged(pipeline)
    folder = Path(mlflow.artifacts.download_artifacts(info.model_uri, dst_path=str(tmp_path / "downloaded")))
    assert set((folder / "requirements.txt").read_text().split()) >= set(REQUIREMENTS)
    assert info.signature == SIGNATURE
    assert bool([*folder.rglob("*.onnx")]) == (persist_model == "value")
    done = run_python(LOADED, store, json.dumps(TEXTS))
    by_spark, by_pandas = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_array_equal(vectors(by_spark), expected)
    np.testing.assert_array_equal(vectors(by_pandas), expected)


@pytest.mark.slow
def test_the_model_is_a_udf(spark, store):
    pipeline, frame = pipeline_of(spark, "value")
    info = logged(pipeline)
    udf = mlflow.pyfunc.spark_udf(spark, info.model_uri, result_type="array<float>", env_manager="local")
    found = vectors([row.vector for row in frame.select(udf("text").alias("vector")).collect()])
    expected = vectors([row.prediction for row in pipeline.transform(frame).collect()])
    np.testing.assert_array_equal(found, expected)
