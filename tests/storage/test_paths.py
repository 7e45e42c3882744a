from pathlib import Path

import pytest

from sparkalbert.storage.paths import local_path


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
    ],
)
def test_a_path_of_this_machine(text, path):
    assert local_path(text) == Path(path)


@pytest.mark.parametrize("text", ["s3a://bucket/models", "hdfs:///models", "dbfs:/models", "abfss://a@b/c"])
def test_a_path_of_another_file_system(text):
    assert local_path(text) is None
