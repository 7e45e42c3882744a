"""Runs a standalone Spark cluster of real processes on loopback; each worker is a node with a cache of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pyspark

import sparkalbert
from sparkalbert.storage.homes import HOME_VARIABLE

__all__ = ["Cluster", "Node", "running_cluster", "wait_for"]

_SPARK = Path(pyspark.__file__).parent
_PACKAGES = Path(sparkalbert.__file__).parents[1]
_LIMIT_S = 240.0
_POLL_S = 0.1
_END_S = 30.0
_MASTER_URL = re.compile(r"Starting Spark master at (spark://\S+)")
_UI_PORT = re.compile(r"service 'MasterUI' on port (\d+)")

T = TypeVar("T")


def wait_for(state: Callable[[], T], description: str, limit_s: float = _LIMIT_S) -> T:
    """Poll a state and return its first true value."""
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        found = state()
        if found:
            return found
        time.sleep(_POLL_S)
    msg = f"Waited {limit_s:.0f} s in vain: {description}."
    raise TimeoutError(msg)


class Node:
    """A worker of the cluster, with the processes that run on it.

    Parameters
    ----------
    folder
        Where its cache (``home``) and the logs of its executors (``work``) are.
    is_bare
        Whether its executors see neither our packages nor a Python that has them.
    """

    def __init__(self, folder: Path, *, is_bare: bool) -> None:
        self.folder = folder
        self._is_bare = is_bare
        self.home = folder / "home"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the worker was started and not stopped."""
        return self._process is not None

    def start(self, master: str) -> None:
        """Start the worker."""
        self.home.mkdir(parents=True, exist_ok=True)
        options = ["--port", "0", "--cores", "2", "--memory", "1g", "--work-dir", str(self.folder / "work")]
        environment = {HOME_VARIABLE: str(self.home), "SPARK_LOCAL_DIRS": str(self.folder / "local")}
        if not self._is_bare:
            environment |= {"PYTHONPATH": str(_PACKAGES), "PYSPARK_PYTHON": sys.executable}
        self._process = _start("worker.Worker", [*options, master], self.folder / "log", environment)

    def stop(self) -> None:
        """Stop the worker and every process on this node."""
        if self._process is not None:
            _stop(self._process)
        self._process = None

    def executors(self) -> list[psutil.Process]:
        """Return the JVMs that run tasks."""
        worker = [] if self._process is None else [psutil.Process(self._process.pid)]
        return _children(worker, "CoarseGrainedExecutorBackend")

    def daemons(self) -> list[psutil.Process]:
        """Return the processes that the Python workers are forked from."""
        return _children(self.executors(), "pyspark.daemon")

    def python_workers(self) -> list[psutil.Process]:
        """Return the Python workers."""
        return _children(self.daemons(), "pyspark.daemon")

    def workers_with(self, file: Path) -> list[psutil.Process]:
        """Return the Python workers that have a file open or mapped."""
        return [worker for worker in self.python_workers() if _uses(worker, file)]

    def fetched(self, application: str, name: str) -> int:
        """Return how often the executors of an application fetched a file, according to their logs."""
        logs = (self.folder / "work" / application).glob("*/stderr")
        return sum(
            len(re.findall(rf"Fetching spark://\S+/files/{re.escape(name)} with timestamp", log.read_text()))
            for log in logs
        )


class Cluster:
    """A master and two nodes."""

    def __init__(self, folder: Path, *, is_bare: bool) -> None:
        self._log = folder / "master.log"
        self._process = _start("master.Master", ["--port", "0"], self._log, {})
        self.nodes = tuple(Node(folder / name, is_bare=is_bare) for name in "ab")

    @cached_property
    def url(self) -> str:
        """Of the master, once it runs."""
        return wait_for(lambda: self._logged(_MASTER_URL), "the master runs")

    @cached_property
    def _ui(self) -> str:
        return wait_for(lambda: self._logged(_UI_PORT), "the page of the master is there")

    def start_missing(self) -> None:
        """Start the nodes that do not run, and wait until the master knows them."""
        for node in self.nodes:
            if not node.is_running:
                node.start(self.url)
        self._wait_for_workers()

    def stop_node(self, node: Node) -> None:
        """Stop a node, and wait until the master knows."""
        node.stop()
        self._wait_for_workers()

    def stop(self) -> None:
        """Stop every process."""
        for node in self.nodes:
            node.stop()
        _stop(self._process)

    def _wait_for_workers(self) -> None:
        running = sum(node.is_running for node in self.nodes)
        wait_for(lambda: self._alive_workers() == running, f"the master knows {running} workers")

    def _alive_workers(self) -> int | None:
        try:
            with urlopen(f"http://127.0.0.1:{self._ui}/json/", timeout=_END_S) as answer:
                return int(json.load(answer)["aliveworkers"])
        except HTTPError:  # the page is served before it is complete
            return None

    def _logged(self, pattern: re.Pattern[str]) -> str:
        assert self._process.poll() is None, self._log.read_text()
        found = pattern.search(self._log.read_text())
        return found[1] if found else ""


@contextmanager
def running_cluster(folder: Path, *, is_bare: bool = False) -> Iterator[Cluster]:
    """Yield a running cluster, and stop it."""
    started = Cluster(folder, is_bare=is_bare)
    try:
        started.start_missing()
        yield started
    finally:
        started.stop()


def _start(name: str, arguments: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a class of Spark's own, on loopback and ports that are free."""
    command = [_SPARK / "bin" / "spark-class", f"org.apache.spark.deploy.{name}"]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PY"))}
    settings = {
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_HOME": str(_SPARK),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    with log.open("a") as output:
        return subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--webui-port", "0", *arguments],
            env={**inherited, **settings, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its descendants."""
    try:
        first = psutil.Process(process.pid)
        family = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:  # it has ended by itself
        return
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=_END_S)
    for left in alive:
        left.kill()
    process.wait(_END_S)


def _children(parents: list[psutil.Process], name: str) -> list[psutil.Process]:
    """Return the children of processes whose command contains a name; processes that end meanwhile are left out."""
    found = []
    for parent in parents:
        with suppress(psutil.NoSuchProcess):
            found += [child for child in parent.children() if name in " ".join(_command(child))]
    return found


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return []


def _uses(process: psutil.Process, file: Path) -> bool:
    """Return whether a process has a file mapped or open; false if it has ended."""
    folder = Path("/proc") / str(process.pid)
    try:
        return str(file) in (folder / "maps").read_text() or file in [link.readlink() for link in folder.glob("fd/*")]
    except OSError:  # the process has ended, or has closed a file meanwhile
        return False
