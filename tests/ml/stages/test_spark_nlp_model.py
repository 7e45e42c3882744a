"""Models that Spark NLP saved, as stages: folders written by hand, as the real one writes them."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import sparkalbert
from sparkalbert.convert import export_spark_nlp
from sparkalbert.errors import CheckpointError, ModelNotFoundError, ParamError
from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.models import find_model
from tests import tiny_bundle

CLASS = "com.johnsnowlabs.nlp.embeddings.AlbertEmbeddings"
UID = "ALBERT_EMBEDDINGS_898eeb400ce5"
PARAMS = {
    "outputCol": "embeddings",
    "storageRef": "mine",
    "inputCols": ["sentence", "token"],
    "engine": "onnx",
    "maxSentenceLength": 64,
    "caseSensitive": True,
    "batchSize": 4,
    "dimension": 768,
    "signatures": {"of": "TensorFlow"},
}
DEFAULTS = {
    "lazyAnnotator": False,
    "storageRef": UID,
    "engine": "tensorflow",
    "maxSentenceLength": 128,
    "caseSensitive": False,
    "batchSize": 8,
    "dimension": 768,
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))


def save(folder: Path, params=PARAMS, class_name=CLASS) -> str:
    """What ``AlbertEmbeddings.write().save()`` of Spark NLP writes."""
    source = export_spark_nlp(tiny_bundle.checkpoint(), folder.with_name("export"))
    (folder / "metadata").mkdir(parents=True)
    metadata = {
        "class": class_name,
        "timestamp": 1795634232436,
        "sparkVersion": "3.5.6",
        "uid": UID,
        "paramMap": params,
        "defaultParamMap": DEFAULTS,
    }
    (folder / "metadata" / "part-00000").write_text(json.dumps(metadata) + "\n")
    (folder / "metadata" / "_SUCCESS").touch()
    with zipfile.ZipFile(folder / "albert_onnx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source / "model.onnx", "model.onnx")
    shutil.copyfile(source / "assets" / "spiece.model", folder / "albert_spp")
    shutil.rmtree(source)
    return str(folder)


@pytest.mark.parametrize("load", ["load", "loadSavedModel"])
def test_params_and_uid_are_taken_over(any_spark, tmp_path, load):
    stage = getattr(AlbertEmbeddings, load)(save(tmp_path / "saved"))
    assert stage.uid == UID
    assert (stage.getInputCols(), stage.getOutputCol()) == (["sentence", "token"], "embeddings")
    assert (stage.getMaxSentenceLength(), stage.getCaseSensitive(), stage.getBatchSize()) == (64, True, 4)
    assert (stage.getStorageRef(), stage.getEngine()) == ("mine", "onnx")
    assert stage.getDimension() == 32  # the model's, whatever the metadata contain


def test_what_was_not_set_keeps_our_defaults(spark, tmp_path):
    stage = AlbertEmbeddings.load(save(tmp_path / "saved", {"engine": "onnx"}))
    assert stage.getStorageRef() == UID
    assert not stage.isSet("batchSize")
    assert not stage.isSet("inputCols")


def test_it_gives_the_vectors_of_its_checkpoint_and_is_saved_as_ours(spark, tmp_path):
    frame = spark.createDataFrame([(["the", "old", "man"],)], "tokens array<string>")
    expected = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["tokens"], outputCol="v")
    expected = np.array(expected.transform(frame).first().v)
    stage = AlbertEmbeddings.loadSavedModel(f"file://{save(tmp_path / 'saved')}")
    stage.setInputCols(["tokens"]).setOutputCol("v")
    np.testing.assert_array_equal(np.array(stage.transform(frame).first().v), expected)
    stage.setPersistModel("value").write().save(str(tmp_path / "ours"))
    again = AlbertEmbeddings.load(str(tmp_path / "ours"))
    assert (again.uid, again.getStorageRef()) == (UID, "mine")
    np.testing.assert_array_equal(np.array(again.transform(frame).first().v), expected)


@pytest.mark.parametrize("case_sensitive", [True, False])
def test_the_texts_of_a_case_sensitive_model_keep_their_case(spark, tmp_path, case_sensitive):
    params = {**PARAMS, "caseSensitive": case_sensitive}
    stage = AlbertEmbeddings.loadSavedModel(save(tmp_path / "saved", params))
    stage.setInputCols(["tokens"]).setOutputCol("v")
    frame = spark.createDataFrame([(["The"],), (["the"],), (["café"],), (["cafe"],)], "tokens array<string>")
    upper, lower, accent, plain = (row.v for row in stage.transform(frame).collect())
    assert (upper == lower, accent == plain) == (not case_sensitive, not case_sensitive)


def test_options_can_be_given_and_are_saved_with_the_stage(spark, tmp_path):
    folder = save(tmp_path / "saved", {"engine": "onnx"})
    stage = AlbertEmbeddings.loadSavedModel(folder, do_lower_case=False, keep_accents=True, remove_space=True)
    assert (stage.getDoLowerCase(), stage.getKeepAccents(), stage.getRemoveSpace()) == (False, True, True)
    assert stage.getModelDigest() != AlbertEmbeddings.loadSavedModel(folder).getModelDigest()
    same = AlbertEmbeddings.pretrained(folder, do_lower_case=False, keep_accents=True)
    assert same.getModelDigest() == stage.getModelDigest()
    assert not same.isSet("removeSpace")
    same.setInputCols(["tokens"]).setOutputCol("v").write().save(str(tmp_path / "ours"))
    again = AlbertEmbeddings.load(str(tmp_path / "ours"))
    assert (again.getDoLowerCase(), again.getModelDigest()) == (False, same.getModelDigest())


@pytest.mark.usefixtures("spark")
def test_predict_uses_the_options_of_its_conversion_and_its_params(tmp_path):
    def vectors(model, **chosen):
        found = sparkalbert.load(model, **chosen).predict("Café: the old man walked to the river.")
        return np.stack(found["word_embedding_from_disk"])

    folder = save(tmp_path / "saved", {"engine": "onnx", "maxSentenceLength": 6})
    options = {"do_lower_case": False, "keep_accents": True}
    found = vectors(folder, **options)
    with_options = find_model(folder, **options).path
    np.testing.assert_array_equal(found, vectors(with_options, max_sentence_length=6))
    assert not np.array_equal(found, vectors(with_options))
    assert not np.array_equal(found, vectors(folder))
    with pytest.raises(ParamError, match=r"precision is 'int8', but the bundle .* is 'fp32'"):
        sparkalbert.load(folder, precision="int8")


def test_a_model_that_is_not_on_this_machine_names_the_way(spark, tmp_path):
    metadata = json.loads((Path(save(tmp_path / "saved")) / "metadata" / "part-00000").read_text())
    with pytest.raises(ModelNotFoundError, match=r"hdfs://.* use AlbertEmbeddings\.loadSavedModel"):
        AlbertEmbeddings._from_metadata(metadata, spark, "hdfs://host/saved")
    with pytest.raises(ModelNotFoundError, match="a folder on the driver's file system"):
        AlbertEmbeddings.loadSavedModel("hdfs://host/saved")


def test_other_stages_and_damaged_metadata_are_refused(spark, tmp_path):
    other = save(tmp_path / "other", class_name="com.johnsnowlabs.nlp.embeddings.BertEmbeddings")
    with pytest.raises(CheckpointError, match="contains Spark NLP's BertEmbeddings, expected AlbertEmbeddings"):
        AlbertEmbeddings.loadSavedModel(other)
    with pytest.raises(CheckpointError, match="contains Spark NLP's BertEmbeddings"):
        AlbertEmbeddings.load(other)
    part = Path(other) / "metadata" / "part-00000"
    for content in ("", "[]", '{"class": "com.johnsnowlabs.X"}', "no json"):
        part.write_text(content)
        with pytest.raises(CheckpointError, match="is not the metadata of a saved stage"):
            AlbertEmbeddings.loadSavedModel(other)
    bad = save(tmp_path / "bad", {"maxSentenceLength": 2})
    with pytest.raises(ParamError, match="maxSentenceLength is 2"):
        AlbertEmbeddings.loadSavedModel(bad)
