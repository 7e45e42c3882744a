"""A program for Spark NLP runs with its import lines changed, and prints the same."""

from types import SimpleNamespace

import pytest
from pyspark.ml import PipelineModel

from tests.peers.compare import assert_same_rows, assert_same_schema

THEIRS = "from sparknlp.base import *\nfrom sparknlp.annotator import *\n"
OURS = "from sparkalbert.base import *\nfrom sparkalbert.annotator import *\n"
PROGRAM = """
from pyspark.ml import Pipeline

document = DocumentAssembler().setInputCol("text").setOutputCol("document")
sentence = SentenceDetector().setInputCols("document").setOutputCol("sentence")
token = Tokenizer().setInputCols("sentence").setOutputCol("token")
embeddings = AlbertEmbeddings.loadSavedModel(folder, spark)
embeddings.setInputCols("sentence", "token").setOutputCol("embeddings")
finisher = EmbeddingsFinisher().setInputCols("embeddings").setOutputCols("vectors").setOutputAsVector(True)

pipeline = Pipeline(stages=[document, sentence, token, embeddings, finisher])
pipeline.write().overwrite().save(path + "/pipeline")
model = Pipeline.load(path + "/pipeline").fit(data)
model.write().overwrite().save(path + "/model")
"""
# Words that begin with a piece of their own: the model sees the same whether they are encoded alone or in
# their sentence. Six pieces each: Spark NLP pads nothing then.
TEXTS = ["she sings in the big house", "I love the big red house", "the old man walked to market", ""]


def run(imports, spark, folder, data, path):
    names = {"spark": spark, "folder": folder, "data": data, "path": str(path)}
    exec(imports + PROGRAM, names)  # noqa: S102 - the program is the test's input
    return SimpleNamespace(path=f"{path}/model", stages=names["model"].stages)


@pytest.fixture(scope="module")
def data(spark):
    return spark.createDataFrame([(text,) for text in TEXTS], "text string").coalesce(1).cache()


def test_only_the_import_lines_differ(spark, model_folder, data, tmp_path):
    frames = []
    for name, imports in {"theirs": THEIRS, "ours": OURS}.items():
        saved = run(imports, spark, model_folder, data, tmp_path / name)
        assert {type(stage).__module__.partition(".")[0] for stage in saved.stages} == {imports[5:].partition(".")[0]}
        frames.append(PipelineModel.load(saved.path).transform(data))
    expected, found = frames
    assert_same_schema(without_origin(found), without_origin(expected))
    assert_same_rows(found.collect(), expected.collect())


def without_origin(frame):
    """Without what the program leaves to either: theirs says 768 and its uid, ours what the model says."""
    origin = frame.schema["embeddings"].metadata
    kept = {name: value for name, value in origin.items() if name not in {"dimension", "ref"}}
    assert origin.keys() - kept.keys() == {"dimension", "ref"}
    return frame.withMetadata("embeddings", kept)
