"""A folder is replaced without losing the old or the new one, whatever happens between two steps.

A file system that fails at a chosen step stands between the code and the real one.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkalbert.errors import OutputError
from sparkalbert.storage import folders
from sparkalbert.storage.folders import FolderKind, LocalFileSystem, check_target, replace_folder, write_folder

FILES = LocalFileSystem()
OURS = FolderKind("complete", is_ours=lambda folder: Path(folder, "data").exists())


class UnexpectedError(Exception):
    """An error that no file system raises."""


class FailingFileSystem(LocalFileSystem):
    """The local file system, which raises `error` before or after the operations whose numbers are in `steps`."""

    def __init__(self, steps, error, *, after) -> None:
        self.steps, self.error, self.after, self.done = steps, error, after, 0

    def _step(self, operation, *arguments):
        self.done += 1
        fails = self.done - 1 in self.steps
        if fails and not self.after:
            raise self.error
        result = operation(*arguments)
        if fails:
            raise self.error
        return result

    def exists(self, path):
        return self._step(super().exists, path)

    def names(self, folder):
        return self._step(super().names, folder)

    def rename(self, old, new):
        return self._step(super().rename, old, new)

    def remove(self, path):
        return self._step(super().remove, path)


def write(target, contents="old", files=FILES, **options):
    with replace_folder(files, str(target), OURS, **options) as work:
        fill(Path(work), contents)


def fill(folder, contents):
    folder.mkdir()
    (folder / "data").write_text(contents)
    (folder / "complete").touch()


def contents(folder):
    """Return what a complete folder holds, None if it is not there or incomplete."""
    folder = Path(folder)
    return (folder / "data").read_text() if (folder / "complete").exists() else None


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def count_steps(target, **options):
    """Return the number of operations of a replacement in which nothing fails."""
    files = FailingFileSystem(set(), None, after=False)
    write(target, "counted", files, **options)
    return files.done


class TestReplacement:
    def test_a_new_folder_appears_when_it_is_complete(self, tmp_path):
        target = tmp_path / "result"
        with replace_folder(FILES, str(target), OURS) as work:
            fill(Path(work), "new")
            assert Path(work).parent == tmp_path
            assert Path(work).name.startswith(".result-incomplete-")
            assert not target.exists()
        assert contents(target) == "new"
        assert names(tmp_path) == ["result"]

    def test_an_old_folder_is_replaced_as_a_whole(self, tmp_path):
        target = tmp_path / "result"
        write(target, "old")
        (target / "more").touch()
        with replace_folder(FILES, str(target), OURS, overwrite=True) as work:
            fill(Path(work), "new")
            assert contents(target) == "old"
        assert (contents(target), names(target)) == ("new", ["complete", "data"])
        assert names(tmp_path) == ["result"]

    @pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
    def test_an_error_while_writing_leaves_the_old_folder_only(self, tmp_path, error):
        target = tmp_path / "result"
        write(target, "old")

        def fail():
            with replace_folder(FILES, str(target), OURS, overwrite=True) as work:
                Path(work).mkdir()
                (Path(work) / "data").write_text("new")
                raise error

        with pytest.raises(type(error)):
            fail()
        assert contents(target) == "old"
        assert names(tmp_path) == ["result"]

    @pytest.mark.parametrize("error", [ValueError("no"), PermissionError(13, "denied"), KeyboardInterrupt()])
    def test_an_error_after_the_folder_is_complete_keeps_and_names_it(self, tmp_path, caplog, error):
        target = tmp_path / "result"
        write(target, "old")

        def fail():
            with replace_folder(FILES, str(target), OURS, overwrite=True) as work:
                fill(Path(work), "new")
                raise error

        with pytest.raises(type(error)) as raised:
            fail()
        assert raised.value is error
        (work,) = tmp_path.glob(".result-incomplete-*")
        assert (contents(target), contents(work)) == ("old", "new")
        assert caplog.messages == [
            f"{type(error).__name__} before {target} was written. The complete result is in {work}; rename it by hand."
        ]

    def test_a_file_system_that_cannot_be_reached_removes_nothing(self, tmp_path, caplog):
        class Gone(LocalFileSystem):
            def exists(self, path):
                if "incomplete" in path:
                    raise ConnectionRefusedError(111, "Connection refused")
                return super().exists(path)

        def fail():
            with replace_folder(Gone(), str(tmp_path / "result"), OURS) as work:
                fill(Path(work), "new")
                raise UnexpectedError

        with pytest.raises(UnexpectedError):
            fail()
        (work,) = tmp_path.iterdir()
        assert contents(work) == "new"
        assert f"{work} may be left" in caplog.text

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_a_foreign_folder_is_never_replaced(self, tmp_path, overwrite):
        target = tmp_path / "theirs"
        target.mkdir()
        (target / "notes.txt").write_text("mine")
        with pytest.raises(OutputError) as caught:
            write(target, overwrite=overwrite)
        assert str(caught.value) == f"{target} already exists. Remove it first, or choose another folder."
        assert (target / "notes.txt").read_text() == "mine"

    def test_an_own_folder_is_replaced_on_request_only(self, tmp_path):
        target = tmp_path / "result"
        write(target, "old")
        with pytest.raises(OutputError) as caught:
            write(target, "new")
        assert str(caught.value) == (
            f"{target} already exists. Pass overwrite=True (--overwrite on the command line) to replace it."
        )
        assert contents(target) == "old"

    @pytest.mark.parametrize("target", ["/", "file:/", "s3a://bucket", "hdfs:", "dbfs:/"])
    def test_a_root_is_refused(self, target):
        with pytest.raises(OutputError) as caught:
            write(target)
        assert str(caught.value) == f"{target!r} is the root of a file system, expected a folder below it."


class TestFailingSteps:
    """An error at every single step, of every kind."""

    @pytest.fixture(
        params=[OSError("disk gone"), UnexpectedError("broken"), KeyboardInterrupt()], ids=lambda e: type(e).__name__
    )
    def error(self, request):
        return request.param

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("old", ["old", None])
    def test_nothing_is_lost_and_everything_is_named(self, tmp_path, caplog, error, old, after):
        steps = count_steps(tmp_path / "result", overwrite=True)
        if old:
            steps = count_steps(tmp_path / "result", overwrite=True)
        assert steps >= (8 if old else 5)
        for step in range(steps):
            folder = tmp_path / str(step)
            folder.mkdir()
            if old:
                write(folder / "result", old)
            caplog.clear()
            message = self.replace(folder / "result", FailingFileSystem({step}, error, after=after))
            self.check(folder, old, message, caplog.text)

    def test_a_file_system_that_stays_broken(self, tmp_path, caplog):
        error = OSError("disk gone")
        write(tmp_path / "count", "old")
        for step in range(count_steps(tmp_path / "count", overwrite=True)):
            folder = tmp_path / str(step)
            folder.mkdir()
            write(folder / "result", "old")
            caplog.clear()
            files = FailingFileSystem(range(step, 99), error, after=False)
            message = self.replace(folder / "result", files)
            found = {contents(path) for path in folder.iterdir()}
            assert "old" in found or contents(folder / "result") == "new"
            if files.written:
                assert "new" in found
                self.check_named(folder, "new", message, caplog.text)

    def replace(self, target, files):
        """Replace a folder on a failing file system and return the message of the error."""
        files.written = False
        try:
            with replace_folder(files, str(target), OURS, overwrite=True) as work:
                fill(Path(work), "new")
                files.written = True
        except (OSError, UnexpectedError, KeyboardInterrupt) as error:
            raised = error
        else:
            return ""
        expected = OutputError if isinstance(files.error, OSError) and files.written else type(files.error)
        assert type(raised) is expected
        return str(raised)

    def check(self, folder, old, message, log):
        found = {path.name: contents(path) for path in folder.iterdir()}
        target = found.pop("result", None)
        if target == "new":
            assert set(found.values()) <= {old}
            return
        assert target == old, "the old folder has its name"
        if "new" in found.values():
            self.check_named(folder, "new", message, log)

    def check_named(self, folder, wanted, message, log):
        (place,) = (path for path in folder.iterdir() if contents(path) == wanted)
        if place.name != "result":
            assert str(place) in message + log

    def test_the_message_names_the_complete_result(self, tmp_path):
        target = tmp_path / "result"
        write(target, "old")
        steps = count_steps(target, overwrite=True)
        write(target, "old", overwrite=True)
        message = self.replace(target, FailingFileSystem({steps - 3}, OSError("disk gone"), after=False))
        (work,) = (path for path in tmp_path.iterdir() if path != target)
        assert (contents(work), contents(target)) == ("new", "old")
        assert message == f"{target} cannot be written: disk gone. The complete result is in {work}; rename it by hand."

    def test_a_name_that_cannot_be_given_back_is_named(self, tmp_path, caplog):
        target = tmp_path / "result"
        write(target, "old")
        renames = []

        class Stubborn(LocalFileSystem):
            def rename(self, old, new):
                renames.append(new)
                if new == str(target):
                    raise PermissionError(13, "Permission denied", old)
                super().rename(old, new)

        with pytest.raises(OutputError) as caught:
            write(target, "new", Stubborn(), overwrite=True)
        replaced = Path(renames[0])
        (work,) = (path for path in tmp_path.iterdir() if path != replaced)
        assert (contents(replaced), contents(work)) == ("old", "new")
        assert str(caught.value).endswith(
            f"The complete result is in {work}; rename it by hand. The folder that was there before is in {replaced}."
        )
        assert f"{replaced} could not be renamed back to {target}" in caplog.text

    def test_an_interrupt_is_logged_with_the_place(self, tmp_path, caplog):
        target = tmp_path / "result"
        steps = count_steps(tmp_path / "count")
        self.replace(target, FailingFileSystem({steps - 2}, KeyboardInterrupt(), after=False))
        (work,) = (path for path in tmp_path.iterdir() if path.name.startswith(".result"))
        assert contents(work) == "new"
        assert f"KeyboardInterrupt before {target} was written. The complete result is in {work}" in caplog.text


class TestTargetThatAppears:
    def test_it_stays_and_the_result_is_kept(self, tmp_path):
        target = tmp_path / "result"
        moved = []

        class Watched(LocalFileSystem):
            def rename(self, old, new):
                moved.append(old)
                super().rename(old, new)

        def write_late():
            with replace_folder(Watched(), str(target), OURS) as work:
                fill(Path(work), "late")
                write(target, "early")

        with pytest.raises(OutputError) as caught:
            write_late()
        (work,) = (path for path in tmp_path.iterdir() if path != target)
        assert (contents(target), contents(work)) == ("early", "late")
        assert moved == []
        assert str(caught.value) == (
            f"{target} cannot be written: {target} already exists. Pass overwrite=True (--overwrite on the command "
            f"line) to replace it. The complete result is in {work}; rename it by hand."
        )

    def test_between_the_last_check_and_the_renaming(self, tmp_path):
        target = tmp_path / "result"

        class Race(LocalFileSystem):
            def rename(self, old, new):
                if new == str(target):
                    fill(target, "early")
                super().rename(old, new)

        with pytest.raises(OutputError, match="File exists"):
            write(target, "late", Race())
        (work,) = (path for path in tmp_path.iterdir() if path != target)
        assert (contents(target), contents(work)) == ("early", "late")

    def test_an_empty_target_that_somebody_fills_is_not_removed(self, tmp_path):
        target = tmp_path / "result"
        target.mkdir()

        class Race(LocalFileSystem):
            def rename(self, old, new):
                if old == str(target):
                    (target / "notes.txt").write_text("mine")
                super().rename(old, new)

        with pytest.raises(OutputError, match=r"already exists\. Remove it first"):
            write(target, "new", Race())
        assert (target / "notes.txt").read_text() == "mine"
        assert {contents(path) for path in tmp_path.iterdir()} == {"new", None}


@pytest.fixture
def dead():
    """The id of a process that has ended, and when it started."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    started = folders._started(process.pid)
    process.communicate(b"\n")
    return process.pid, started


@pytest.fixture
def living():
    """The id of a process that runs, and when it started."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid, folders._started(process.pid)
        process.communicate(b"\n")


def sibling(target, state, owner, machine=None):
    pid, started = owner
    name = f".{target.name}-{state}-{machine or folders._machine()}-{pid}-{started}-0123abcd"
    return target.with_name(name)


@pytest.mark.parametrize(
    ("target", "parent"), [("C:/a/b", "C:/a/"), ("C:/b", "C:/"), ("//host/share/b", "//host/share/"), ("b", "")]
)
def test_a_sibling_of_a_folder_of_windows_is_beside_it(target, parent):
    assert folders._sibling(target, "incomplete").startswith(f"{parent}.b-incomplete-")


def test_a_drive_is_not_a_folder_to_write():
    with pytest.raises(OutputError, match="'C:/' is the root of a file system"):
        folders._sibling("C:/", "incomplete")


@pytest.mark.parametrize("uri", ["file:/C:/a", "file:///C:/a"])
def test_a_uri_may_name_a_drive(uri):
    assert folders._plain(uri) == Path("C:/a")


def test_this_process_gets_no_signal(monkeypatch):
    """On Windows, signal 0 is Ctrl-C."""

    def kill(pid, signal):
        pytest.fail("a signal was sent")

    monkeypatch.setattr(folders, "_started", lambda _: None)  # as without /proc
    monkeypatch.setattr(os, "kill", kill)
    assert not folders._is_dead(str(os.getpid()), "0")


class TestSiblings:
    """What killed writers leave beside the target."""

    @pytest.fixture
    def target(self, tmp_path):
        return tmp_path / "result"

    def test_a_killed_writer_leaves_what_the_next_one_removes(self, target):
        script = (
            "import os, sys\n"
            "from sparkalbert.storage.folders import FolderKind, write_folder\n"
            "with write_folder(sys.argv[1], FolderKind('complete', lambda _: True)) as work:\n"
            "    (work / 'data').write_text('half')\n"
            "    os._exit(9)"
        )
        subprocess.run([sys.executable, "-c", script, str(target)], check=False, timeout=60)
        (left,) = names(target.parent)
        assert left.startswith(".result-incomplete-")
        write(target)
        assert names(target.parent) == ["result"]

    def test_unfinished_work_of_a_dead_process_is_removed(self, target, dead):
        half = sibling(target, "incomplete", dead)
        half.mkdir()
        (half / "data").write_text("half")
        write(target)
        assert names(target.parent) == ["result"]

    def test_of_a_process_whose_number_is_used_again(self, target):
        half = sibling(target, "incomplete", (os.getpid(), folders._started(os.getpid()) - 1))
        half.mkdir()
        write(target)
        assert names(target.parent) == ["result"]

    @pytest.mark.parametrize("state", ["incomplete", "replaced"])
    def test_finished_work_of_a_dead_process_is_kept_and_logged(self, target, dead, caplog, state):
        whole = sibling(target, state, dead)
        fill(whole, "precious")
        write(target)
        assert contents(whole) == "precious"
        assert str(whole) in caplog.text
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert {record.name for record in caplog.records} == {"sparkalbert"}

    @pytest.mark.parametrize("state", ["incomplete", "replaced"])
    def test_work_of_a_living_process_is_left_alone(self, target, living, caplog, state):
        half = sibling(target, state, living)
        half.mkdir()
        write(target)
        assert names(target.parent) == [half.name, "result"]
        assert caplog.text == ""

    def test_work_of_another_machine_or_container_is_left_alone_and_logged(self, target, dead, caplog):
        caplog.set_level(logging.INFO, "sparkalbert")
        half = sibling(target, "incomplete", dead, machine="0" * 12)
        half.mkdir()
        write(target)
        assert half.exists()
        assert [record.levelno for record in caplog.records] == [logging.INFO]
        assert str(half) in caplog.text

    @pytest.mark.parametrize("state", ["incomplete", "replaced"])
    def test_finished_work_of_another_boot_is_named(self, target, dead, caplog, state):
        whole = sibling(target, state, dead, machine="0" * 12)
        fill(whole, "precious")
        write(target)
        assert contents(whole) == "precious"
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert str(whole) in caplog.text
        assert "of another machine or boot" in caplog.text

    def test_a_process_that_proc_hides_is_not_declared_dead(self, target, living, monkeypatch):
        half = sibling(target, "incomplete", living)
        half.mkdir()
        shown = folders._started
        monkeypatch.setattr(folders, "_started", lambda pid: None if pid == living[0] else shown(pid))
        write(target)
        assert half.exists()

    def test_siblings_of_other_targets_are_left_alone(self, target, dead):
        other = sibling(target.with_name("another-result"), "incomplete", dead)
        other.mkdir()
        (target.parent / ".result-incomplete-by-hand").mkdir()
        write(target)
        assert other.exists()
        assert (target.parent / ".result-incomplete-by-hand").exists()


class TestCheckTarget:
    def test_it_refuses_what_the_writer_would_refuse(self, tmp_path):
        check_target(tmp_path / "result", OURS)
        write(tmp_path / "result")
        with pytest.raises(OutputError, match=r"result already exists\. Pass overwrite=True"):
            check_target(tmp_path / "result", OURS)
        check_target(tmp_path / "result", OURS, overwrite=True)
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match=r"already exists\. Remove it first"):
            check_target(tmp_path / "file", OURS, overwrite=True)


class TestWriteFolder:
    def test_the_home_folder_is_expanded(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        with write_folder("~/result", OURS) as work:
            (work / "data").write_text("new")
        assert names(tmp_path) == ["result"]

    def test_parents_are_created(self, tmp_path):
        with write_folder(tmp_path / "deep" / "er", OURS) as work:
            (work / "data").write_text("new")
        assert (tmp_path / "deep" / "er" / "data").read_text() == "new"

    def test_a_link_keeps_its_place(self, tmp_path):
        write(tmp_path / "real", "old")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with write_folder(tmp_path / "link", OURS, overwrite=True) as work:
            (work / "data").write_text("new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "data").read_text() == "new"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
    def test_a_full_disk(self, tmp_path):
        def fill_disk():
            with write_folder(tmp_path / "result", OURS), Path("/dev/full").open("w") as file:
                file.write("x")

        with pytest.raises(OutputError) as caught:
            fill_disk()
        assert str(caught.value) == (
            f"{tmp_path / 'result'} cannot be written: [Errno 28] No space left on device. Free space there, or choose "
            "another folder."
        )
        assert names(tmp_path) == []

    def test_a_parent_that_is_a_file(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with (
            pytest.raises(OutputError, match=r"result cannot be written: .*Not a directory.*Choose another folder"),
            write_folder(tmp_path / "file" / "result", OURS),
        ):
            pass


class TestLocalFileSystem:
    def test_paths_may_be_uris(self, tmp_path):
        with replace_folder(FILES, f"file:{tmp_path}/result", OURS) as work:
            assert work.startswith(f"file:{tmp_path}/.result-incomplete-")
            fill(Path(work.removeprefix("file:")), "new")
        assert contents(tmp_path / "result") == "new"
        assert FILES.names(f"file:{tmp_path}") == ["result"]

    def test_rename_never_replaces(self, tmp_path):
        (tmp_path / "old").mkdir()
        (tmp_path / "new").mkdir()
        with pytest.raises(FileExistsError):
            FILES.rename(str(tmp_path / "old"), str(tmp_path / "new"))

    def test_a_link_is_removed_without_what_it_points_to(self, tmp_path):
        write(tmp_path / "real", "kept")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        FILES.remove(str(tmp_path / "link"))
        assert names(tmp_path) == ["real"]

    def test_files_are_copied_both_ways(self, tmp_path):
        (tmp_path / "file").write_text("x")
        FILES.upload(tmp_path / "file", f"file:{tmp_path}/a/b")
        FILES.download(f"file:{tmp_path}/a/b", tmp_path / "back")
        assert (tmp_path / "back").read_text() == "x"
