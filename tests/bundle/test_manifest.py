import json
from dataclasses import replace

import pytest

from sparkalbert.bundle import Bundle, FileRecord, Manifest
from sparkalbert.errors import BundleError

SHA256 = "0" * 64


def manifest(**changes):
    plain = Manifest(
        name="tiny",
        source="somewhere/tiny",
        precision="fp32",
        dimension=32,
        max_pieces=512,
        num_layers=3,
        files={"model.onnx": FileRecord(3, SHA256), "spiece.model": FileRecord(5, "f" * 64)},
    )
    return replace(plain, **changes)


def read(tmp_path, **changes):
    """Write a manifest with some values changed, however wrong, and read it."""
    values = json.loads(manifest().to_json())
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**values, **changes}), encoding="utf-8")
    return Manifest.from_file(path)


def message(tmp_path, **changes):
    with pytest.raises(BundleError) as caught:
        read(tmp_path, **changes)
    return str(caught.value).replace(str(tmp_path), "FOLDER")


def test_what_is_written_is_read(tmp_path):
    written = manifest(revision="abc", note="placeholder", versions={"onnx": "1.20"})
    path = tmp_path / "manifest.json"
    path.write_text(written.to_json(), encoding="utf-8")
    assert Manifest.from_file(path) == written
    assert Manifest.from_file(path).to_json() == written.to_json()


def test_the_digest_depends_on_the_files_but_not_on_their_order():
    plain = manifest()
    turned = replace(plain, files=dict(reversed(plain.files.items())))
    assert turned.digest == plain.digest
    assert replace(plain, name="other", note="x", versions={"onnx": "2"}).digest == plain.digest
    for record in (FileRecord(4, SHA256), FileRecord(3, "1" * 64)):
        assert replace(plain, files={**plain.files, "model.onnx": record}).digest != plain.digest
    assert replace(plain, files={"other.onnx": FileRecord(3, SHA256)}).digest != plain.digest
    assert replace(plain, batch_invariant=False).digest != plain.digest, "sequences run alone, which changes vectors"


def test_size_bytes_adds_up():
    assert manifest().size_bytes == 8


def test_a_folder_without_manifest(tmp_path):
    with pytest.raises(BundleError) as caught:
        Bundle.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is not a sparkalbert bundle: manifest.json cannot be read (No such file or directory). "
        "`sparkalbert convert CHECKPOINT BUNDLE` makes a bundle from a checkpoint."
    )


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"format_version": 1,}'])
def test_invalid_json(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json is not valid JSON: .*Convert the checkpoint again"):
        Bundle.open(tmp_path)


def test_deeply_nested_json(tmp_path):
    """Python's parser gives up with a RecursionError."""
    (tmp_path / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(BundleError, match=r"manifest\.json is not valid JSON: .*recursion"):
        Bundle.open(tmp_path)


def test_a_number_of_very_many_digits(tmp_path):
    (tmp_path / "manifest.json").write_text(f'{{"format_version": {"9" * 10_000}}}')
    with pytest.raises(BundleError, match="is not valid JSON"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("version", [3, 0, None, "1", [1], True, 2.0])
def test_another_format_is_refused(tmp_path, version):
    assert message(tmp_path, format_version=version) == (
        f"FOLDER/manifest.json has format_version {version!r}, expected 1 or 2. "
        "Upgrade sparkalbert, or convert the checkpoint again."
    )


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"'])
def test_json_that_is_not_an_object(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="format_version None"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("files", [None, [], "model.onnx", {"model.onnx": None}, {"model.onnx": {"size_bytes": 1}}])
def test_a_malformed_list_of_files(tmp_path, files):
    assert message(tmp_path, files=files).startswith("FOLDER/manifest.json is malformed (")


def test_an_unknown_field_is_refused(tmp_path):
    assert "malformed" in message(tmp_path, surprise=1)


def test_a_missing_field_is_refused(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text('{"format_version": 1, "files": {}}')
    with pytest.raises(BundleError, match=r"malformed \(TypeError: .*'dimension'"):
        Manifest.from_file(path)


def test_every_wrong_value_is_listed(tmp_path):
    wrong = {"name": 1, "note": None, "dimension": "32", "max_pieces": 2, "num_layers": True, "revision": 5}
    assert message(tmp_path, **wrong, precision="fp64") == (
        "FOLDER/manifest.json has 7 problems:\n"
        "  - name is 1, expected a string\n"
        "  - note is None, expected a string\n"
        "  - dimension is '32', expected an integer of at least 1\n"
        "  - max_pieces is 2, expected an integer of at least 3\n"
        "  - num_layers is True, expected an integer of at least 0\n"
        "  - revision is 5, expected a string or null\n"
        "  - precision is 'fp64', expected one of fp32, fp16, int8"
    )


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", ".", "", "a\\b"])
def test_a_file_name_that_points_outside(tmp_path, name):
    record = {"size_bytes": 1, "sha256": SHA256}
    assert message(tmp_path, files={name: record}) == (
        f"FOLDER/manifest.json has 1 problem:\n  - file name {name!r} points outside the bundle"
    )


@pytest.mark.parametrize("name", ["nul\0", "line\nbreak", "\ud800"])
def test_a_file_name_that_is_not_printable(tmp_path, name):
    record = {"size_bytes": 1, "sha256": SHA256}
    assert message(tmp_path, files={name: record}) == (
        f"FOLDER/manifest.json has 1 problem:\n  - file name {name!r} is not printable"
    )


@pytest.mark.parametrize("versions", [None, [], "1.20", {"onnx": 1}])
def test_malformed_versions(tmp_path, versions):
    assert f"versions is {versions!r}, expected an object of strings" in message(tmp_path, versions=versions)


TOKENIZER = {"kind": "sentencepiece", "file": "spiece.model", "source": "spiece.model", "options": {}, "origins": {}}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("kind", None, "a string"),
        ("file", 1, "a string"),
        ("source", ["x"], "a string"),
        ("options", None, "an object of true or false"),
        ("options", {"do_lower_case": 1}, "an object of true or false"),
        ("origins", [], "an object of strings"),
        ("origins", {"do_lower_case": None}, "an object of strings"),
    ],
)
def test_a_malformed_tokenizer(tmp_path, field, value, expected):
    assert read(tmp_path, tokenizer=TOKENIZER).tokenizer.kind == "sentencepiece"
    found = message(tmp_path, tokenizer={**TOKENIZER, field: value})
    assert found.endswith(f"has 1 problem:\n  - {field} of tokenizer is {value!r}, expected {expected}")


def test_a_manifest_does_not_list_itself(tmp_path):
    record = {"size_bytes": 1, "sha256": SHA256}
    assert message(tmp_path, files={"manifest.json": record}).endswith("  - manifest.json lists itself")


@pytest.mark.parametrize("size", [-1, "3", 1.5, True, None])
def test_a_size_that_is_not_a_count(tmp_path, size):
    files = {"model.onnx": {"size_bytes": size, "sha256": SHA256}}
    assert f"size_bytes of 'model.onnx' is {size!r}, expected a non-negative integer" in message(tmp_path, files=files)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "G" * 64, "A" * 64, 0, None])
def test_a_malformed_checksum(tmp_path, sha256):
    files = {"model.onnx": {"size_bytes": 1, "sha256": sha256}}
    assert f"sha256 of 'model.onnx' is {sha256!r}, expected 64 hex digits" in message(tmp_path, files=files)
