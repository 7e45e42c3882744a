"""The package as one zip file, as ``spark-submit --py-files`` sends it: its own model works on driver and workers."""

import json
import zipfile
from pathlib import Path

import numpy as np

import sparkalbert
from sparkalbert import WordEmbedder
from tests.child_processes import own_spark_environment, run_python

JOB = """
import json, sys
import sparkalbert
from pyspark.sql import functions as F
from sparkalbert.ml import AlbertEmbeddings, start
from sparkalbert.models import embedded_models

spark = start(master="local[1]", params={"spark.ui.enabled": "false"})
spark.sparkContext.addPyFile(sys.argv[1])

@F.udf("string")
def place(_):
    import sparkalbert
    return sparkalbert.__file__

frame = spark.createDataFrame([(["the", "old", "lighthouse"],)], "tokens array<string>")
worker = frame.select(place("tokens")).first()[0]
shown = {"driver": sparkalbert.__file__, "worker": worker, "models": embedded_models()}
for how in ("path", "file"):
    stage = AlbertEmbeddings.pretrained("albert_mini_en").setInputCols(["tokens"]).setOutputCol("v")
    shown[how] = stage.setModelDistribution(how).transform(frame).first().v
print(json.dumps(shown))
"""


def test_the_packages_own_model_is_found_in_a_zip(tmp_path):
    package, path = Path(sparkalbert.__file__).parent, tmp_path / "sparkalbert.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in package.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(package.parent))
    environment = {**own_spark_environment(), "PYTHONPATH": str(path), "SPARKALBERT_HOME": str(tmp_path / "home")}
    done = run_python(JOB, str(path), cwd=tmp_path, env=environment)
    shown = json.loads(done.stdout)
    assert shown["driver"].startswith(str(path))
    assert ".zip/" in shown["worker"]
    assert shown["models"] == ["albert_mini_en"]
    (words,) = WordEmbedder.load("albert_mini_en").embed_tokens([["the", "old", "lighthouse"]])
    for how in ("path", "file"):
        np.testing.assert_array_equal(np.array(shown[how], dtype=np.float32), words.vectors)
