"""Rounds: systems alternate with a reference in slices of some seconds, each system in a process of its own."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import sparkalbert
from sparkalbert.bench.system import Job, Result, Slice, Spec
from sparkalbert.errors import InferenceError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Notify", "Schedule", "run_rounds", "turns"]

Notify = Callable[[str, float, float], None]
"""Called with a line that describes the step, the number of finished steps and that of all; 0 and 0 if unknown."""

_SLICES: Final = 6
"""Largest number of slices in a round. They are short because Spark ends workers that are idle for a minute."""

_OF_SPARK: Final = ("PYSPARK_", "SPARK_")
"""Environment variables of Spark, which would let a system use another installation or other settings."""

_SMALL_PART: Final = 4
_SHORTEST_S: Final = 1e-6
_END_S: Final = 30
_LOG_LINES: Final = 15


@dataclass(frozen=True)
class Schedule:
    """How long each system runs.

    Attributes
    ----------
    rounds
        Number of rounds.
    seconds
        Seconds of each system in a round, about, and at least if its rate stays the same. Each system first runs as
        long without being measured.
    rows
        Number of rows of the text.
    min_rows
        Smallest number of rows of a job, so that the cores have about the same amount of work and full batches.
    """

    rounds: int
    seconds: float
    rows: int
    min_rows: int

    @property
    def slice_s(self) -> float:
        """Seconds of a large job, about."""
        return self.seconds / _SLICES

    def slice_of(self, rows: int, seconds: float) -> _Plan:
        """Return the slices of a system that embedded `rows` rows in `seconds`.

        The large job takes a sixth of a round, or more if the small one would otherwise have fewer than `min_rows`
        rows. If the system is too slow for that, one job fills the round, which makes the start of the job negligible.

        Examples
        --------
        >>> schedule = Schedule(rounds=3, seconds=30.0, rows=1000, min_rows=16)
        >>> schedule.slice_of(100, 2.0), schedule.slice_of(16, 20.0)
        (_Plan(jobs=[62, 250], slices=5), _Plan(jobs=[24], slices=1))
        """
        rows_per_s = rows / max(seconds, _SHORTEST_S)
        enough = min(_SMALL_PART * self.min_rows, round(rows_per_s * self.seconds))
        chosen = min(self.rows, max(self.min_rows, enough, round(rows_per_s * self.slice_s)))
        small = chosen // _SMALL_PART
        jobs = [small, chosen] if small >= self.min_rows else [chosen]
        return _Plan(jobs, min(_SLICES, max(1, math.ceil(self.seconds * rows_per_s / sum(jobs)))))


@dataclass(frozen=True)
class _Plan:
    """How a round is divided: the rows of the jobs of a slice, and the number of slices.

    The last job is the large one. The small job before it exists only if it has enough rows for every core: with a few
    rows per core it would be slower per row than the large job, and the difference of the two would be too fast.
    """

    jobs: list[int]
    slices: int


def turns(slices: Mapping[str, int], reference: str) -> Iterator[str]:
    """Yield names in the order of one round: the reference before and after every slice of another system.

    Parameters
    ----------
    slices
        The number of slices of each system. That of the reference does not count if there are other systems.
    reference
        The system that the others are compared with.

    Examples
    --------
    >>> list(turns({"bare": 2, "a": 2, "b": 1}, "bare"))
    ['bare', 'a', 'bare', 'b', 'bare', 'a', 'bare']
    """
    others = {name: count for name, count in slices.items() if name != reference}
    yield reference
    if not others:
        yield from [reference] * (slices[reference] - 1)
    for turn in range(max(others.values(), default=0)):
        for name in others if turn % 2 == 0 else reversed(others):
            if turn < others[name]:
                yield name
                yield reference


def run_rounds(specs: Sequence[Spec], schedule: Schedule, notify: Notify) -> list[Result]:
    """Prepare every system, run all of them in slices and return what was measured.

    The first system that runs is the reference. A system whose environment lacks a package is skipped, and one that
    fails in the middle of the rounds takes no further part; the result gives the reason. What was measured of the other
    systems is not lost.

    Parameters
    ----------
    specs
        The systems.
    schedule
        How long each system runs.
    notify
        Called with a description of each step.

    Raises
    ------
    InferenceError
        If a system fails before the rounds, or the reference at any time; the message ends with the last lines that
        its process printed.
    """
    results = {spec.name: Result(spec) for spec in specs}
    processes: dict[str, _SystemProcess] = {}
    plans: dict[str, _Plan] = {}
    with ExitStack() as stack:
        for name, result in results.items():
            spec = result.spec
            if spec.missing:
                result.skipped = spec.missing
                continue
            key = spec.process or name
            if key not in processes:
                processes[key] = stack.enter_context(_SystemProcess(spec.python))
            notify(f"preparing {spec.title} ({spec.precision})", 0, 0)
            processes[key].prepare(result)
            if not result.skipped:
                notify(f"unmeasured round: {spec.title} ({spec.precision})", 0, 0)
                plans[name] = _plan_after_unmeasured_round(processes[key], result, schedule)
        if plans:
            _measure(results, processes, plans, schedule, notify)
    return list(results.values())


def _measure(
    results: Mapping[str, Result],
    processes: Mapping[str, _SystemProcess],
    plans: Mapping[str, _Plan],
    schedule: Schedule,
    notify: Notify,
) -> None:
    """Run all rounds; a system other than the reference that fails takes no further part."""
    reference = next(iter(plans))
    order = list(turns({name: plan.slices for name, plan in plans.items()}, reference))
    for place, name in enumerate(order * schedule.rounds):
        number = place // len(order)
        result = results[name]
        if result.failed:
            continue
        spec = result.spec
        line = f"round {number + 1} of {schedule.rounds}: {spec.title} ({spec.precision})"
        notify(line, place, len(order) * schedule.rounds)
        try:
            small, large = processes[spec.process or name].run(result, plans[name].jobs)
        except InferenceError as error:
            if name == reference:
                raise
            result.failed = str(error)
        else:
            result.slices.append(Slice(place, number, small, large))


def _plan_after_unmeasured_round(process: _SystemProcess, result: Result, schedule: Schedule) -> _Plan:
    """Run a system for the length of a round without measuring it; return how to divide its rounds."""
    started_s = time.monotonic()
    plan = _plan(process, result, schedule)
    while time.monotonic() - started_s < schedule.seconds:
        _, job = process.run(result, plan.jobs)
        plan = schedule.slice_of(job.rows, job.seconds)  # it has become faster
    return plan


def _plan(process: _SystemProcess, result: Result, schedule: Schedule) -> _Plan:
    """Find out how many rows take as long as a slice: run few rows, then four times as many and so on."""
    rows = min(schedule.min_rows, schedule.rows)
    while True:
        _, job = process.run(result, [rows])
        if rows == schedule.rows or job.seconds >= schedule.slice_s / _SMALL_PART:
            return schedule.slice_of(rows, job.seconds)
        rows = min(_SMALL_PART * rows, schedule.rows)


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
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OF_SPARK)}
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
        result.start_s = answer.get("start_s")
        result.warm_up_vectors = answer.get("warm_up_vectors")

    def run(self, result: Result, rows: Sequence[int]) -> tuple[Job | None, Job]:
        """Let a system embed the first rows, once for each number; return the small job, if any, and the large one."""
        answer = self._request({"do": "run", "name": result.spec.name, "rows": list(rows)})
        result.measurements = answer["measurements"]
        result.memory_mb = _worker_memory(answer["memory_mb"], in_jvm=result.spec.kind == "spark_nlp")
        *small, large = (Job(**job) for job in answer["jobs"])
        return (small[0] if small else None), large

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
