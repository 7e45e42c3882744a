"""Rounds: every contender once a round, in alternation, so that whatever drifts hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from sparkalbert.bench.contender import Entry, Outcome
from sparkalbert.bench.process import ContenderProcess

__all__ = ["alternation", "run_rounds"]

Tell = Callable[[str], None]


def alternation(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield names in the order in which they run: there and back, so that no neighbour is always the same.

    Examples
    --------
    >>> list(alternation(["a", "b", "c"], 2))
    ['a', 'b', 'c', 'c', 'b', 'a']
    """
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def run_rounds(entries: Sequence[Entry], rounds: int, tell: Tell) -> list[Outcome]:
    """Prepare every contender, run all of them in alternation and return what they did.

    A contender whose environment lacks something is skipped with the reason.

    Parameters
    ----------
    entries
        The contenders.
    rounds
        How often each one runs.
    tell
        Told what is going on, for a person who waits.

    Raises
    ------
    InferenceError
        When a contender fails.
    """
    outcomes = {entry.name: Outcome(entry) for entry in entries}
    processes: dict[str, ContenderProcess] = {}
    with ExitStack() as stack:
        for outcome in outcomes.values():
            entry = outcome.entry
            if entry.missing:
                outcome.skipped = entry.missing
                continue
            key = entry.process or entry.name
            if key not in processes:
                processes[key] = ContenderProcess(entry.python)
                stack.callback(processes[key].close)
            tell(f"preparing {entry.title} ({entry.precision})")
            processes[key].prepare(outcome)
        running = [name for name, outcome in outcomes.items() if not outcome.skipped]
        for name in alternation(running, rounds):
            outcome = outcomes[name]
            entry = outcome.entry
            tell(f"round {len(outcome.seconds) + 1} of {rounds}: {entry.title} ({entry.precision})")
            processes[entry.process or name].run(outcome)
    return list(outcomes.values())
