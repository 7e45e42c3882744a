import errno
import json
import logging
import os
import shutil
from pathlib import Path

import pytest

from sparkalbert.bundle import Bundle, write_bundle
from sparkalbert.bundle import folder as folder_module
from sparkalbert.errors import BundleError, CheckpointError, OutputError
from sparkalbert.models import cached_bundles
from sparkalbert.models.cache import cached_bundle, converted_once


def convert_from(bundle):
    """Return a conversion that copies a bundle, and a list that grows with each call."""
    calls = []

    def convert(folder):
        calls.append(folder)
        return copied(bundle, folder)

    return convert, calls


def copied(bundle, folder):
    with write_bundle(folder, bundle.manifest) as work:
        for name in bundle.manifest.files:
            shutil.copyfile(bundle.path / name, work / name)
    return Bundle.open(folder)


def test_it_is_converted_once(home, tiny, caplog):
    caplog.set_level(logging.INFO, "sparkalbert")
    convert, calls = convert_from(tiny)
    first = converted_once("key", convert)
    assert first.path == home / "bundles" / "key"
    assert converted_once("key", convert) == first == cached_bundle("key")
    assert calls == [first.path]
    assert caplog.messages == [f"Converted {tiny.manifest.name} (fp32) to {first.path}"]


def test_a_matching_manifest_is_not_enough(tiny, caplog):
    """One changed byte leaves manifest and sizes as they were."""
    convert, calls = convert_from(tiny)
    bundle = converted_once("key", convert)
    for name in bundle.manifest.files:
        damaged = bytearray((bundle.path / name).read_bytes())
        damaged[0] ^= 1
        (bundle.path / name).write_bytes(damaged)
        assert Bundle.open(bundle.path).manifest == bundle.manifest
        assert cached_bundle("key") is None
        assert f"{name} has sha256" in caplog.text
        assert converted_once("key", convert).verify().digest == tiny.digest
    assert len(calls) == 1 + len(bundle.manifest.files)


def test_a_conversion_that_writes_a_damaged_bundle(tiny):
    def convert(folder):
        bundle = copied(tiny, folder)
        (folder / "spiece.model").write_bytes(bytes(bundle.manifest.files["spiece.model"].size_bytes))
        return bundle

    with pytest.raises(BundleError, match=r"spiece\.model has sha256"):
        converted_once("key", convert)


def test_a_cache_that_cannot_be_written(home, tiny):
    home.write_text("a file")
    convert, _ = convert_from(tiny)
    with pytest.raises(OutputError, match=r"Set SPARKALBERT_HOME to a writable folder"):
        converted_once("key", convert)


def test_a_disk_without_room_names_the_cache(home):
    def convert(_):
        msg = f"{home} cannot be written: disk full."
        raise OutputError(msg)

    with pytest.raises(OutputError) as caught:
        converted_once("key", convert)
    assert str(caught.value) == (
        f"{home} cannot be written: disk full. The cache is {home}; set SPARKALBERT_HOME to a folder with room."
    )


def test_a_model_that_cannot_be_read_is_not_a_problem_of_the_cache(tmp_path):
    def convert(_):
        (tmp_path / "model.safetensors").read_bytes()

    with pytest.raises(CheckpointError) as caught:
        converted_once("key", convert)
    assert str(caught.value) == (
        f"The model cannot be read: [Errno 2] No such file or directory: '{tmp_path / 'model.safetensors'}'. Check "
        "that its files exist and can be read."
    )


def test_a_bundle_of_a_newer_sparkalbert_stays_and_is_converted_beside_it(tiny):
    convert, calls = convert_from(tiny)
    first = converted_once("key", convert)
    manifest = first.path / "manifest.json"
    newer = json.dumps({**json.loads(manifest.read_text()), "format_version": 3})
    manifest.write_text(newer)
    ours = converted_once("key", convert)
    assert ours.path == first.path.with_name("key-format-2")
    assert ours.manifest == first.manifest
    assert converted_once("key", convert) == ours
    assert len(calls) == 2
    assert manifest.read_text() == newer


@pytest.mark.parametrize("error", [errno.EACCES, errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_a_bundle_that_cannot_be_read_is_not_damaged(tiny, monkeypatch, name, error):
    convert, calls = convert_from(tiny)
    first = converted_once("key", convert)

    def refuse(read):
        def reading(path, *arguments):
            if path.name == name:
                raise OSError(error, os.strerror(error), str(path))
            return read(path, *arguments)

        return reading

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "sha256_of", refuse(folder_module.sha256_of))
        patch.setattr(Path, "read_bytes", refuse(Path.read_bytes))
        with pytest.raises(BundleError) as caught:
            converted_once("key", convert)
    assert str(caught.value) == (
        f"The model in the cache, {first.path}, in particular {first.path / name}, cannot be read "
        f"({os.strerror(error)}). Check that this user may read it, or set SPARKALBERT_HOME to another folder."
    )
    assert calls == [first.path]
    assert converted_once("key", convert) == first


def test_a_damaged_bundle_is_kept_until_it_is_replaced(home, tiny):
    convert, _ = convert_from(tiny)
    bundle = converted_once("key", convert)
    (bundle.path / "model.onnx").write_bytes(b"damaged")

    def fail(_):
        msg = "The checkpoint is gone."
        raise CheckpointError(msg)

    with pytest.raises(CheckpointError, match="is gone"):
        converted_once("key", fail)
    assert (bundle.path / "model.onnx").read_bytes() == b"damaged"
    assert converted_once("key", convert).verify() == bundle
    assert [path.name for path in (home / "bundles").iterdir()] == ["key"]


def test_the_cache_can_be_listed(tiny):
    assert cached_bundles() == []
    convert, _ = convert_from(tiny)
    bundles = [converted_once(key, convert) for key in ("b", "a")]
    assert cached_bundles() == bundles[::-1]


@pytest.mark.parametrize(
    "text", ["", "[" * 200_000, "[]", '{"format_version": 2}', '{"format_version": 1, "files": 5}']
)
def test_damaged_bundles_are_left_out_of_the_list(home, tiny, caplog, text):
    convert, _ = convert_from(tiny)
    kept = converted_once("kept", convert)
    converted_once("damaged", convert)
    (home / "bundles" / "damaged" / "manifest.json").write_text(text)
    assert cached_bundles() == [kept]
    assert f"A model in the cache is left out. {home / 'bundles' / 'damaged'}" in caplog.text


def test_unfinished_work_is_not_in_the_list(home, tiny):
    """A process that was killed before it could rename its result leaves a complete folder of a hidden name."""
    copied(tiny, home / "bundles" / "key").path.rename(home / "bundles" / ".key-incomplete-0123456789ab-1-1-01234567")
    assert cached_bundles() == []
