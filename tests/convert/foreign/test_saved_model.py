"""Model folders in the format in which Spark NLP saves them; models that it saved itself are in tests/peers."""

import shutil
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.convert import export_spark_nlp, import_onnx
from sparkalbert.convert.foreign import saved_model
from sparkalbert.errors import CheckpointError, OutputError
from sparkalbert.inference.session import EncoderSession
from sparkalbert.models import find_model
from tests import tiny_bundle

MIB = 1 << 20


def save(folder: Path, *, graph="model.onnx", external=False) -> Path:
    """Write ``albert_onnx``, a zip file with the graph, and ``albert_spp``, the vocabulary."""
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


def add(folder: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(folder / "albert_onnx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


def refusal(folder: Path) -> str:
    """Return the message with which an import is refused; nothing may be left behind."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(CheckpointError) as caught:
        import_onnx(folder, folder.with_name("target"))
    assert sorted(folder.parent.rglob("*")) == before
    return str(caught.value)


@pytest.mark.parametrize(
    "saved",
    [{}, {"graph": "_albert_onnx.onnx"}, {"graph": "sub/model.onnx"}, {"external": True}],
    ids=str,
)
def test_a_saved_model_becomes_a_bundle(tmp_path, saved):
    bundle = import_onnx(save(tmp_path / "my_model", **saved), tmp_path / "out")
    manifest = bundle.verify().manifest
    assert (manifest.name, manifest.source, manifest.dimension) == ("my_model", "my_model", 32)
    ids = np.array([[2, 40, 50, 3], [2, 60, 3, 0]])
    mask = (ids > 0).astype(np.int64)
    computed = EncoderSession(bundle).run(ids, mask, np.ones(1, dtype=np.float32))
    expected = EncoderSession(tiny_bundle.bundle()).run(ids, mask, np.eye(4, dtype=np.float32)[-1])
    np.testing.assert_array_equal(computed[mask == 1], expected[mask == 1])


def test_it_is_found_by_its_path_and_converted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    folder = save(tmp_path / "my_model")
    first = find_model(folder)
    assert first.manifest.name == "my_model"
    assert find_model(str(folder)).path == first.path


@pytest.mark.parametrize("name", ["../../model.onnx", "/model.onnx/..", "x/..", "x/../y", "a\\b", ".."])
def test_entries_outside_the_folder_are_refused_by_name(tmp_path, name):
    folder = save(tmp_path / "my_model")
    add(folder, name, b"content")
    assert f"the entry {name!r} points outside the folder" in refusal(folder)


@pytest.mark.parametrize("names", [("one/data", "two/data"), ("data", "DATA"), ("data", "sub/data")])
def test_entries_that_would_overwrite_each_other_are_refused_by_name(tmp_path, names):
    folder = save(tmp_path / "my_model")
    for name in names:
        add(folder, name, b"content")
    assert "the entries {!r} and {!r} would be the same file".format(*names) in refusal(folder)


def test_two_entries_of_the_same_name_are_refused(tmp_path):
    folder = save(tmp_path / "my_model")
    add(folder, "d", b"first")
    with pytest.warns(UserWarning, match="Duplicate name"):
        add(folder, "d", b"second")
    assert "the entries 'd' and 'd' would be the same file" in refusal(folder)


def test_an_entry_that_would_overwrite_the_graph_is_refused(tmp_path):
    folder = save(tmp_path / "my_model", graph="_albert_onnx.onnx")
    add(folder, "sub/MODEL.ONNX", b"content")
    assert "the entries '_albert_onnx.onnx' and 'sub/MODEL.ONNX' would be the same file" in refusal(folder)


@pytest.mark.parametrize("name", ["assets", "spiece.model", "assets/spiece.model", "onnx"])
def test_no_entry_replaces_the_vocabulary(tmp_path, name):
    folder = save(tmp_path / "my_model")
    add(folder, name, b"content")
    bundle = import_onnx(folder, tmp_path / "out")
    assert (bundle.path / "spiece.model").read_bytes() == (folder / "albert_spp").read_bytes()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    folder = save(tmp_path / "my_model")
    with zipfile.ZipFile(folder / "albert_onnx", "a", zipfile.ZIP_DEFLATED) as archive, archive.open("b", "w") as file:
        for _ in range(100):
            file.write(bytes(MIB))
    packed_bytes = (folder / "albert_onnx").stat().st_size
    assert packed_bytes < MIB
    message = refusal(folder)
    assert f"albert_onnx has {packed_bytes:,} bytes but would unpack to 10" in message
    assert "unzip it by hand and import that folder" in message


def test_a_small_archive_may_unpack_to_any_multiple_of_its_size(tmp_path):
    folder = save(tmp_path / "my_model")
    add(folder, "zeros", bytes(20 * MIB))
    import_onnx(folder, tmp_path / "out").verify()


def test_an_entry_larger_than_it_declares_is_refused(tmp_path):
    """The size that was checked is also the size at which reading stops."""
    folder = save(tmp_path / "my_model")
    add(folder, "data", bytes(90 * MIB))
    path = folder / "albert_onnx"
    content = path.read_bytes()
    declared = struct.pack("<I", 90 * MIB)
    assert content.count(declared) == 2  # the entry's own header, and the directory
    path.write_bytes(content.replace(declared, struct.pack("<I", 1000)))
    assert "albert_onnx cannot be unpacked (BadZipFile: Bad CRC-32" in refusal(folder)


def test_without_room_for_it_nothing_is_unpacked(tmp_path, monkeypatch):
    folder = save(tmp_path / "my_model")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(saved_model.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"has room for 1,000\. Set the environment variable TMPDIR"):
        import_onnx(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("engine", "shown"),
    [("albert_tensorflow", "a model for TensorFlow"), ("albert_openvino", "a model for OpenVINO")],
)
def test_models_for_other_engines_are_refused(tmp_path, engine, shown):
    folder = save(tmp_path / "my_model")
    (folder / "albert_onnx").rename(folder / engine)
    assert f"my_model holds {shown}, but sparkalbert runs ONNX only. Pass the Hugging Face" in refusal(folder)


def test_a_file_that_is_not_a_zip_or_has_no_graph_is_refused(tmp_path):
    folder = save(tmp_path / "my_model")
    content = (folder / "albert_onnx").read_bytes()
    for damaged in (b"", b"no zip", content[: len(content) // 2]):
        (folder / "albert_onnx").write_bytes(damaged)
        assert "expected a zip file as Spark NLP writes it. Copy the model again." in refusal(folder)
    with zipfile.ZipFile(folder / "albert_onnx", "w") as archive:
        archive.writestr("model.txt", "")
    assert "it holds model.txt; expected exactly one .onnx graph" in refusal(folder)
    (folder / "albert_onnx").unlink()
    assert "my_model holds no albert_onnx" in refusal(folder)


def test_an_encrypted_archive_is_refused(tmp_path):
    folder = save(tmp_path / "my_model")
    content = bytearray((folder / "albert_onnx").read_bytes())
    content[6] |= 1  # bit 0 of the flags of the entry's own header
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # and of the directory
    (folder / "albert_onnx").write_bytes(content)
    assert "is encrypted" in refusal(folder)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save(tmp_path_factory.mktemp("saved") / "model")


@settings(max_examples=150)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=3),
    in_directory=st.booleans(),
)
def test_a_damaged_archive_is_refused_or_read(saved, changes, in_directory):
    """No damage raises anything but our own errors."""
    content = bytearray((saved / "albert_onnx").read_bytes())
    start = content.rindex(b"PK\x01\x02") if in_directory else 0
    for position, change in changes:
        content[start + int(position * (len(content) - 1 - start))] ^= change
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        folder.mkdir()
        shutil.copyfile(saved / "albert_spp", folder / "albert_spp")
        (folder / "albert_onnx").write_bytes(content)
        try:
            with saved_model.unpacked_model(folder) as unpacked:
                assert (unpacked / "onnx" / "model.onnx").is_file()
        except CheckpointError:
            pass
