"""After Ctrl-C a command says what is at its target."""

import pytest

from sparkalbert.cli.files import reported_on_interrupt


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


def test_without_an_interrupt_nothing_is_said(tmp_path, capsys):
    with reported_on_interrupt(str(tmp_path)):
        pass
    assert capsys.readouterr() == ("", "")
