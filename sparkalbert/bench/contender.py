"""What is compared: the protocol of a contender, and what is known of one before and after it ran.

It knows names and numbers, nothing about how vectors are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

__all__ = ["Contender", "Entry", "Outcome"]


class Contender(Protocol):
    """Something that embeds one text again and again, in a process of its own."""

    def load(self) -> Mapping[str, Any]:
        """Do what is done once; return ``settings`` in words, and ``load_s`` where it is known."""

    def warm_up(self) -> int | None:
        """Embed a little and return how many vectors came out, None where there are no words to count."""

    def embed(self) -> None:
        """Embed everything; this is what is timed."""

    def facts(self) -> Mapping[str, Any]:
        """Return what it counted during :meth:`embed`, see :class:`~sparkalbert.stage_times.StageTimes`."""


@dataclass(frozen=True)
class Entry:
    """A contender before it runs.

    Attributes
    ----------
    name
        Unique in a run, for instance ``pipeline-noop-int8``.
    kind
        What :func:`sparkalbert.bench.child.make` makes of it.
    precision
        Of the model.
    title
        For a person.
    arguments
        Keywords of the contender, plain data.
    python
        Interpreter of its environment; empty for this one.
    process
        Entries of the same process share a Python, one after the other; by default its own name.
    missing
        What it lacks, so that it cannot run; empty if nothing.
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
class Outcome:
    """What a contender did.

    Attributes
    ----------
    entry
        The contender.
    skipped
        Why it did not run; empty if it did.
    settings
        How it was set up, in words.
    load_s
        Seconds to load the model; None where it could not be told.
    warm_up_vectors
        Vectors of the warm-up text.
    seconds
        Of each round.
    memory_mb
        Largest resident memory of its worker: the Python worker on Spark, the JVM for Spark NLP.
    facts
        Of the last round.
    """

    entry: Entry
    skipped: str = ""
    settings: str = ""
    load_s: float | None = None
    warm_up_vectors: int | None = None
    seconds: list[float] = field(default_factory=list)
    memory_mb: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def median_s(self) -> float:
        """The middle round.

        Examples
        --------
        >>> Outcome(Entry("bare", "bare", "fp32", "", {}), seconds=[3.0, 1.0, 2.0]).median_s
        2.0
        """
        return median(self.seconds)
