import errno
import json
import os
import shutil

import pytest

from sparkalbert.bundle import Bundle, Manifest, folder, write_bundle
from sparkalbert.errors import BundleError, ConfigError, OutputError
from sparkalbert.storage.checksums import sha256_of
from tests import tiny_bundle

EMPTY = Manifest("tiny", "somewhere", "fp32", 32, 512, 3, files={})


def write(target, contents=b"graph", **options):
    with write_bundle(target, EMPTY, **options) as folder:
        (folder / "model.onnx").write_bytes(contents)
        (folder / "spiece.model").write_bytes(b"pieces")
    return Bundle.open(target)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_real_bundle_opens_and_verifies():
    bundle = tiny_bundle.bundle()
    assert bundle.verify() == bundle
    assert bundle.verify().verified_states.keys() == bundle.manifest.files.keys()
    assert bundle.graph_path == bundle.path / "model.onnx"
    assert bundle.config.hidden_size == bundle.manifest.dimension
    assert set(bundle.manifest.files) == set(names(bundle.path)) - {"manifest.json"}
    for name, record in bundle.manifest.files.items():
        assert record.sha256 == sha256_of(bundle.path / name)
    assert Bundle.is_bundle(bundle.path)
    assert not Bundle.is_bundle(bundle.path.parent)


def test_every_missing_and_short_file_is_listed(tiny):
    (tiny.path / "model.onnx.data").unlink()
    config = tiny.path / "config.json"
    size_bytes = config.stat().st_size
    config.write_bytes(config.read_bytes()[:-1])
    with pytest.raises(BundleError) as caught:
        Bundle.open(tiny.path)
    assert str(caught.value) == (
        f"The bundle {tiny.path} has 2 problems:\n"
        f"  - config.json has {size_bytes - 1} bytes, expected {size_bytes}\n"
        "  - model.onnx.data is missing"
    )


@pytest.mark.parametrize("name", ["model.onnx", "spiece.model"])
def test_required_files(tmp_path, name):
    path = write(tmp_path / "bundle").path / "manifest.json"
    values = json.loads(path.read_text())
    del values["files"][name]
    path.write_text(json.dumps(values))
    with pytest.raises(BundleError) as caught:
        Bundle.open(path.parent)
    assert str(caught.value) == f"The bundle {path.parent} has 1 problem:\n  - the manifest does not list {name}"


def test_verify_finds_a_changed_byte(tiny):
    path = tiny.path / "model.onnx.data"
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)
    expected = tiny.manifest.files["model.onnx.data"].sha256
    with pytest.raises(BundleError) as caught:
        Bundle.open(tiny.path).verify()
    assert str(caught.value) == (
        f"The bundle {tiny.path} has 1 problem:\n  - model.onnx.data has sha256 {sha256_of(path)}, expected {expected}"
    )


def test_verify_finds_a_file_that_went_away(tiny):
    bundle = Bundle.open(tiny.path)
    (tiny.path / "spiece.model").unlink()
    with pytest.raises(BundleError, match=r"  - spiece\.model is missing$"):
        bundle.verify()


def test_a_bundle_without_config(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
        _ = write(tmp_path / "bundle").config


def test_an_unreadable_file_is_a_problem_of_the_bundle(tiny, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(folder, "sha256_of", refuse)
    with pytest.raises(BundleError, match=r"model\.onnx cannot be read \(Permission denied\)"):
        tiny.verify()


def test_nothing_is_visible_before_it_is_complete(tmp_path):
    target = tmp_path / "deep" / "bundle"
    with write_bundle(target, EMPTY) as folder:
        (folder / "model.onnx").write_bytes(b"graph")
        assert not target.exists()
        (folder / "spiece.model").write_bytes(b"pieces")
    assert names(target) == ["manifest.json", "model.onnx", "spiece.model"]
    assert names(target.parent) == ["bundle"]
    Bundle.open(target).verify()


def write_half(target, error, **options):
    with write_bundle(target, EMPTY, **options) as folder:
        (folder / "model.onnx").write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(type(error)):
        write_half(tmp_path / "bundle", error)
    assert names(tmp_path) == []


def test_a_failed_replacement_leaves_the_old_bundle(tmp_path):
    old = write(tmp_path / "bundle", b"old")
    with pytest.raises(ValueError, match="no"):
        write_half(old.path, ValueError("no"), overwrite=True)
    assert (Bundle.open(old.path).verify().path / "model.onnx").read_bytes() == b"old"
    assert names(tmp_path) == ["bundle"]


def test_an_existing_bundle_is_replaced_on_request_only(tmp_path):
    old = write(tmp_path / "bundle", b"old")
    with pytest.raises(OutputError) as caught:
        write(old.path, b"new")
    assert str(caught.value) == (
        f"{old.path} already exists. Pass overwrite=True (--overwrite on the command line) to replace it."
    )
    assert (old.path / "model.onnx").read_bytes() == b"old"
    assert write(old.path, b"newer", overwrite=True).manifest.files["model.onnx"].size_bytes == 5
    assert names(tmp_path) == ["bundle"]


def test_a_damaged_bundle_may_be_replaced(tmp_path):
    old = write(tmp_path / "bundle")
    (old.path / "model.onnx").unlink()
    write(old.path, overwrite=True).verify()


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "mine"},
        {"manifest.json": '{"name": "a web page"}'},
        {"manifest.json": '{"name": "x", "files": {}}'},
        {"manifest.json": '{"format_version": 1, "files": {}}', "notes.txt": "mine"},
        {"manifest.json": "["},
    ],
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_other_folders_are_never_replaced(tmp_path, files, overwrite):
    target = tmp_path / "theirs"
    target.mkdir()
    for name, text in files.items():
        (target / name).write_text(text)
    with pytest.raises(OutputError) as caught:
        write(target, overwrite=overwrite)
    assert str(caught.value) == f"{target} already exists. Remove it first, or choose another folder."
    assert {path.name: path.read_text() for path in target.iterdir()} == files


def test_a_file_is_never_replaced(tmp_path):
    target = tmp_path / "file"
    target.write_text("mine")
    with pytest.raises(OutputError, match=r"already exists\. Remove it first"):
        write(target, overwrite=True)
    assert target.read_text() == "mine"


def test_an_empty_folder_is_replaced(tmp_path):
    (tmp_path / "bundle").mkdir()
    write(tmp_path / "bundle").verify()


def test_a_link_to_a_bundle_keeps_its_place(tmp_path):
    old = write(tmp_path / "real", b"old")
    link = tmp_path / "link"
    link.symlink_to(old.path)
    write(link, b"newer", overwrite=True).verify()
    assert link.is_symlink()
    assert (old.path / "model.onnx").read_bytes() == b"newer"


def write_late(target):
    with write_bundle(target, EMPTY) as folder:
        (folder / "model.onnx").write_bytes(b"late")
        write(target, b"early")


def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "bundle"
    with pytest.raises(OutputError, match=r"The complete result is in"):
        write_late(target)
    assert (target / "model.onnx").read_bytes() == b"early"
    (kept,) = (path for path in tmp_path.iterdir() if path != target)
    assert (kept / "model.onnx").read_bytes() == b"late"
    assert (kept / "manifest.json").exists()


def test_a_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"bundle cannot be written: .*Choose another folder"):
        write(tmp_path / "file" / "bundle")


def test_a_bundle_may_move(tiny, tmp_path):
    moved = shutil.move(tiny.path, tmp_path / "elsewhere")
    assert Bundle.open(moved).verify().digest == tiny.digest
