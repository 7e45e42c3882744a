"""A model written by one of the two is read by the other, and both then give the same rows."""

import shutil

import numpy as np
import pytest
from pyspark.ml import Pipeline

from sparkalbert.convert import convert_checkpoint, export_spark_nlp
from sparkalbert.ml import AlbertEmbeddings
from tests import tiny_checkpoint
from tests.peers.compare import TOLERANCE, annotators, assert_same_rows, assert_same_schema
from tests.peers.model_runs import rows_of_folder

TEXTS = [
    "I love NLP. Rare Hendrix song draft sells for almost $17,000.",
    "The lighthouse 🙂 (a café) didn't.\n\nNaïve 1996-08-21…",
    "a b c strawberriesque f g h i. a b lighthouses e f g h i j k",
    "the old man walked to the market every morning and bought bread, apples, and a newspaper",
    "\u200b x",
    "",
    None,
]


@pytest.fixture(scope="module")
def texts(spark):
    return spark.createDataFrame(list(enumerate(TEXTS)), "id int, text string").coalesce(1).cache()


def output(home, stage, texts):
    """A pipeline of one home's annotators and a model, in order of ``id``."""
    stage.setInputCols("sentence", "token").setOutputCol("embeddings").setBatchSize(1).setDimension(32)
    frame = Pipeline(stages=[*annotators(home), stage.setStorageRef("tiny")]).fit(texts).transform(texts)
    return frame.select("id", "text", "embeddings"), frame.orderBy("id").select("text", "embeddings").collect()


def assert_same_output(found, expected):
    assert_same_schema(found[0], expected[0])
    assert_same_rows(found[1], expected[1])


@pytest.mark.parametrize("longest", [128, 9, 8, 7, 3])
def test_rows_are_the_same_down_to_the_cut(spark, theirs, ours, model_folder, texts, longest):
    """Words beyond maxSentenceLength are left out; the one on [SEP]'s place gets that vector."""
    expected = output(
        theirs,
        theirs.AlbertEmbeddings.loadSavedModel(model_folder, spark).setMaxSentenceLength(longest),
        texts,
    )
    stage = AlbertEmbeddings.loadSavedModel(model_folder, spark).setMaxSentenceLength(longest)
    assert_same_output(output(ours, stage.setCompatibility("spark-nlp"), texts), expected)


FP16_TOLERANCE = 4e-3
"""The two versions of ONNX Runtime round float16 differently: four steps of a number between 1 and 2."""

MODELS = {
    "fp32": {},
    "int8": {"hidden_act": "relu", "num_hidden_layers": 4, "num_hidden_groups": 2},
    "fp16": {"hidden_act": "gelu"},
}


@pytest.fixture(scope="module", params=MODELS)
def converted(request, peer_folder, model_folder, tmp_path_factory):
    """A bundle, an import folder of the same checkpoint, and what theirs makes of the latter."""
    work = tmp_path_factory.mktemp(request.param)
    # The real vocabulary: theirs warms up with piece ids up to 2292.
    tiny_checkpoint.write(work / "checkpoint", vocab_size=30000, **MODELS[request.param])
    shutil.copyfile(f"{model_folder}/assets/spiece.model", work / "checkpoint" / "spiece.model")
    bundle = convert_checkpoint(work / "checkpoint", work / "bundle", precision=request.param)
    folder = export_spark_nlp(work / "checkpoint", work / "import", precision=request.param)
    return bundle.path, folder, rows_of_folder(folder, TEXTS)


def test_theirs_runs_what_we_convert_for_it(request, ours, texts, converted):
    *models, expected = converted
    tolerance = FP16_TOLERANCE if "fp16" in request.node.name else TOLERANCE
    for model in models:
        stage = AlbertEmbeddings.loadSavedModel(str(model)).setCompatibility("spark-nlp")
        for row, annotations in zip(output(ours, stage, texts)[1], expected, strict=True):
            said = [[one.begin, one.end, one.result, one.metadata] for one in row.embeddings]
            assert said == [one[:4] for one in annotations]
            vectors = np.array([one.embeddings for one in row.embeddings])
            np.testing.assert_allclose(vectors, np.array([one[4] for one in annotations]), rtol=0, atol=tolerance)


@pytest.mark.parametrize("load", ["load", "loadSavedModel"])
def test_a_model_that_theirs_saved_is_loaded_with_its_params(spark, theirs, ours, model_folder, texts, tmp_path, load):
    saved = (
        theirs.AlbertEmbeddings.loadSavedModel(model_folder, spark)
        .setMaxSentenceLength(9)
        .setCaseSensitive(True)
        .setInputCols("sentence", "token")
    )
    saved.write().overwrite().save(str(tmp_path / "saved"))
    stage = getattr(AlbertEmbeddings, load)(str(tmp_path / "saved"))
    assert stage.uid == saved.uid
    assert (stage.getMaxSentenceLength(), stage.getCaseSensitive(), stage.getDimension()) == (9, True, 32)
    assert (stage.getInputCols(), stage.getStorageRef()) == (["sentence", "token"], saved.uid)
    expected = output(theirs, theirs.AlbertEmbeddings.load(str(tmp_path / "saved")), texts)
    assert_same_output(output(ours, stage.setCompatibility("spark-nlp"), texts), expected)


def test_the_column_is_called_as_theirs_where_nothing_was_set(spark, theirs, ours, model_folder, texts, tmp_path):
    theirs.AlbertEmbeddings.loadSavedModel(model_folder, spark).setDimension(32).write().save(str(tmp_path / "saved"))
    columns = [
        Pipeline(stages=[*annotators(home), stage.setInputCols("sentence", "token").setOutputCol("e")])
        .fit(texts)
        .transform(texts)
        .schema["e"]
        for home, stage in (
            (theirs, theirs.AlbertEmbeddings.load(str(tmp_path / "saved"))),
            (ours, AlbertEmbeddings.load(str(tmp_path / "saved"))),
        )
    ]
    assert columns[0].metadata == columns[1].metadata


def test_a_saved_model_without_its_metadata_is_a_model_still(spark, theirs, model_folder, tmp_path):
    theirs.AlbertEmbeddings.loadSavedModel(model_folder, spark).write().save(str(tmp_path / "saved"))
    shutil.rmtree(tmp_path / "saved" / "metadata")
    stage = AlbertEmbeddings.loadSavedModel(str(tmp_path / "saved"))
    assert stage.getDimension() == 32
