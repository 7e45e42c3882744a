"""Hadoop's file systems behind our protocol, and folders that Spark writes: as a whole or not at all."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from sparkalbert.errors import OutputError
from sparkalbert.ml import files as files_module
from sparkalbert.ml.files import (
    HadoopFileSystem,
    literal_path,
    reads_from,
    remote_files,
    shares_files,
    spark_folder,
    spark_path,
)
from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.storage import folders
from sparkalbert.storage.folders import FolderKind


@pytest.fixture
def hadoop(spark):
    return HadoopFileSystem(spark)


def test_files_are_listed_copied_renamed_and_removed(hadoop, tmp_path):
    source, folder = tmp_path / "source", f"file:{tmp_path}/a b/%41"
    source.write_bytes(b"bytes")
    hadoop.upload(source, f"{folder}/one")
    assert (tmp_path / "a b" / "%41" / "one").read_bytes() == b"bytes"
    assert hadoop.exists(folder)
    assert hadoop.names(folder) == ["one"]
    hadoop.download(f"{folder}/one", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"bytes"
    hadoop.rename(folder, f"{folder}2")
    assert not hadoop.exists(folder)
    hadoop.remove(f"{folder}2")
    assert not (tmp_path / "a b" / "%412").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [], "no checksum files"


def test_a_rename_onto_a_folder_moves_nothing_into_it(hadoop, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with pytest.raises(FileExistsError):
        hadoop.rename(f"{tmp_path}/old", f"{tmp_path}/new")
    assert (tmp_path / "new" / "file").read_text() == "new"
    assert (tmp_path / "old" / "file").read_text() == "old"


@pytest.mark.parametrize(
    "fail",
    [
        lambda hadoop, folder: hadoop.names(f"{folder}/nothing"),
        lambda hadoop, folder: hadoop.names(f"{folder}/file"),
        lambda hadoop, folder: hadoop.rename(f"{folder}/nothing", f"{folder}/new"),
        lambda hadoop, folder: hadoop.download(f"{folder}/nothing", Path(folder) / "copy"),
        lambda hadoop, folder: hadoop.upload(Path(folder) / "nothing", f"{folder}/new"),
        lambda hadoop, _: hadoop.exists("nosuchscheme://host/x"),  # UnsupportedFileSystemException
        lambda hadoop, _: hadoop.exists(""),  # IllegalArgumentException, which pyspark turns into its own
        lambda hadoop, folder: hadoop.rename(f"{folder}/file", "hdfs://host/x"),  # another one: Wrong FS
    ],
)  # fmt: skip
def test_every_failure_is_an_os_error_of_one_line(hadoop, tmp_path, fail):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError) as raised:
        fail(hadoop, str(tmp_path))
    assert str(raised.value)
    assert "\n" not in str(raised.value)


def kind(files):
    return FolderKind("_SUCCESS", is_ours=lambda folder: files.exists(f"{folder}/_SUCCESS"))


def write(spark, path, text, during=lambda: None, *, overwrite=False):
    with spark_folder(spark, str(path), kind, overwrite=overwrite) as (folder, _):
        spark.range(1).select(F.lit(text).alias("value")).write.text(folder)
        during()


def text_in(folder):
    assert (folder / "_SUCCESS").exists()
    return "".join(path.read_text() for path in folder.glob("part-*")).strip()


class Patched:
    """A file system of the JVM whose rename onto a path does something else."""

    def __init__(self, system, target, rename):
        self._system = system
        self._target = target
        self._rename = rename

    def __getattr__(self, name):
        return getattr(self._system, name)

    def rename(self, old, new):
        if new.toUri().getPath() == self._target:
            return self._rename(self._system, old, new)
        return self._system.rename(old, new)


@pytest.fixture
def renames(monkeypatch):
    """Replace what the JVM's rename onto a path does."""
    real = HadoopFileSystem._system

    def patch(target, rename):
        monkeypatch.setattr(
            HadoopFileSystem, "_system", lambda self, path: Patched(real(self, path), str(target), rename)
        )

    return patch


def refused(system, old, new):
    return False


def failing(system, old, new):
    return system.open(old).close()  # a folder: FileNotFoundException, as py4j passes it on


def forbidden(system, old, new):
    return system.makeQualified(system.getWorkingDirectory().getClass().forName("no.such.Class"))


@pytest.mark.parametrize("rename", [refused, failing, forbidden])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_result_that_cannot_be_renamed_is_kept_and_named(spark, tmp_path, renames, rename, overwrite):
    out = tmp_path / "out"
    if overwrite:
        write(spark, out, "old")
    renames(out, rename)
    with pytest.raises(OutputError) as raised:
        write(spark, out, "new", overwrite=overwrite)
    (work,) = tmp_path.glob(".out-incomplete-*")
    assert text_in(work) == "new"
    assert str(raised.value).startswith(f"{out} cannot be written: ")
    assert f"The complete result is in {work}; rename it by hand." in str(raised.value)
    if not overwrite:
        assert not out.exists()
    elif out.exists():
        assert text_in(out) == "old"
    else:  # the file system refuses every rename to that name, back as well
        (replaced,) = tmp_path.glob(".out-replaced-*")
        assert text_in(replaced) == "old"
        assert f"The folder that was there before is in {replaced}." in str(raised.value)


def test_a_rename_that_is_refused_once_leaves_the_old_output_in_place(spark, tmp_path, renames):
    out, calls = tmp_path / "out", []

    def once(system, old, new):
        calls.append(new)
        return failing(system, old, new) if len(calls) == 1 else system.rename(old, new)

    write(spark, out, "old")
    renames(out, once)
    with pytest.raises(OutputError, match="The complete result is in"):
        write(spark, out, "new", overwrite=True)
    assert text_in(out) == "old"
    assert [text_in(work) for work in tmp_path.glob(".out-*")] == ["new"]


def test_a_target_that_appeared_meanwhile_is_left_alone(any_spark, tmp_path):
    out = tmp_path / "out"

    def appear():
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")

    for overwrite in (False, True):
        with pytest.raises(OutputError, match="already exists") as raised:
            write(any_spark, out, "new", appear, overwrite=overwrite)
        (work,) = tmp_path.glob(".out-incomplete-*")
        assert text_in(work) == "new"
        assert str(work) in str(raised.value)
        assert [path.name for path in out.iterdir()] == ["thesis.txt"]
        for path in (out / "thesis.txt", out, *work.iterdir(), work):
            path.unlink() if path.is_file() else path.rmdir()


def test_a_target_that_appears_at_the_last_moment_is_left_alone(spark, tmp_path, renames):
    """Hadoop's rename then moves the folder into the other one."""
    out = tmp_path / "out"

    def appear(system, old, new):
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")
        return system.rename(old, new)

    renames(out, appear)
    with pytest.raises(OutputError, match="The complete result is in") as raised:
        write(spark, out, "new")
    (work,) = tmp_path.glob(".out-incomplete-*")
    assert text_in(work) == "new"
    assert str(work) in str(raised.value)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_what_a_killed_driver_left_is_removed_or_named(any_spark, tmp_path, caplog):
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    owner = f"{folders._machine()}-{process.pid}-{folders._started(process.pid)}"
    process.communicate(b"\n")
    half, whole = (tmp_path / f".out-{state}-{owner}-0123abcd" for state in ("incomplete", "replaced"))
    write(any_spark, whole, "old")
    half.mkdir()
    (half / "part-0").write_text("half")
    write(any_spark, out, "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [whole.name, "out"]
    assert (text_in(whole), text_in(out)) == ("old", "new")
    assert str(whole) in caplog.text


def test_a_failed_write_leaves_nothing(any_spark, tmp_path):
    def fail():
        (next(tmp_path.glob(".out-incomplete-*")) / "_SUCCESS").unlink()
        return {}["stop"]

    with pytest.raises(KeyError, match="stop"):
        write(any_spark, tmp_path / "out", "new", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyError("stop"), KeyboardInterrupt()])
def test_an_error_after_the_write_keeps_and_names_the_result(any_spark, tmp_path, caplog, error):
    def fail():
        raise error

    with pytest.raises(type(error)):
        write(any_spark, tmp_path / "out", "new", fail)
    (work,) = tmp_path.iterdir()
    assert text_in(work) == "new"
    assert f"The complete result is in {'file:' if is_connect_session(any_spark) else ''}{work}" in caplog.text


def test_a_folder_of_windows_is_written_with_slashes(spark, monkeypatch):
    targets = []
    monkeypatch.setattr(
        files_module, "replace_folder", lambda _, target, *__, **___: nullcontext(targets.append(target))
    )
    for path in (r"C:\vectors\mine", "C:/vectors/mine/"):
        with spark_folder(spark, path, kind):
            pass
    assert targets == ["C:/vectors/mine"] * 2


def test_a_folder_that_cannot_be_removed_is_an_error(hadoop, tmp_path, monkeypatch):
    class Stubborn:
        def __init__(self, system):
            self._system = system

        def __getattr__(self, name):
            return getattr(self._system, name)

        def delete(self, *_):
            return False

    real = HadoopFileSystem._system
    monkeypatch.setattr(HadoopFileSystem, "_system", lambda self, path: Stubborn(real(self, path)))
    (tmp_path / "folder").mkdir()
    with pytest.raises(PermissionError, match="refused to remove"):
        hadoop.remove(f"{tmp_path}/folder")
    hadoop.remove(f"{tmp_path}/nothing")


def test_the_home_folder_is_this_users(any_spark, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(any_spark, "~/out", "new")
    assert text_in(tmp_path / "out") == "new"
    assert any_spark.read.text(spark_path(any_spark, "~/out")).first().value == "new"


def test_a_folder_that_cannot_be_reached_is_named(spark):
    with pytest.raises(OutputError, match=r"nosuchscheme://host/out cannot be written: .*nosuchscheme"):
        write(spark, "nosuchscheme://host/out", "new")


def test_a_client_that_shares_no_files_writes_through_spark(connect_spark, tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "shares_files", lambda *_: False)
    checked = []
    with spark_folder(connect_spark, f"{tmp_path}/out/", kind, check_remote=checked.append) as (folder, files):
        assert (folder, files) == (f"{tmp_path}/out", None)
    assert checked == [f"{tmp_path}/out"]


def test_files_of_the_server_are_listed(connect_spark, tmp_path):
    assert remote_files(connect_spark, f"{tmp_path}/nothing") == []
    connect_spark.range(1).coalesce(1).write.parquet(f"{tmp_path}/out/deep")
    assert [path.rpartition("/")[2][:5] for path in remote_files(connect_spark, f"{tmp_path}/out")] == ["part-"]


def test_relative_paths_are_those_of_this_process(any_spark, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    connect = type(any_spark).__module__.startswith("pyspark.sql.connect")
    for path, absolute in [("here.txt", f"file:{tmp_path}/here.txt"), (f"{tmp_path}", f"file:{tmp_path}")]:
        assert spark_path(any_spark, path) == (absolute if connect else path)
    for path in ("s3a://bucket/x", "/no/such/path"):
        assert spark_path(any_spark, path) == path


def test_write_and_read_mean_the_same_folder(connect_spark, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, place in [("rel", "rel"), (f"file:{tmp_path}/%41", "%41"), (f"file://{tmp_path}/a b", "a b")]:
        write(connect_spark, path, "new")
        assert text_in(tmp_path / place) == "new"
        assert connect_spark.read.text(spark_path(connect_spark, path)).first().value == "new"


@pytest.mark.parametrize("path", ["file", "no/such/folder/yet", "a b/%41"])
def test_a_server_on_this_machine_shares_files(connect_spark, tmp_path, monkeypatch, path):
    seen = []

    def literal(path):
        seen.append(connect_spark.read.format("binaryFile").load(f"file:{tmp_path}").inputFiles())
        assert len(list(tmp_path.iterdir())) == 1
        return literal_path(path)

    monkeypatch.setattr(files_module, "literal_path", literal)
    assert shares_files(connect_spark, tmp_path / path)
    assert seen == [[]], "a job that reads the folder meanwhile sees no file of ours"
    assert list(tmp_path.iterdir()) == []


def test_the_signs_of_a_pattern_are_part_of_a_name(any_spark, tmp_path):
    for name in ("[ab]", "{a,b}", "a*", "a?", "a\\b"):
        write(any_spark, tmp_path / name / "out", name)
        assert any_spark.read.text(literal_path(f"{tmp_path}/{name}/out")).first().value == name
        assert text_in(tmp_path / name / "out") == name
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["out"]


@pytest.mark.parametrize("content", [None, b"of another machine"])
def test_a_server_that_sees_other_files_does_not(connect_spark, tmp_path, monkeypatch, content):
    def write_elsewhere(path, *_, **__):
        if content is not None:
            path.write_bytes(content)

    monkeypatch.setattr(Path, "write_text", write_elsewhere)
    assert not shares_files(connect_spark, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_not_shared_and_the_reason_is_logged(connect_spark, caplog):
    assert not shares_files(connect_spark, Path("/proc/self/no/such/folder"))
    assert caplog.messages == []
    assert not shares_files(connect_spark, Path("/proc/self/out"))
    (message,) = caplog.messages
    assert message.startswith("This Spark Connect client cannot write to /proc/self (")
    assert message.endswith(") and leaves /proc/self/out to the server.")


@pytest.mark.parametrize(
    ("folder", "file", "expected"),
    [
        ("file:/d/once", "file:///d/once/part-0", True),
        ("file:/d/once", "file:/d/once2/part-0", False),
        ("file:/d/once/", "file:/d/deep/../once/lang=en/part-0", True),
        ("file:/d/a b/%41", "file:///d/a%20b/%2541/part-0", True),
        ("file:/d/part-0", "file:/d/part-0", True),
        ("hdfs://nn/d/t", "hdfs://nn:8020/d/t/part-0", True),
        ("hdfs://nn/d/t", "hdfs://other/d/t/part-0", False),
        ("s3a://bucket/d", "s3://bucket/d/x", True),
        ("s3a://curated/d", "s3a://raw/d/x", False),
        ("abfss://one@account.net/d", "abfss://two@account.net/d/x", False),
        ("abfss://one@account.net/d", "abfss://one@account.net/d/x", True),
        ("/d/t", "hdfs://nn/d/t/part-0", True),  # of a Spark Connect client, which does not know its file system
        ("/d/t", "hdfs://nn/d/u/part-0", False),
    ],
)
def test_the_files_in_a_folder_are_found(folder, file, expected):
    assert files_module._contains(folder, ["hdfs://nn/else/x", file]) is expected
    assert not files_module._contains(folder, [])


def test_a_path_without_a_scheme_is_one_of_the_default_file_system(spark, tmp_path, far, setting):
    url = far(spark)
    (tmp_path / "far" / "a b").mkdir()
    (tmp_path / "far" / "a b" / "lines.txt").write_text("line")
    frame = spark.read.format("binaryFile").load(f"{url}/a b")
    assert reads_from(frame, f"{url}/a b/")
    assert not reads_from(frame, "/folder/a b")
    with setting(spark, "fs.defaultFS", url.removesuffix("/folder")):
        assert reads_from(frame, "/folder/a b")
        assert not reads_from(frame, "/folder/a")


def test_a_file_behind_a_link_is_found(any_spark, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "lines.txt").write_text("line")
    (tmp_path / "link").symlink_to(tmp_path / "texts")
    for read in ("texts", "link", "li*k"):
        frame = any_spark.read.format("binaryFile").load(f"file:{tmp_path}/{read}")
        for folder in ("texts", "link", f"file:{tmp_path}/texts", f"{tmp_path}/link/"):
            path = folder if is_connect_session(any_spark) or folder.startswith(("file:", "/")) else tmp_path / folder
            assert reads_from(frame, str(path))
        assert not reads_from(frame, f"{tmp_path}/other")
