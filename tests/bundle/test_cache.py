import os
import stat
import tempfile
import threading
import time

import pytest

from sparkalbert.bundle import cache_home, node_home
from sparkalbert.bundle.cache import exclusive, remove_leftovers
from sparkalbert.errors import BundleError, OutputError
from tests.bundle import child

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
        f"{folder} should be a folder of user 0, but it is owned by user 12345. Models are not read from "
        "where others can put them: remove it, or set SPARKALBERT_HOME (on executors "
        "spark.executorEnv.SPARKALBERT_HOME) to a folder of this user."
    )


def test_a_node_folder_that_is_a_link_is_refused(temporary):
    (temporary / "elsewhere").mkdir()
    (temporary / f"sparkalbert-{os.getuid()}").symlink_to(temporary / "elsewhere")
    with pytest.raises(BundleError, match=r"but it is no folder\. .*remove it"):
        node_home()


def test_a_home_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(BundleError, match=r"No folder for models on this node: .*executorEnv"):
        node_home()
    with (
        pytest.raises(OutputError, match=r"locks cannot be written \(Not a directory\)"),
        exclusive(cache_home(), "x"),
    ):
        pass


@needs_root
def test_a_user_without_home(tmp_path):
    script = (
        "import os\n"
        "from sparkalbert.bundle import cache_home\n"
        "for name in ('HOME', 'XDG_CACHE_HOME', 'SPARKALBERT_HOME'): os.environ.pop(name, None)\n"
        "os.setuid(54321)\n"
        "cache_home()"
    )
    assert (
        "OutputError: No folder for models: Could not determine home directory. "
        "Set SPARKALBERT_HOME to a folder that this user can write."
    ) in child.error_of(script, tmp_path)


def test_one_at_a_time_even_between_threads(tmp_path):
    inside, most = [0], [0]

    def work():
        for _ in range(20):
            with exclusive(tmp_path, "work"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_other_work_does_not_wait(tmp_path):
    with exclusive(tmp_path, "one"), exclusive(tmp_path, "two"):
        assert sorted(path.name for path in (tmp_path / "locks").iterdir()) == ["one.lock", "two.lock"]


def test_a_failure_lets_go_of_the_lock(tmp_path):
    with pytest.raises(ValueError, match="no"), exclusive(tmp_path, "work"):
        raise ValueError("no")  # noqa: EM101
    with exclusive(tmp_path, "work"):
        pass


def test_leftovers_go_and_nothing_else(tmp_path):
    (tmp_path / ".a-folder" / "deep").mkdir(parents=True)
    (tmp_path / ".a-file").write_text("")
    (tmp_path / "kept").mkdir()
    (tmp_path / ".a-link").symlink_to(tmp_path / "kept")
    (tmp_path / ".b-other").mkdir()
    remove_leftovers(tmp_path, ".a-")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b-other", "kept"]
