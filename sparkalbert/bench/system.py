"""The systems that are compared: their protocol, their specifications and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

__all__ = ["Result", "Spec", "System"]


class System(Protocol):
    """A program that embeds one text again and again, in a process of its own."""

    def load(self) -> Mapping[str, Any]:
        """Load the model; return ``settings`` as text, and ``load_s`` if it is known."""

    def warm_up(self) -> int | None:
        """Embed a small text and return the number of vectors, None if the system has no words to count."""

    def embed(self) -> None:
        """Embed the whole text. Only this is timed."""

    def measurements(self) -> Mapping[str, Any]:
        """Return what the system counted during :meth:`embed`, see :class:`~sparkalbert.timings.Timings`."""


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


@dataclass
class Result:
    """What was measured of a system.

    Attributes
    ----------
    spec
        The system.
    skipped
        Why it did not run; empty if it did.
    settings
        Its settings, for people.
    load_s
        Seconds to load the model; None if unknown.
    warm_up_vectors
        Number of vectors of the warm-up text; None if unknown.
    seconds
        Seconds of each round.
    memory_mb
        Largest resident memory of the process that computes vectors, in MB: the Python worker on Spark, the JVM for
        Spark NLP. None if unknown.
    measurements
        What the system counted in the last round.
    """

    spec: Spec
    skipped: str = ""
    settings: str = ""
    load_s: float | None = None
    warm_up_vectors: int | None = None
    seconds: list[float] = field(default_factory=list)
    memory_mb: int | None = None
    measurements: Mapping[str, Any] = field(default_factory=dict)

    @property
    def median_s(self) -> float:
        """Median of the rounds, in seconds.

        Examples
        --------
        >>> Result(Spec("bare", "bare", "fp32", "", {}), seconds=[3.0, 1.0, 2.0]).median_s
        2.0
        """
        return median(self.seconds)
