"""Files are written as a whole or not at all, and after Ctrl-C a command says what is at its target."""

import os
import threading
from pathlib import Path

import pytest

from sparkalbert.cli.files import check_not_input, check_target, reported_on_interrupt, whole_file


def interrupt(target, work=lambda: None, **options):
    def interrupted():
        with reported_on_interrupt(str(target), **options):
            work()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_a_target_that_does_not_exist_was_not_written(tmp_path, capsys):
    interrupt(tmp_path / "out")
    assert capsys.readouterr() == ("", f"{tmp_path / 'out'} was not written.\n")


def test_a_target_that_was_there_before_is_unchanged(tmp_path, capsys):
    interrupt(tmp_path)
    assert capsys.readouterr().err == f"{tmp_path} is unchanged.\n"


@pytest.mark.parametrize("existed", [True, False])
def test_a_target_that_was_renamed_into_place_is_complete(tmp_path, capsys, existed):
    target, work = tmp_path / "out", tmp_path / "work"
    work.mkdir()
    if existed:
        target.mkdir()

    def publish():
        if existed:
            target.rename(tmp_path / "old")
        work.rename(target)

    interrupt(target, publish)
    assert capsys.readouterr().err == f"{target} is complete.\n"


@pytest.mark.parametrize(("target", "options"), [("s3a://bucket/out", {}), ("out", {"on_server": True})])
def test_a_target_out_of_sight_is_left_to_its_marker(capsys, target, options):
    interrupt(target, **options)
    assert capsys.readouterr().err == f"{target} is complete only if it contains _SUCCESS.\n"


def test_each_target_has_its_line(tmp_path, capsys):
    page = tmp_path / "page.html"

    def interrupted():
        with reported_on_interrupt(page, None, tmp_path):
            with whole_file(page) as path:
                path.write_text("a page")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capsys.readouterr().err == f"{page} is complete.\n{tmp_path} is unchanged.\n"


def test_without_an_interrupt_nothing_is_said(tmp_path, capsys):
    with reported_on_interrupt(str(tmp_path)):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_appears_when_it_is_complete(tmp_path, before):
    target = tmp_path / "plan.json"
    if before:
        target.write_text(before)
    with whole_file(target) as path:
        path.write_text("new")
        assert (target.read_text() if before else target.exists()) == (before or False)
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("before", [None, "old"])
def test_an_interrupted_file_is_what_it_was_before(tmp_path, before):
    target = tmp_path / "plan.json"
    if before:
        target.write_text(before)

    def interrupted():
        with whole_file(target) as path:
            path.write_text("half of i")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == ([("plan.json", "old")] if before else [])


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with whole_file(tmp_path / "link") as path:
        path.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_directly(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    with whole_file(tmp_path / "pipe") as path:
        path.write_text("new")
    reader.join(10)
    assert read == ["new"]


def test_a_pipe_without_a_path_is_written_directly():
    """A shell passes ``/dev/fd/63`` for ``>(gzip > plan.json.gz)``; so is ``/dev/stdout`` in a pipe."""
    read, write = os.pipe()
    target = Path(f"/dev/fd/{write}")
    try:
        check_target(target, "--json")
        with whole_file(target) as path:
            path.write_text("new")
        assert os.read(read, 10) == b"new"
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("target", ["plan.json", "new.json", "texts/_plan.json", "texts/below/plan.json"])
def test_a_file_that_is_not_read_may_be_replaced(tmp_path, target):
    (tmp_path / "texts" / "below").mkdir(parents=True)
    (tmp_path / "texts" / "a.txt").write_text("a text")
    if target != "new.json":
        (tmp_path / target).write_text("an earlier record")
    for source in ("texts", "texts/*.txt", "nowhere", "x" * 300):
        check_not_input(tmp_path / target, "--json", str(tmp_path / source))
    check_not_input(tmp_path / target, "--json", "s3a://bucket/plan.json")
    check_not_input(None, "--json", str(tmp_path))
