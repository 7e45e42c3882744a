import os
import stat
import tempfile

import pytest

from sparkalbert.errors import BundleError
from sparkalbert.storage.homes import cache_home, node_home
from tests import child_processes

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary directory of the test's own, and no SPARKALBERT_HOME."""
    monkeypatch.delenv("SPARKALBERT_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("SPARKALBERT_HOME", "~/models")
    assert cache_home() == tmp_path / "user" / "models"
    monkeypatch.setenv("SPARKALBERT_HOME", " ")
    assert cache_home() == tmp_path / "xdg" / "sparkalbert"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_home() == tmp_path / "user" / ".cache" / "sparkalbert"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_home() == tmp_path / "user" / ".cache" / "sparkalbert"
    assert list(tmp_path.iterdir()) == []


def test_a_relative_home_does_not_move_with_the_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKALBERT_HOME", "models")
    assert cache_home() == tmp_path / "models"
    assert node_home() == tmp_path / "models"


def test_the_node_folder_is_private(temporary):
    folder = node_home()
    assert folder == temporary / f"sparkalbert-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    assert node_home() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@needs_root
def test_a_node_folder_of_somebody_else_is_refused(temporary):
    folder = temporary / f"sparkalbert-{os.getuid()}"
    folder.mkdir()
    os.chown(folder, 12345, -1)
    with pytest.raises(BundleError) as caught:
        node_home()
    assert str(caught.value) == (
        f"Expected {folder} to be a folder of user 0, but it belongs to user 12345. Models are never read from a place "
        "where others can put them: remove it, or set SPARKALBERT_HOME (on executors "
        "spark.executorEnv.SPARKALBERT_HOME) to a folder of this user."
    )


def test_a_node_folder_that_is_a_link_is_refused(temporary):
    (temporary / "elsewhere").mkdir()
    (temporary / f"sparkalbert-{os.getuid()}").symlink_to(temporary / "elsewhere")
    with pytest.raises(BundleError, match=r"but it is not a folder\. .*remove it"):
        node_home()


def test_a_home_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(BundleError, match=r"There is no folder for models on this node: .*executorEnv"):
        node_home()


@needs_root
def test_a_user_without_home(tmp_path):
    script = (
        "import os\n"
        "from sparkalbert.storage.homes import cache_home\n"
        "for name in ('HOME', 'XDG_CACHE_HOME', 'SPARKALBERT_HOME'): os.environ.pop(name, None)\n"
        "os.setuid(54321)\n"
        "cache_home()"
    )
    assert (
        "OutputError: There is no folder for models: Could not determine home directory. "
        "Set SPARKALBERT_HOME to a folder that this user can write."
    ) in child_processes.error_of(script, tmp_path)
