import os
from pathlib import Path, PureWindowsPath

import pytest

from sparkalbert.storage.paths import exists, file_uri, is_folder, is_remote, local_path, with_slashes


@pytest.mark.parametrize("text", ["hdfs://host/albert", "s3a:/albert", "dbfs:/models/a:b"])
def test_the_uri_of_another_file_system(text):
    assert is_remote(text)


@pytest.mark.parametrize(
    "text", ["file:///albert", "FILE:/albert", "/albert", "./a:b/c", "~/albert", "C:/albert", "owner/name", "albert:v2"]
)
def test_a_path_or_name_is_not_the_uri_of_another_file_system(text):
    assert not is_remote(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/models/albert", "/models/albert"),
        ("models/albert", "models/albert"),
        ("file:/models/albert", "/models/albert"),
        ("file:///models/albert", "/models/albert"),
        ("file:models", "models"),
        ("file:///models/a%20b", "/models/a%20b"),
        ("/models/a b", "/models/a b"),
        ("FILE:/models/albert", "/models/albert"),
        ("file://[x", "/[x"),
        ("//[x", "//[x"),
        (r"C:\models\albert", r"C:\models\albert"),
        ("c:/models/albert", "c:/models/albert"),
        ("C:models", "C:models"),
        ("file:/C:/models", "C:/models"),
        ("file:///C:/models", "C:/models"),
        ("file:C:/models", "C:/models"),
    ],
)
def test_a_path_of_this_machine(text, path):
    assert local_path(text) == Path(path)


@pytest.mark.parametrize("text", ["s3a://bucket/models", "s3a://[x", "hdfs:///models", "dbfs:/models", "abfss://a@b/c"])
def test_a_path_of_another_file_system(text):
    assert local_path(text) is None


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (Path("/models/a%20b c"), "file:/models/a%20b c"),
        (PureWindowsPath(r"C:\models\a b"), "file:/C:/models/a b"),
    ],
)
def test_a_path_becomes_a_uri_that_names_it(path, uri):
    assert file_uri(path) == uri
    assert local_path(uri) == Path(path.as_posix())


@pytest.mark.parametrize(
    ("text", "slashes"),
    [
        (r"C:\models\albert", "C:/models/albert"),
        ("C:/models", "C:/models"),
        (r"/models/a\b", r"/models/a\b"),  # here a backslash is part of the name
        ("s3a://bucket/a", "s3a://bucket/a"),
    ],
)
def test_slashes_separate_names(text, slashes):
    assert with_slashes(text) == slashes


def test_on_windows_a_relative_path_has_slashes_too(monkeypatch):
    monkeypatch.setattr(os, "sep", "\\")
    assert with_slashes(r"models\albert") == "models/albert"


def test_a_path_that_the_file_system_refuses_does_not_exist(tmp_path):
    assert exists(tmp_path)
    assert is_folder(tmp_path)
    for name in ("nowhere", "a" * 300, "a\0b"):
        assert not exists(tmp_path / name)
        assert not is_folder(tmp_path / name)
