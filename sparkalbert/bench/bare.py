"""The limit: ONNX Runtime and nothing else, fed the same pieces in calls as full as serves it best.

Sequences are encoded beforehand, sorted by length and cut into calls; nothing is pooled or kept. What the
machine likes best is measured, not assumed: one process with a thread for each core against one process
for each core, and the number of pieces in a call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.bench.sequences import encode_texts
from sparkalbert.bundle import Bundle
from sparkalbert.inference import BatchingOptions, EncoderSession, SessionOptions
from sparkalbert.inference.batching import pad, plan_calls
from sparkalbert.inference.layers import layer_weights
from sparkalbert.text import PieceTokenizer

__all__ = ["BareContender", "Split"]

Int64Array = npt.NDArray[np.int64]

_FIRST_CALL_PIECES: Final = 512
_OTHER_CALL_PIECES: Final = (256, 1024)
_TRIAL_PIECES: Final = 1024
"""Pieces of a trial, for each core."""


@dataclass(frozen=True)
class Split:
    """How the cores are used.

    Attributes
    ----------
    processes, threads
        Processes, and threads in each.
    call_pieces
        Most pieces in a call, padding included.
    """

    processes: int
    threads: int
    call_pieces: int

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.processes} processes x {self.threads} threads, {self.call_pieces} pieces a call"


class BareContender:
    """ONNX Runtime at its best.

    Parameters
    ----------
    bundle
        Folder of the model.
    texts, warm_up_texts
        What is embedded, and a little of it.
    cores
        Cores to use.
    split
        ``[processes, threads, call_pieces]``; None to try out which is fastest.
    """

    def __init__(
        self,
        bundle: str,
        texts: Sequence[str],
        warm_up_texts: Sequence[str],
        cores: int,
        split: Sequence[int] | None = None,
    ) -> None:
        self._bundle = bundle
        opened = Bundle.open(bundle)
        self._sequences, self._warm_up = (
            encode_texts(opened, some).sequences for some in (texts, warm_up_texts)
        )
        self._cores = cores
        self._split = None if split is None else Split(*split)
        self._facts: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """Find the best split and open its sessions."""
        split = self._split or self._best_split()
        self._runner = _Runner(self._bundle, split)
        load_s = self._runner.load()
        return {"settings": str(split), "load_s": load_s}

    def warm_up(self) -> None:
        """Run a few sequences on every process; there are no words to count."""
        for _ in range(self._runner.split.processes):
            self._runner.run(self._warm_up)

    def embed(self) -> None:
        """Run every sequence."""
        self._facts = self._runner.run(self._sequences)

    def facts(self) -> dict[str, Any]:
        """Return calls, and pieces with and without padding."""
        return self._facts

    def _best_split(self) -> Split:
        """Try ways to use the cores, then sizes of calls; each on the same part of the text."""
        splits = dict.fromkeys(
            (Split(self._cores, 1, _FIRST_CALL_PIECES), Split(1, self._cores, _FIRST_CALL_PIECES))
        )
        seconds = {split: self._trial_s(split) for split in splits}
        best = min(seconds, key=seconds.__getitem__)
        for call_pieces in _OTHER_CALL_PIECES:
            split = Split(best.processes, best.threads, call_pieces)
            seconds[split] = self._trial_s(split)
        return min(seconds, key=seconds.__getitem__)

    def _trial_s(self, split: Split) -> float:
        runner = _Runner(self._bundle, split)
        try:
            runner.load()
            lengths = np.cumsum([len(sequence) for sequence in self._sequences])
            some = self._sequences[: int(np.searchsorted(lengths, _TRIAL_PIECES * self._cores)) + 1]
            started_s = time.perf_counter()
            runner.run(some)
            return time.perf_counter() - started_s
        finally:
            runner.close()


class _Runner:
    """Processes with a session each; calls go to whichever is free, the longest first."""

    def __init__(self, bundle: str, split: Split) -> None:
        self.split = split
        self._pad_id = PieceTokenizer.load(Bundle.open(bundle).path).pad_id
        self._pool = ProcessPoolExecutor(
            split.processes, get_context("spawn"), _open_session, (bundle, split.threads)
        )

    def load(self) -> float:
        """Wait until every session is open and return the seconds that the slowest took."""
        return max(self._pool.map(_load_s, range(self.split.processes)))

    def run(self, sequences: Sequence[Int64Array]) -> dict[str, Any]:
        """Run sequences and return what was counted."""
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        planned = list(plan_calls(lengths, BatchingOptions(self._call_pieces(lengths))))
        calls = [pad([sequences[index] for index in call], self._pad_id) for call in reversed(planned)]
        list(self._pool.map(_run, calls))
        slots = sum(ids.size for ids, _ in calls)
        return {"calls": len(calls), "pieces": int(lengths.sum()), "slots": slots}

    def _call_pieces(self, lengths: Int64Array) -> int:
        """Return a size of calls that gives every process as many of them: a short text has few."""
        total, most = int(lengths.sum()), self.split.call_pieces
        calls = self.split.processes * math.ceil(total / (self.split.processes * most))
        return min(most, math.ceil(total / calls) + int(lengths.max()))

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


_process: dict[str, Any] = {}
"""The session of a process of the pool."""


def _open_session(bundle: str, threads: int) -> None:
    started_s = time.perf_counter()
    opened = Bundle.open(bundle)
    _process["session"] = EncoderSession(opened, SessionOptions(threads=threads))
    _process["weights"] = layer_weights([-1], opened.manifest.num_layers)
    _process["load_s"] = time.perf_counter() - started_s


def _load_s(_: int) -> float:
    time.sleep(0.2)  # so that the other processes get one each
    return float(_process["load_s"])


def _run(call: tuple[Int64Array, Int64Array]) -> None:
    _process["session"].run(*call, _process["weights"])
