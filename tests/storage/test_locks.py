import errno
import logging
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext

import pytest

from sparkalbert.errors import OutputError
from sparkalbert.storage import locks
from sparkalbert.storage.locks import exclusive


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


@pytest.fixture
def holder(tmp_path):
    """Another process, which holds the lock `work`."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sparkalbert.storage.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1]), 'work'):\n"
        "    print('locked', flush=True)\n"
        "    input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        yield other
        other.kill()


@pytest.mark.parametrize("fails", [False, True])
def test_a_file_system_that_refuses_to_unlock_does_not_hide_how_the_work_ended(tmp_path, monkeypatch, fails):
    """As NFS after its server was restarted. Closing the file releases the lock."""

    def unlock(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_unlock", unlock)
    done = []
    with nullcontext() if not fails else pytest.raises(ValueError, match=r"^no$"), exclusive(tmp_path, "work"):
        if fails:
            raise ValueError("no")  # noqa: EM101
        done.append("work")
    assert done == ["work"] * (not fails)
    with exclusive(tmp_path, "work", limit_s=0):
        pass


def test_a_lock_of_another_process_is_waited_for(tmp_path, holder):
    events = []

    def wait():
        with exclusive(tmp_path, "work"):
            events.append("mine")

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    assert events == []
    holder.kill()  # a lock does not outlive its process
    holder.wait()
    thread.join(timeout=60)
    assert events == ["mine"]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a signal of POSIX")
def test_a_holder_that_is_stopped_is_not_waited_for_forever(tmp_path, holder, monkeypatch, caplog):
    """The wait is logged once, and its end names the lock."""
    holder.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(locks, "_NOTICE_S", 0.0)
    monkeypatch.setattr(locks, "_POLL_S", 0.01)
    path = tmp_path / "locks" / "work.lock"
    with (
        caplog.at_level(logging.INFO, "sparkalbert"),
        pytest.raises(OutputError) as caught,
        exclusive(tmp_path, "work", limit_s=0.3),
    ):
        pass
    assert str(caught.value) == (
        f"Waited 0.3 seconds for {path}, which another process holds. If that process is still working (a slow "
        f"download, for instance), try again later. If it hangs, end it (on Linux, `lsof {path}` finds it). Or set "
        "SPARKALBERT_HOME to another folder."
    )
    assert caplog.messages == [f"Waiting for {path}, which another process holds."]


def test_a_short_wait_is_not_logged(tmp_path, holder, caplog):
    with pytest.raises(OutputError, match="another process holds"), exclusive(tmp_path, "work", limit_s=0.1):
        pass
    assert caplog.messages == []


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
    def lock(file):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(locks, "_try_lock", lock)
    with pytest.raises(OutputError) as caught, exclusive(tmp_path, "work"):
        pass
    assert str(caught.value) == (
        f"The file system of {tmp_path / 'locks'} cannot lock files (Function not implemented). Set SPARKALBERT_HOME "
        "to a folder on a local disk."
    )


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError) as caught,
        exclusive(tmp_path / "file", "work"),
    ):
        pass
    assert str(caught.value) == (
        f"{tmp_path / 'file' / 'locks'} cannot be written (Not a directory). Set SPARKALBERT_HOME to a writable folder."
    )
