"""Model folders as Spark NLP saves them, written by hand; the real ones are in tests/peers."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from sparkalbert.bundle import find_model
from sparkalbert.convert import export_spark_nlp, import_onnx
from sparkalbert.errors import CheckpointError
from sparkalbert.inference.session import EncoderSession
from tests import tiny_bundle

LAST = np.array([0, 0, 0, 1], dtype=np.float32)


def save(folder: Path, *, graph="model.onnx", external=False) -> Path:
    """``albert_onnx``, a zip of the graph, and ``albert_spp``, the vocabulary."""
    source = export_spark_nlp(tiny_bundle.checkpoint(), folder.with_name("export"))
    if external:
        model = onnx.load(str(source / "model.onnx"))
        onnx.save(model, str(source / "model.onnx"), save_as_external_data=True, location="model.onnx_data")
    folder.mkdir()
    with zipfile.ZipFile(folder / "albert_onnx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source / "model.onnx", graph)
        if external:
            archive.write(source / "model.onnx_data", "model.onnx_data")
    shutil.copyfile(source / "assets" / "spiece.model", folder / "albert_spp")
    shutil.rmtree(source)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        import_onnx(folder, folder.with_name("target"))
    assert not folder.with_name("target").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    "saved", [{}, {"graph": "_albert_onnx.onnx"}, {"graph": "sub/model.onnx"}, {"external": True}], ids=str
)
def test_a_saved_model_becomes_a_bundle(tmp_path, saved):
    bundle = import_onnx(save(tmp_path / "my_model", **saved), tmp_path / "out")
    manifest = bundle.verify().manifest
    assert (manifest.name, manifest.source, manifest.dimension) == ("my_model", "my_model", 32)
    ids = np.array([[2, 40, 50, 3], [2, 60, 3, 0]])
    mask = (ids > 0).astype(np.int64)
    found = EncoderSession(bundle).run(ids, mask, np.ones(1, dtype=np.float32))
    expected = EncoderSession(tiny_bundle.bundle()).run(ids, mask, LAST)
    np.testing.assert_array_equal(found[mask == 1], expected[mask == 1])


def test_it_is_found_by_its_path_and_converted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    folder = save(tmp_path / "my_model")
    first = find_model(folder)
    assert first.manifest.name == "my_model"
    assert find_model(str(folder)).path == first.path


def test_names_that_lead_elsewhere_stay_inside(tmp_path):
    folder = save(tmp_path / "my_model", graph="../../model.onnx")
    before = sorted(tmp_path.rglob("*"))
    import_onnx(folder, tmp_path / "out")
    assert [path for path in sorted(tmp_path.rglob("*")) if "out" not in path.parts] == before


@pytest.mark.parametrize(
    ("engine", "shown"),
    [("albert_tensorflow", "a model for TensorFlow"), ("albert_openvino", "a model for OpenVINO")],
)
def test_other_engines_are_named(tmp_path, engine, shown):
    folder = save(tmp_path / "my_model")
    (folder / "albert_onnx").rename(folder / engine)
    assert f"my_model holds {shown}; sparkalbert runs ONNX only. Name the Hugging Face" in refusal(folder)


def test_a_zip_that_is_none_or_holds_no_graph_is_refused(tmp_path):
    folder = save(tmp_path / "my_model")
    content = (folder / "albert_onnx").read_bytes()
    for damaged in (b"", b"no zip", content[: len(content) // 2]):
        (folder / "albert_onnx").write_bytes(damaged)
        assert "albert_onnx is not the zip that Spark NLP writes" in refusal(folder)
    with zipfile.ZipFile(folder / "albert_onnx", "w") as archive:
        archive.writestr("model.txt", "")
    assert "albert_onnx holds model.txt; expected one .onnx graph" in refusal(folder)
    (folder / "albert_onnx").unlink()
    assert "my_model holds no albert_onnx" in refusal(folder)
