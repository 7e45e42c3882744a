"""How a command fails: messages with their causes, and an orderly end on SIGTERM."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sparkalbert.cli.failures import failure_message, unwinding_on_sigterm
from sparkalbert.errors import BundleError, InferenceError, OutputError
from tests import tiny_bundle
from tests.child_processes import own_spark_environment

MANY_LINES = 60_000


def raised(error, cause):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_a_cause_that_the_message_lacks_is_appended():
    cause = BundleError("The bundle x has 1 problem:\n  - model.onnx is missing")
    error = raised(InferenceError("The Spark job failed."), cause)
    assert failure_message(error) == (
        "The Spark job failed.\nCaused by: The bundle x has 1 problem:\n  - model.onnx is missing"
    )


def test_a_cause_that_the_message_contains_is_not_repeated():
    cause = PermissionError(13, "Permission denied", "x")
    assert failure_message(raised(OutputError(f"x cannot be written: {cause}"), cause)).count("denied") == 1
    assert (
        failure_message(raised(OutputError("x cannot be written: x: Permission denied."), cause)).count("denied") == 1
    )


def test_a_cause_of_python_is_left_to_the_traceback():
    assert failure_message(raised(OutputError("--layers is 'a', expected numbers."), ValueError("invalid"))) == (
        "--layers is 'a', expected numbers."
    )


def test_an_error_of_the_operating_system_has_its_file():
    assert failure_message(OSError(28, "No space left on device", "record.json")) == (
        "record.json: No space left on device"
    )


def test_an_error_that_nobody_expects_has_no_message():
    assert failure_message(KeyError("x")) is None
    assert failure_message(ModuleNotFoundError("No module named 'colorsys'", name="colorsys")) is None


def terminate_self():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)


def test_sigterm_unwinds_the_block_and_handlers_are_restored():
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def work():
        with unwinding_on_sigterm():
            try:
                terminate_self()
            finally:
                cleaned.append(True)

    with pytest.raises(SystemExit) as ended:
        work()
    assert ended.value.code == 143
    assert cleaned == [True]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_failed_cleanup_after_sigterm_is_still_an_end_by_sigterm():
    def work():
        with unwinding_on_sigterm():
            try:
                terminate_self()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)  # a second one must not interrupt the cleanup
                raise OSError

    with pytest.raises(SystemExit) as ended:
        work()
    assert ended.value.code == 143


def test_sigterm_does_what_ctrl_c_does():
    called = []

    def interrupt(number, frame):
        called.append(number)
        raise KeyboardInterrupt

    def work():
        with unwinding_on_sigterm():
            terminate_self()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(SystemExit) as ended:
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 143
    assert called == [signal.SIGINT]


@pytest.mark.parametrize(
    ("sent", "to_group", "code", "last_line"),
    [
        (signal.SIGINT, False, 130, "Interrupted."),
        (signal.SIGTERM, False, 143, "Terminated."),
        (signal.SIGTERM, True, 143, "Terminated."),
    ],
    ids=["ctrl-c", "process", "group"],
)
def test_embed_ends_orderly_and_says_what_is_there(tmp_path, sent, to_group, code, last_line):
    """With a whole group, as `timeout` and service managers do, Spark's JVM gets the signal too."""
    lines = "".join(f"Line {number} is like no other.\n" for number in range(MANY_LINES))
    (tmp_path / "in.txt").write_text(lines, encoding="utf-8")
    words = ["embed", "in.txt", "--output", "out", "--model", str(tiny_bundle.bundle().path), "--master", "local[1]"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sparkalbert", *words],
        cwd=tmp_path,
        env=own_spark_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        deadline_s = time.monotonic() + 120
        while not list(tmp_path.glob(".out-incomplete-*")) and time.monotonic() < deadline_s:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        (os.killpg if to_group else os.kill)(process.pid, sent)
        shown = process.communicate(timeout=60)
    assert process.returncode == code, shown
    assert shown[0] == ""
    assert shown[1].endswith(f"out was not written.\n{last_line}\n")
    assert "Traceback" not in shown[1]
    assert not (tmp_path / "out").exists()
    if not to_group:  # without its JVM, Spark cannot remove anything; the next run does
        assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]
