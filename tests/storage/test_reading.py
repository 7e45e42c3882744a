import pytest

from sparkalbert.errors import CheckpointError, OutputError
from sparkalbert.storage.reading import copy_readable, wrap_unreadable
from tests.storage.unreadable import make_unreadable


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "weights"
    make_unreadable(path)
    with pytest.raises(CheckpointError) as caught, wrap_unreadable(path):
        path.read_bytes()
    assert str(caught.value) == f"{path} cannot be read (Input/output error). Check that this user may read it."


def test_of_a_folder_the_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=f"^{tmp_path / 'x'} cannot be read"), wrap_unreadable(tmp_path):
        (tmp_path / "x").read_bytes()


def test_errors_of_sparkalbert_pass_unchanged(tmp_path):
    error = OutputError("disk full")
    with pytest.raises(OutputError) as caught, wrap_unreadable(tmp_path):
        raise error
    assert caught.value is error


def test_a_copy_distinguishes_source_and_target(tmp_path):
    source = tmp_path / "source"
    with pytest.raises(CheckpointError, match=f"^{source} cannot be read"):
        copy_readable(source, tmp_path / "target")
    source.write_bytes(b"content")
    with pytest.raises(FileNotFoundError):
        copy_readable(source, tmp_path / "nowhere" / "target")
    copy_readable(source, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"content"
