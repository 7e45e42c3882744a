"""The other end of :mod:`sparkalbert.bench.child`: a contender's process, started, asked and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import sparkalbert
from sparkalbert.bench.contender import Outcome
from sparkalbert.errors import InferenceError

__all__ = ["ContenderProcess"]

_END_S: Final = 30
_LOG_LINES: Final = 15


class ContenderProcess:
    """A Python process with one or more contenders in it.

    Parameters
    ----------
    python
        Its interpreter; empty for this one's.

    Raises
    ------
    InferenceError
        By every method, when a contender fails; the message ends with what its process printed last.
    """

    def __init__(self, python: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sparkalbert-bench-")
        folder = Path(self._folder.name)
        # Another environment gets this package and none of its neighbours in site-packages.
        (folder / "sparkalbert").symlink_to(Path(sparkalbert.__file__).parent)
        self._log = (folder / "log.txt").open("w+", encoding="utf-8")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))
        }
        environment["PYTHONPATH"] = str(folder)
        self._process = subprocess.Popen(
            [python or sys.executable, "-m", "sparkalbert.bench.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            cwd=folder,
            text=True,
        )

    def prepare(self, outcome: Outcome) -> None:
        """Load a contender and warm it up; fill in what is known then."""
        entry = outcome.entry
        answer = self._ask(
            {"do": "prepare", "name": entry.name, "kind": entry.kind, "arguments": entry.arguments}
        )
        outcome.skipped = answer.get("skipped", "")
        outcome.settings = answer.get("settings", "")
        outcome.load_s = answer.get("load_s")
        outcome.warm_up_vectors = answer.get("warm_up_vectors")

    def run(self, outcome: Outcome) -> None:
        """Have a contender embed everything once; add the seconds."""
        answer = self._ask({"do": "run", "name": outcome.entry.name})
        outcome.seconds.append(answer["seconds"])
        outcome.facts = answer["facts"]
        outcome.load_s = outcome.facts.get("load_s", outcome.load_s)
        outcome.memory_mb = _worker_memory(answer["memory"], in_jvm=outcome.entry.kind == "spark_nlp")

    def close(self) -> None:
        """End the process; what it started ends with it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
        self._folder.cleanup()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
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
            msg = f"The contender {request['name']} failed: {answer['failed']}\n{self._last_lines()}"
            raise InferenceError(msg)
        return answer

    def _last_lines(self) -> str:
        self._log.seek(0)
        return "".join(self._log.readlines()[-_LOG_LINES:])


def _worker_memory(peaks: Mapping[str, int], *, in_jvm: bool) -> int | None:
    """Where vectors are made: in the JVM, or in a Python worker if there is one, or in the process itself.

    Examples
    --------
    >>> peaks = {"own": 200, "python": 300, "java": 900}
    >>> _worker_memory(peaks, in_jvm=True), _worker_memory(peaks, in_jvm=False)
    (900, 300)
    """
    kinds = ("java",) if in_jvm else ("python", "own")
    return next((peaks[kind] for kind in kinds if kind in peaks), None)
