"""Names and paths of models: what they mean, and what the messages about wrong ones say."""

import shutil
from pathlib import Path

import pytest

from sparkalbert.errors import CheckpointError, ModelNotFoundError, ParamError
from sparkalbert.models import embedded_models, find, find_model, inspect_model

KNOWN = "albert_base_uncased, albert_large_uncased, albert_xlarge_uncased, albert_xxlarge_uncased"


@pytest.fixture
def embedded(tmp_path, tiny, monkeypatch):
    """A package whose only embedded model is a tiny bundle."""
    folder = tmp_path / "models"
    (folder / "not-a-model").mkdir(parents=True)
    shutil.copytree(tiny.path, folder / "albert_tiny_en")
    monkeypatch.setattr("sparkalbert.models.embedded._EMBEDDED", folder)
    return folder


def not_found(model, **options):
    with pytest.raises(ModelNotFoundError) as caught:
        find_model(model, **options)
    return str(caught.value)


class TestNames:
    def test_an_embedded_model(self, embedded, home, tiny):
        assert embedded_models() == ("albert_tiny_en",)
        found = find_model("albert_tiny_en", allow_download=False)
        assert found.path == embedded / "albert_tiny_en"
        assert found.digest == tiny.digest
        assert not home.exists()

    @pytest.mark.usefixtures("embedded")
    def test_an_embedded_model_has_one_revision(self):
        with pytest.raises(ParamError) as caught:
            find_model("albert_tiny_en", revision="no-such-revision")
        assert str(caught.value) == (
            "revision is 'no-such-revision', but albert_tiny_en is part of this package, which has one revision. "
            "Leave it out."
        )

    def test_embedded_models_of_this_package_open(self):
        for name in embedded_models():
            assert find_model(name, allow_download=False).verify().path.name == name

    @pytest.mark.usefixtures("embedded")
    def test_an_unknown_name_lists_the_known_ones(self):
        assert not_found("albert_xlarge_uncase") == (
            "There is no model 'albert_xlarge_uncase'. Did you mean 'albert_xlarge_uncased' or "
            "'albert_xxlarge_uncased' or 'albert_large_uncased'? Known names: "
            f"{KNOWN}, and 35 more, see `sparkalbert models --all`. Part of this package: albert_tiny_en. "
            "Or pass the path of a model folder, or owner/name of a repository on the Hugging Face Hub. "
            "If Spark NLP lists it, look up its repository under References in Spark NLP's model card, and pass it as "
            "owner/name."
        )
        assert "Did you mean 'albert_tiny_en'" in not_found("albert_tiny")

    @pytest.mark.parametrize("name", ["glove", "", " ", "x\0y", "a" * 300])
    def test_nothing_like_a_name(self, name):
        message = not_found(name)
        assert message.startswith(f"There is no model {name!r}. Known names: {KNOWN}")

    @pytest.mark.usefixtures("embedded")
    def test_the_language_of_an_embedded_model(self):
        find.check_language("albert_tiny_en", "en")
        find.check_language("albert_tiny_en", None)
        with pytest.raises(ModelNotFoundError, match="no model 'albert_tiny_en' for lang 'fr'"):
            find.check_language("albert_tiny_en", "fr")
        with pytest.raises(ModelNotFoundError, match="for lang 'en': it is listed for 'fr'"):
            find.check_language("albert_embeddings_fralbert_base", "en")

    def test_a_folder_that_happens_to_have_the_name(self, tmp_path, monkeypatch, embedded):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "albert_tiny_en").mkdir()
        assert find_model("albert_tiny_en").path == embedded / "albert_tiny_en"

    @pytest.mark.parametrize("precision", ["fp64", "", "FP32"])
    def test_an_unknown_precision(self, precision):
        with pytest.raises(ParamError, match=f"precision is '{precision}', expected one of fp32, fp16, int8"):
            find_model("albert_base_uncased", precision=precision)


class TestWrongPath:
    @pytest.mark.parametrize(
        "path", ["./nowhere", "/no/where", "../no-where", "nowhere/", "a/b/c", "file:/no", "FILE:/no", "C:/no"]
    )
    def test_it_is_not_there(self, tmp_path, monkeypatch, path):
        monkeypatch.chdir(tmp_path)
        expected = Path(path.removeprefix("file:").removeprefix("FILE:"))
        message = not_found(path)
        assert message.startswith(f"There is no folder {expected}. Known names: {KNOWN}")

    @pytest.mark.parametrize("path", ["./" + "a" * 300, "file:/" + "a" * 300, "file://[x"])
    def test_a_path_that_no_file_system_has(self, path):
        assert not_found(path).startswith("There is no folder ")

    def test_a_path_object_is_never_a_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert not_found(Path("albert_base_uncased")).startswith("There is no folder albert_base_uncased.")

    @pytest.mark.parametrize("spelling", [Path, str])
    def test_a_folder_without_model(self, tmp_path, spelling):
        assert not_found(spelling(tmp_path)) == (
            f"The folder {tmp_path} does not hold a model. Expected a bundle (manifest.json), a Hugging Face "
            "checkpoint (config.json, model.safetensors, spiece.model), a Spark NLP import folder "
            "(model.onnx, assets/spiece.model) or a saved Spark NLP model (albert_onnx, albert_spp)."
        )

    def test_a_bare_name_of_a_folder_without_model(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine").mkdir()
        assert not_found("mine").startswith("The folder mine does not hold a model.")

    def test_a_file(self, tiny):
        path = tiny.path / "model.onnx"
        assert not_found(path) == f"{path} is a file, expected a model folder."

    def test_a_folder_that_cannot_be_read(self, tmp_path, monkeypatch):
        def refuse(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "iterdir", refuse)
        for find_or_inspect in (find_model, inspect_model):
            with pytest.raises(CheckpointError) as caught:
                find_or_inspect(tmp_path)
            assert str(caught.value) == (
                f"{tmp_path} cannot be read (Permission denied). Check that this user may read it."
            )

    def test_a_user_that_is_not_there(self):
        assert not_found("~no-such-user/model").startswith("~no-such-user/model is not a valid path: ")

    @pytest.mark.parametrize("uri", ["s3://bucket/model", "hdfs://host/model", "dbfs:/models/albert"])
    def test_a_path_of_another_machine(self, uri):
        assert not_found(uri) == (
            f"{uri} is not a path of this machine. Copy the folder to a local disk, or give the path "
            "where it is mounted (on Databricks /Volumes/... or /dbfs/...)."
        )
