"""Saved stages: written as a whole or not at all, complete by themselves, and loaded by what they are."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from pyspark.ml import Pipeline, PipelineModel

from sparkalbert import WordEmbedder
from sparkalbert.errors import BundleError, InputError, OutputError
from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, NormalizerModel, Tokenizer, TokenizerModel, files
from sparkalbert.ml.files import HadoopFileSystem
from sparkalbert.ml.stages import persistence
from sparkalbert.storage.folders import LocalFileSystem
from tests import tiny_bundle, tiny_checkpoint

WORDS = ["the", "old", "lighthouse"]
OPTIONS = {"doLowerCase": "do_lower_case", "keepAccents": "keep_accents", "removeSpace": "remove_space"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache of this test's own, as on a machine that has seen no model yet."""
    return new_home(tmp_path, monkeypatch)


def new_home(tmp_path, monkeypatch):
    folder = Path(tempfile.mkdtemp(prefix="home-", dir=tmp_path))
    monkeypatch.setenv("SPARKALBERT_HOME", str(folder))
    return folder


@pytest.fixture
def model(tmp_path):
    """A model folder of this test's own."""
    return shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model")


def stage_of(model, **params):
    return AlbertEmbeddings(model=str(model), inputCols=["tokens"], outputCol="v", **params)


def word_frame(spark):
    return spark.createDataFrame([(WORDS,)], "tokens array<string>")


def expected_vectors():
    (words,) = WordEmbedder.load(tiny_bundle.bundle().path).embed_tokens([WORDS])
    return words.vectors


def assert_embeds(spark, transformer):
    row = transformer.transform(word_frame(spark)).first()
    np.testing.assert_array_equal(np.array(row.v, dtype=np.float32), expected_vectors())


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".crc")  # Hadoop's checksums
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_stage_holds_its_model_by_default(any_spark, tmp_path, model, home, monkeypatch):
    saved = tmp_path / "stage"
    stage_of(model).save(str(saved))
    assert contents(saved / "bundle") == contents(tiny_bundle.bundle().path)
    shutil.rmtree(model)
    new_home(tmp_path, monkeypatch)
    moved = saved.rename(tmp_path / "elsewhere")
    assert_embeds(any_spark, AlbertEmbeddings.load(str(moved)))


def test_a_stage_may_be_saved_over_itself(any_spark, tmp_path, model, home, monkeypatch):
    saved = tmp_path / "stage"
    stage_of(model).save(str(saved))
    shutil.rmtree(model)
    AlbertEmbeddings.load(str(saved)).setBatchSize(3).write().overwrite().save(str(saved))
    assert contents(saved / "bundle") == contents(tiny_bundle.bundle().path)
    new_home(tmp_path, monkeypatch)
    again = AlbertEmbeddings.load(str(saved))
    assert again.getBatchSize() == 3
    assert_embeds(any_spark, again)


def test_a_pipeline_may_be_saved_over_itself(any_spark, tmp_path, model, home, monkeypatch):
    """pyspark deletes the old folder before it writes the new one."""
    saved = tmp_path / "pipeline"
    PipelineModel([stage_of(model)]).write().overwrite().save(str(saved))
    shutil.rmtree(model)
    PipelineModel.load(str(saved)).write().overwrite().save(str(saved))
    new_home(tmp_path, monkeypatch)
    assert_embeds(any_spark, PipelineModel.load(str(saved)))


@pytest.mark.parametrize("param", ["doLowerCase", "keepAccents", "removeSpace"])
def test_a_reference_does_not_bind_a_stage_with_another_tokenizer(spark, tmp_path, home, param):
    checkpoint = tiny_bundle.checkpoint()
    stage_of(checkpoint, persistModel="reference").save(f"{tmp_path}/stage")
    loaded = AlbertEmbeddings.load(f"{tmp_path}/stage")
    before = loaded.getModelDigest()
    value = not tiny_bundle.bundle().manifest.tokenizer.options[OPTIONS[param]]
    changed = loaded.copy({loaded.getParam(param): value})
    assert changed.getModelDigest() == stage_of(checkpoint, **{param: value}).getModelDigest() != before
    changed.save(f"{tmp_path}/changed")
    again = AlbertEmbeddings.load(f"{tmp_path}/changed").setPersistModel("reference")
    assert again.getModelDigest() == changed.getModelDigest()


def test_a_reference_binds_a_stage_with_the_same_tokenizer(spark, tmp_path, home):
    checkpoint = shutil.copytree(tiny_bundle.checkpoint(), tmp_path / "checkpoint")
    stage_of(checkpoint, persistModel="reference", removeSpace=True).save(f"{tmp_path}/stage")
    tiny_checkpoint.write(checkpoint, seed=1)
    with pytest.raises(BundleError, match=r"is not the model that .* was saved with"):
        AlbertEmbeddings.load(f"{tmp_path}/stage").getModelDigest()


def test_overwriting_replaces_the_whole_folder(any_spark, tmp_path, model):
    saved = tmp_path / "stage"
    stage_of(model).save(str(saved))
    (saved / "left over").write_text("x")
    (saved / "metadata" / "part-99999").write_text("x")
    stage_of(model, persistModel="reference").write().overwrite().save(str(saved))
    assert [path.name for path in saved.iterdir()] == ["metadata"]
    assert not (saved / "metadata" / "part-99999").exists()
    assert_embeds(any_spark, AlbertEmbeddings.load(str(saved)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "stage"]


def test_an_existing_folder_is_refused_whatever_it_contains(any_spark, tmp_path):
    saved, foreign = tmp_path / "stage", tmp_path / "thesis"
    stage = Tokenizer(inputCols=["sentence"])
    stage.save(str(saved))
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("years of work")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"stage already exists\. Use write\(\)\.overwrite\(\)\.save\(path\)"):
        stage.save(str(saved))
    for writer in (stage.write(), stage.write().overwrite()):
        with pytest.raises(OutputError, match=r"thesis already exists\. Remove it first, or choose another folder"):
            writer.save(str(foreign))
    assert contents(tmp_path) == before
    (tmp_path / "empty").mkdir()
    stage.save(str(tmp_path / "empty"))
    assert Tokenizer.load(str(tmp_path / "empty")).uid == stage.uid


def test_a_failed_save_leaves_the_old_stage(any_spark, tmp_path, model):
    saved = tmp_path / "stage"
    stage = stage_of(model)
    stage.save(str(saved))
    before = contents(saved)
    weights = model / "model.onnx.data"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(BundleError, match=r"model\.onnx\.data has sha256"):
        stage.write().overwrite().save(str(saved))
    assert contents(saved) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "stage"]


def test_a_model_on_another_file_system_is_copied_to_the_cache_once(spark, tmp_path, model, home, far, monkeypatch):
    temporary, saved, url = tmp_path / "temporary", tmp_path / "far" / "stage", f"{far(spark)}/stage"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    stage_of(model).save(url)
    assert contents(saved / "bundle") == contents(tiny_bundle.bundle().path)
    shutil.rmtree(model)
    downloads = []
    download = HadoopFileSystem.download
    monkeypatch.setattr(HadoopFileSystem, "download", lambda *args: downloads.append(args) or download(*args))
    for _ in range(2):
        stage = AlbertEmbeddings.load(url)
        assert_embeds(spark, stage)
    assert len(downloads) == len(contents(saved / "bundle"))
    assert list(temporary.iterdir()) == []
    assert [path.name for path in (home / "bundles").iterdir()] == [f"saved-{tiny_bundle.bundle().digest[:16]}"]


def test_a_model_that_is_not_in_the_folder_is_named(any_spark, tmp_path, model, home, monkeypatch):
    saved = tmp_path / "stage"
    stage_of(model).save(str(saved))
    new_home(tmp_path, monkeypatch)
    (saved / "bundle" / "spiece.model").unlink()
    with pytest.raises(
        BundleError, match=r"stage/bundle cannot be read: it does not contain the model\. Copy the whole"
    ):
        AlbertEmbeddings.load(str(saved))
    shutil.rmtree(saved / "bundle")
    shutil.copytree(tiny_bundle.bundle("int8").path, saved / "bundle")
    with pytest.raises(BundleError, match=r"stage/bundle has digest .*, expected"):
        AlbertEmbeddings.load(str(saved))


def test_a_client_that_shares_no_files_saves_a_reference_only(connect_spark, tmp_path, far, model):
    url, folder = far(connect_spark), tmp_path / "far"
    path = f"{url}/stage"
    with pytest.raises(OutputError, match=f"cannot be saved to {path}: this Spark Connect client does not see"):
        stage_of(model).save(path)
    assert list(folder.iterdir()) == []
    reference = stage_of(model, persistModel="reference")
    reference.save(path)
    with pytest.raises(OutputError, match=r"already exists\. Use write\(\)\.overwrite"):
        reference.save(path)
    reference.setBatchSize(3).write().overwrite().save(path)
    stage = AlbertEmbeddings.load(path)
    assert stage.getBatchSize() == 3
    assert_embeds(connect_spark, stage)
    for file in ("metadata/thesis/chapter.txt", "pipeline/metadata/part-00000", "pipeline/stages/0/metadata/part-0"):
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text("years of work")
    for name in ("metadata/thesis", "pipeline"):
        for writer in (reference.write(), reference.write().overwrite()):
            with pytest.raises(OutputError, match=f"{name} already exists\\. Choose another folder"):
                writer.save(f"{url}/{name}")


def test_a_client_on_another_machine_is_refused_before_anything_is_written(connect_spark, tmp_path, model, monkeypatch):
    monkeypatch.setattr(files, "shares_files", lambda *_: False)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="Save to a path that client and server share, or set persistModel"):
        stage_of(model).save(str(tmp_path / "stage"))
    assert contents(tmp_path) == before


def test_a_client_cannot_read_a_model_that_only_the_server_sees(connect_spark, tmp_path, far, model, home, monkeypatch):
    url = f"{far(connect_spark)}/stage"
    stage_of(model).save(str(tmp_path / "far" / "stage"))
    new_home(tmp_path, monkeypatch)
    with pytest.raises(BundleError, match=f"This Spark Connect client cannot read the model saved in {url}"):
        AlbertEmbeddings.load(url)


def test_relative_paths_are_those_of_the_client(connect_spark, tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage_of("model").save("stage")
    assert sorted(path.name for path in (tmp_path / "stage").iterdir()) == ["bundle", "metadata"]
    assert_embeds(connect_spark, AlbertEmbeddings.load("stage"))
    stage_of("model", persistModel="reference").write().overwrite().save("stage")
    monkeypatch.chdir("/")
    assert_embeds(connect_spark, AlbertEmbeddings.load(str(tmp_path / "stage")))


@pytest.mark.parametrize("name", ["%41", "a b", "a+b", "[a]"])
def test_a_file_uri_means_one_folder(any_spark, tmp_path, model, home, name):
    for prefix in ("file:", "file://"):
        path = f"{prefix}{tmp_path}/{name}"
        stage_of(f"file:{model}").write().overwrite().save(path)
        assert sorted(part.name for part in (tmp_path / name).iterdir()) == ["bundle", "metadata"]
        assert AlbertEmbeddings.load(path).getModelDigest() == tiny_bundle.bundle().digest


@pytest.mark.parametrize("kind", ["bundle", "checkpoint"])
def test_a_model_folder_is_loaded_too(any_spark, tmp_path, kind, home):
    source = tiny_bundle.bundle().path if kind == "bundle" else tiny_bundle.checkpoint()
    for path in (str(source), f"file://{source}/"):
        stage = AlbertEmbeddings.load(path).setInputCols(["tokens"]).setOutputCol("v")
        assert_embeds(any_spark, stage)


@pytest.mark.parametrize("name", ["albert_base_uncased", "/no/such/folder", "nosuchscheme://host/stage"])
def test_what_is_neither_says_what_to_call(any_spark, name):
    with pytest.raises(InputError) as raised:
        AlbertEmbeddings.load(name)
    assert re.match(rf"There is no saved AlbertEmbeddings in (file:/.*/)?{re.escape(name)}: ", str(raised.value))
    assert "for a model's name use pretrained(name)" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_stage_is_named(any_spark, tmp_path):
    Tokenizer(inputCols=["sentence"]).save(f"{tmp_path}/tokenizer")
    with pytest.raises(
        InputError, match=r"is a sparkalbert\.ml\.stages\.tokenizer\.Tokenizer\. .* not with sparkalbert\.TokenizerMod"
    ):
        TokenizerModel.load(f"{tmp_path}/tokenizer")
    Pipeline(stages=[DocumentAssembler(inputCol="text")]).save(f"{tmp_path}/pipeline")
    with pytest.raises(InputError, match=r"is a pyspark\.ml\.pipeline\.Pipeline\. Load it with that class"):
        AlbertEmbeddings.load(f"{tmp_path}/pipeline")


class OwnTokenizer(Tokenizer):
    """A class of a user's own."""


def metadata_of(class_name):
    return {
        "class": class_name,
        "uid": "saved",
        "sparkVersion": "3.5.6",
        "paramMap": {"inputCols": ["x"]},
        "defaultParamMap": {},
    }


@pytest.mark.parametrize(
    ("stage_class", "found", "message"),
    [
        (TokenizerModel, "com.johnsnowlabs.nlp.annotators.TokenizerModel", r"Spark NLP's {}\. .* build any other"),
        (NormalizerModel, "com.johnsnowlabs.nlp.annotators.NormalizerModel", r"Spark NLP's {}\. .* build any other"),
        (DocumentAssembler, "com.johnsnowlabs.nlp.SentenceDetector", r"Spark NLP's {}\. .* build any other"),
        (Tokenizer, "org.apache.spark.ml.feature.Tokenizer", r"a {}\. Load it .*, not with sparkalbert\.Tokenizer"),
        (OwnTokenizer, "sparkalbert.ml.stages.tokenizer.Tokenizer", r"a {}\. .*, not with tests\.OwnTokenizer"),
    ],
)
def test_a_stage_of_another_package_is_refused_by_name(stage_class, found, message):
    """Spark NLP keeps rules and dictionaries beside the Params, which have our names: it would load without them."""
    with pytest.raises(InputError, match=f"^The stage saved in /saved is {message.format(re.escape(found))}"):
        stage_class._from_metadata(metadata_of(found), None, "/saved")


def test_modules_may_move_within_a_package():
    for stage_class, found in ((Tokenizer, "sparkalbert.elsewhere.Tokenizer"), (OwnTokenizer, "tests.x.OwnTokenizer")):
        stage = stage_class._from_metadata(metadata_of(found), None, "/saved")
        assert (type(stage), stage.uid, stage.getInputCols()) == (stage_class, "saved", ["x"])


def test_a_model_folder_may_contain_metadata_of_another_kind(model):
    (model / "metadata").mkdir()
    (model / "metadata" / "notes.txt").write_text("x")
    stage = AlbertEmbeddings._from_other_folder(str(model), None)
    assert stage.getModelDigest() == tiny_bundle.bundle().digest


FOREIGN = {
    "table": ["metadata/v1.metadata.json", "data/00000-0.parquet"],  # as Iceberg writes it
    "checkpoint": ["metadata", "offsets/0"],  # of a stream
    "pipeline": ["metadata/part-00000", "metadata/_SUCCESS", "stages/0_Tokenizer/metadata/part-00000"],
    "model": ["metadata/part-00000", "metadata/_SUCCESS", "data/part-00000.parquet"],
}


def test_what_only_has_metadata_like_a_stage_is_not_replaced(spark, tmp_path):
    for name, files_of_it in FOREIGN.items():
        for file in files_of_it:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("years of work")
    before = contents(tmp_path)
    for name in FOREIGN:
        folder = str(tmp_path / name)
        assert not persistence._saved_stage(LocalFileSystem()).is_ours(folder), name
        with pytest.raises(OutputError, match=f"{name} already exists\\. Remove it first, or choose another folder"):
            Tokenizer().write().overwrite().save(folder)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda metadata: {**metadata, "paramMap": {"piecesPerCall": 7}},
            "has the Params piecesPerCall, which this ver",
        ),
        (
            lambda metadata: {**metadata, "defaultParamMap": {"later": 1}},
            "has the Params later, which this version of",
        ),
        (
            lambda metadata: {**metadata, "paramMap": {"batchSize": "x"}},
            r"is malformed \(batchSize is 'x', expected an ",
        ),
        (lambda metadata: {**metadata, "sparkVersion": "?"}, "is malformed"),
        (lambda metadata: {**metadata, "savedModel": {"model": "x"}}, "metadata of the stage saved in .* is malformed"),
        (
            lambda metadata: {**metadata, "savedModel": {**metadata["savedModel"], "digest": 5}},
            r"is malformed \(digest is 5, expected a string\)",
        ),
        (lambda metadata: [metadata], "is not the metadata of a saved stage"),
        (lambda _: {}, "is not the metadata of a saved stage"),
    ],
)
def test_damaged_metadata_are_refused(spark, tmp_path, model, change, message):
    stage_of(model, persistModel="reference").save(f"{tmp_path}/stage")
    (part,) = (tmp_path / "stage" / "metadata").glob("part-*")
    changed = json.dumps(change(json.loads(part.read_text())))
    shutil.rmtree(part.parent)  # with its checksums
    part.parent.mkdir()
    part.write_text(changed)
    with pytest.raises((InputError, BundleError), match=message):
        AlbertEmbeddings.load(f"{tmp_path}/stage")
