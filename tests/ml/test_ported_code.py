"""A program for Spark NLP, run here with nothing but the package's name changed in its imports."""

import json

import pytest

PROGRAM = """
from sparknlp.base import *
from sparknlp.annotator import *

document = DocumentAssembler().setInputCol("text").setOutputCol("document")
sentence = SentenceDetector().setInputCols("document").setOutputCol("sentence")
token = Tokenizer().setInputCols("sentence").setOutputCol("token")
albert = AlbertEmbeddings.loadSavedModel(folder, spark)
embeddings = albert.setInputCols("sentence", "token").setOutputCol("embeddings")
finisher = EmbeddingsFinisher().setInputCols("embeddings").setOutputCols("vectors").setOutputAsVector(True)

pipeline = Pipeline().setStages([document, sentence, token, embeddings, finisher])
pipeline.fit(frame).write().overwrite().save(path)
rows = PipelineModel.load(path).transform(frame).collect()
"""


@pytest.fixture
def recorded(recorded_texts):
    """Real texts of every kind."""
    real = [row for name, row in recorded_texts.items() if not name.startswith(("fuzz", "random", "tricky"))]
    return real[:: max(1, len(real) // 20)]


def test_the_recorded_annotations_come_out(spark, recorded_import_folder, recorded, tmp_path):
    assert len(recorded) >= 10
    names = {
        "spark": spark,
        "folder": str(recorded_import_folder),
        "frame": spark.createDataFrame([(row["text"],) for row in recorded], "text string").coalesce(1),
        "path": f"{tmp_path}/pipeline",
    }
    exec(PROGRAM.replace("sparknlp.", "sparkalbert."), names)  # noqa: S102 - star imports need a module of their own
    for row, expected in zip(names["rows"], recorded, strict=True):
        for column in ("document", "sentence", "token"):
            found = [[a.begin, a.end, a.result] for a in row[column]]
            assert found == [annotation[:3] for annotation in expected[column]], json.dumps(row.text)
        found = [[a.begin, a.end, a.result, a.metadata["sentence"]] for a in row.embeddings]
        assert found == [annotation[:4] for annotation in expected["embeddings"]]
        assert [len(vector) for vector in row.vectors] == [32] * len(found)
