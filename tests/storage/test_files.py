import stat

import pytest

from sparkalbert.storage.files import write_file


def test_the_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "file"
    with write_file(target) as work:
        work.write_text("text")
        assert not target.exists()
    assert target.read_text() == "text"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("old")

    def fail():
        with write_file(target) as work:
            work.write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_do_not_share_a_file(tmp_path):
    target = tmp_path / "file"
    with write_file(target) as first, write_file(target) as second:
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first", "the outer block ends last"
    assert list(tmp_path.iterdir()) == [target]
