from pathlib import Path

import pytest

from sparkalbert.storage.paths import exists, is_folder, local_path


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
    ],
)
def test_a_path_of_this_machine(text, path):
    assert local_path(text) == Path(path)


@pytest.mark.parametrize("text", ["s3a://bucket/models", "s3a://[x", "hdfs:///models", "dbfs:/models", "abfss://a@b/c"])
def test_a_path_of_another_file_system(text):
    assert local_path(text) is None


def test_a_path_that_the_file_system_refuses_does_not_exist(tmp_path):
    assert exists(tmp_path)
    assert is_folder(tmp_path)
    for name in ("nowhere", "a" * 300, "a\0b"):
        assert not exists(tmp_path / name)
        assert not is_folder(tmp_path / name)
