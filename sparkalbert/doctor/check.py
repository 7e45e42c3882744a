"""One check, and what to do about the most frequent failures of Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Check", "Status", "failed", "mend_of"]

Status = Literal["ok", "warning", "failed"]

_CLUES: Final[Sequence[tuple[Sequence[str], str]]] = (
    (
        ("'JavaPackage' object is not callable",),
        (
            "This is a class of a jar that the session does not have, such as Spark NLP's: import from sparkalbert "
            "instead of sparknlp (sparkalbert needs no jar), or start the session with that jar."
        ),
    ),
    (
        ("does not exist in the JVM",),
        (
            "pyspark and the Spark that it starts have different versions: unset SPARK_HOME, or install the pyspark of "
            "that Spark."
        ),
    ),
    (
        ("PYTHON_VERSION_MISMATCH", "different minor versions"),
        "Set PYSPARK_PYTHON (spark.pyspark.python) on the executors to a Python with the minor version of the driver.",
    ),
    (
        ("UnsupportedClassVersionError", "has been compiled by a more recent version of the Java Runtime"),
        "Java is too old for this Spark: set JAVA_HOME to a newer one, or pip install 'sparkalbert[java]'.",
    ),
    (
        ("JAVA_GATEWAY_EXITED", "Java gateway process exited"),
        "Java did not start: set JAVA_HOME to a Java that this Spark supports, or pip install 'sparkalbert[java]'.",
    ),
    (
        ("No module named",),
        (
            "Install sparkalbert, in the driver's version, in the Python of every executor; see 'On a cluster' in the "
            "README."
        ),
    ),
    (
        ("no Spark Connect server", "failed to connect to all addresses"),
        "Start the server, or correct the address.",
    ),
    (
        ("was killed, usually for memory", "exited unexpectedly"),
        "Increase spark.executor.memoryOverhead, or set a smaller memoryBudgetMb.",
    ),
)
"""What a message contains, and what to do about it; the first match counts."""

_OTHER: Final = "Run the command with --debug to see Spark's log."


@dataclass(frozen=True)
class Check:
    """What was checked and found.

    Attributes
    ----------
    name
        What was checked, in a word or two.
    status
        ``warning`` if sparkalbert works, but not in every respect.
    found
        What was found, in one line.
    mend
        What to do; empty if all is well.
    """

    name: str
    status: Status
    found: str
    mend: str = ""


def failed(name: str, message: str) -> Check:
    """Return a failed check for the message of an error."""
    first, _, _ = message.strip().partition("\n")
    return Check(name, "failed", first, mend_of(message))


def mend_of(message: str) -> str:
    """Return what to do about an error of Spark.

    Examples
    --------
    >>> mend_of("UnsupportedClassVersionError: ... class file version 61.0")
    "Java is too old for this Spark: set JAVA_HOME to a newer one, or pip install 'sparkalbert[java]'."
    """
    return next((mend for clues, mend in _CLUES if any(clue in message for clue in clues)), _OTHER)
