"""Rounds: every system once per round, in alternating order, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import sparkalbert
from sparkalbert.bench.system import Result, Spec
from sparkalbert.errors import InferenceError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Notify", "alternation", "run_rounds"]

Notify = Callable[[str, float, float], None]
"""Called with a line that describes the step, the number of finished steps and that of all; 0 and 0 if unknown."""

_END_S: Final = 30
_LOG_LINES: Final = 15


def alternation(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield names in the order in which they run: forwards and backwards in turn.

    Examples
    --------
    >>> list(alternation(["a", "b", "c"], 2))
    ['a', 'b', 'c', 'c', 'b', 'a']
    """
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def run_rounds(specs: Sequence[Spec], rounds: int, notify: Notify) -> list[Result]:
    """Prepare every system, run all of them in alternation and return what was measured.

    A system whose environment lacks a package is skipped, and its result gives the reason.

    Parameters
    ----------
    specs
        The systems.
    rounds
        How often each system runs.
    notify
        Called with a description of each step.

    Raises
    ------
    InferenceError
        If a system fails; the message ends with the last lines that its process printed.
    """
    results = {spec.name: Result(spec) for spec in specs}
    processes: dict[str, _SystemProcess] = {}
    with ExitStack() as stack:
        for result in results.values():
            spec = result.spec
            if spec.missing:
                result.skipped = spec.missing
                continue
            key = spec.process or spec.name
            if key not in processes:
                processes[key] = stack.enter_context(_SystemProcess(spec.python))
            notify(f"preparing {spec.title} ({spec.precision})", 0, 0)
            processes[key].prepare(result)
        running = [name for name, result in results.items() if not result.skipped]
        for step, name in enumerate(alternation(running, rounds)):
            result = results[name]
            spec = result.spec
            line = f"round {len(result.seconds) + 1} of {rounds}: {spec.title} ({spec.precision})"
            notify(line, step, rounds * len(running))
            processes[spec.process or name].run(result)
    return list(results.values())


class _SystemProcess:
    """A Python process that runs one or more systems, see :mod:`sparkalbert.bench.child`.

    Parameters
    ----------
    python
        Its interpreter; empty for the interpreter of this process.
    """

    def __init__(self, python: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sparkalbert-bench-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        # Another environment must see this package, but not the packages beside it in site-packages.
        (folder / "sparkalbert").symlink_to(Path(sparkalbert.__file__).parent)
        self._log = (folder / "log.txt").open("w+", encoding="utf-8", errors="replace")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))}
        environment["PYTHONPATH"] = str(folder)
        self._process = subprocess.Popen(
            [python or sys.executable, "-m", "sparkalbert.bench.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            cwd=folder,
            text=True,
            start_new_session=True,  # so that everything it starts can be ended with it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process and everything that it started; after an error do not wait for what it computes."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # the process has ended before it read everything
                self._process.stdin.close()
        if error is not None:
            self._send(signal.SIGTERM)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._send(signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
        self._folder.cleanup()

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def prepare(self, result: Result) -> None:
        """Load a system, warm it up, and fill in what is known by then."""
        spec = result.spec
        answer = self._request({"do": "prepare", "name": spec.name, "kind": spec.kind, "arguments": spec.arguments})
        result.skipped = answer.get("skipped", "")
        result.settings = answer.get("settings", "")
        result.load_s = answer.get("load_s")
        result.warm_up_vectors = answer.get("warm_up_vectors")

    def run(self, result: Result) -> None:
        """Let a system embed the whole text once; add the seconds."""
        answer = self._request({"do": "run", "name": result.spec.name})
        result.seconds.append(answer["seconds"])
        result.measurements = answer["measurements"]
        result.load_s = result.measurements.get("load_s", result.load_s)
        result.memory_mb = _worker_memory(answer["memory_mb"], in_jvm=result.spec.kind == "spark_nlp")

    def _request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"failed": "its process ended"}
        if "failed" in answer:
            msg = f"The system {request['name']} failed: {answer['failed']}\n{self._last_lines()}"
            raise InferenceError(msg)
        return answer

    def _last_lines(self) -> str:
        self._log.seek(0)
        return "".join(self._log.readlines()[-_LOG_LINES:])


def _worker_memory(peaks_mb: Mapping[str, int], *, in_jvm: bool) -> int | None:
    """Return the memory, in MB, of the process that computes vectors.

    That is the JVM, or a Python worker if there is one, or the process itself.

    Examples
    --------
    >>> peaks_mb = {"own": 200, "python": 300, "java": 900}
    >>> _worker_memory(peaks_mb, in_jvm=True), _worker_memory(peaks_mb, in_jvm=False)
    (900, 300)
    """
    kinds = ("java",) if in_jvm else ("python", "own")
    return next((peaks_mb[kind] for kind in kinds if kind in peaks_mb), None)
