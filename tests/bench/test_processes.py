"""CPU seconds and memory of real processes, and of a ``/proc`` that is written here."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from sparkalbert.bench import processes
from sparkalbert.bench.processes import busy_cpu_s, family_cpu_s, memory_peaks, spent_cpu_s

PROC = Path("/proc")


@pytest.mark.skipif(not PROC.is_dir(), reason="needs Linux's /proc")
def test_cpu_seconds_are_those_of_a_process_and_of_what_it_started():
    """A child that works for 0.2 CPU seconds, then waits; before and after it has ended."""
    work = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    before = family_cpu_s(os.getpid())
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert family_cpu_s(process.pid)[process.pid] >= 0.15
        working = family_cpu_s(os.getpid())
        assert spent_cpu_s(before, working) >= 0.15
        process.communicate(b"\n")
    ended = family_cpu_s(os.getpid())
    assert spent_cpu_s(before, ended) >= 0.15
    assert spent_cpu_s(working, ended) is None, "a process that ends may take its seconds with it"
    assert family_cpu_s(process.pid) is None


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="needs POSIX's sysconf")
def test_cpu_seconds_are_read_from_the_fields_of_proc(tmp_path):
    ticks = os.sysconf("SC_CLK_TCK")
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are a part of user and nice
    (tmp_path / "stat").write_text(
        "cpu  " + " ".join(str(count * ticks) for count in (1, 2, 4, 1000, 2000, 8, 16, 32, 1, 2)) + "\ncpu0 1 1 1\n"
    )
    assert busy_cpu_s(tmp_path) == 1 + 2 + 4 + 8 + 16 + 32
    processes = {7: ("python", 1, (1, 2, 4, 8)), 8: ("a) b (c", 7, (16, 0, 0, 0)), 9: ("other", 1, (64, 0, 0, 0))}
    for pid, (name, parent, spent) in processes.items():
        (tmp_path / str(pid)).mkdir()
        # pid (name) state parent group session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime
        unused = "99 " * 9
        fields = " ".join(str(count * ticks) for count in spent)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {unused}{fields} 20 0\n")
    assert family_cpu_s(7, tmp_path) == {7: 1 + 2 + 4 + 8, 8: 16}
    assert family_cpu_s(8, tmp_path) == {8: 16}


def test_without_sysconf_cpu_seconds_are_unknown(monkeypatch, tmp_path):
    """As on Windows."""
    monkeypatch.delattr(os, "sysconf", raising=False)
    module = runpy.run_path(processes.__file__)
    assert module["busy_cpu_s"](tmp_path) is None
    assert module["family_cpu_s"](1, tmp_path) is None


def test_without_proc_nothing_is_known(tmp_path):
    assert family_cpu_s(os.getpid(), tmp_path) is None
    assert busy_cpu_s(tmp_path) is None
    assert memory_peaks(tmp_path) == {}


@pytest.mark.skipif(not PROC.is_dir(), reason="needs Linux's /proc")
def test_memory_peaks_count_processes_below_this_one():
    script = "data = bytearray(200_000_000); print('ready', flush=True); input()"
    command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        peaks = memory_peaks()
        child.communicate(b"\n")
    assert 190 <= peaks["python"] < 400
    assert peaks["own"] > 0


@pytest.mark.skipif(not PROC.is_dir(), reason="needs Linux's /proc")
def test_a_process_whose_name_is_not_utf_8_is_counted():
    script = (
        "open('/proc/self/comm', 'wb').write(b'\\xffjob'); data = bytearray(100_000_000); "
        "print('ready', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        status = processes._status(dict(processes._files("status", PROC))[child.pid])
        peaks = memory_peaks()
        child.communicate(b"\n")
    assert status["Name"] == "\ufffdjob"
    assert status["PPid"] == str(os.getpid())
    assert peaks["own"] > 0
