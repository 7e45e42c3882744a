"""Defines the compared systems: their protocol, their specifications and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Job", "Result", "Slice", "Spec", "System"]


class System(Protocol):
    """A program that embeds parts of one text again and again, in a process of its own."""

    def load(self) -> Mapping[str, Any]:
        """Start the session, if there is one, load the model, and return ``settings`` as text."""

    def warm_up(self) -> int | None:
        """Embed a small text and return the number of vectors, None if the system has no words to count."""

    def take(self, rows: int) -> None:
        """Prepare the first `rows` texts for :meth:`embed`; for Spark, cache them in memory."""

    def embed(self) -> None:
        """Embed the texts that :meth:`take` prepared. Only this is timed."""

    def measurements(self) -> Mapping[str, Any]:
        """Return what the system counted since :meth:`warm_up`, see :class:`~sparkalbert.timings.Timings`."""


@dataclass(frozen=True)
class Spec:
    """A system that is to run.

    Attributes
    ----------
    name
        Unique in a run, for instance ``pipeline-noop-int8``.
    kind
        The class of the system, see :func:`sparkalbert.bench.child.make`.
    precision
        Number format of the model.
    title
        Name for people.
    arguments
        Keyword arguments of the class, plain data.
    python
        The interpreter of its environment; empty for the interpreter of this process.
    process
        Specs with the same value share a process and run one after the other; by default a system has its own.
    missing
        Why it cannot run; empty if it can.
    """

    name: str
    kind: str
    precision: str
    title: str
    arguments: Mapping[str, Any]
    python: str = ""
    process: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Job:
    """The first rows of the text, embedded once.

    Attributes
    ----------
    rows
        Number of rows.
    seconds
        Wall time.
    cpu_s
        CPU seconds of the system's processes; None if unknown.
    other_cpu_s
        CPU seconds of all other processes on the machine; None if unknown.
    """

    rows: int
    seconds: float
    cpu_s: float | None = None
    other_cpu_s: float | None = None


@dataclass(frozen=True)
class Slice:
    """Some seconds of work: a small job and a large one, which contains the rows of the small one.

    Attributes
    ----------
    place
        Place in the order of all slices of a run. The slices beside it have the numbers before and after.
    round
        Number of the round, from 0.
    small, large
        The jobs; a slow system or a short text has no small one.
    """

    place: int
    round: int
    small: Job | None
    large: Job

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs, small first."""
        return (self.large,) if self.small is None else (self.small, self.large)


@dataclass
class Result:
    """What was measured of a system.

    Attributes
    ----------
    spec
        The system.
    skipped
        Why it did not run; empty if it did.
    failed
        Why it stopped in the middle of the rounds; empty if it did not. Its slices until then count.
    settings
        Its settings, for people.
    start_s
        Seconds of the start up to the first vectors: session, workers, model, first batch; not the start of Python, the
        imports of the system's module, and bare ONNX Runtime's search for its settings. None if another system had
        already started the process.
    warm_up_vectors
        Number of vectors of the warm-up text; None if unknown.
    slices
        What was timed, in order.
    memory_mb
        Largest resident memory of the process that computes vectors, in MB: the Python worker on Spark, the JVM for
        Spark NLP. None if unknown.
    measurements
        What the system counted in the last slice.
    """

    spec: Spec
    skipped: str = ""
    failed: str = ""
    settings: str = ""
    start_s: float | None = None
    warm_up_vectors: int | None = None
    slices: list[Slice] = field(default_factory=list)
    memory_mb: int | None = None
    measurements: Mapping[str, Any] = field(default_factory=dict)
