"""The limit: ONNX Runtime alone, given the same pieces in batches of the size that is fastest for it.

Sequences are encoded beforehand, sorted by length and cut into batches; nothing is pooled or kept. What is fastest on
this machine is measured: one process with a thread per core or one process per core, and the number of pieces per
batch.
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

from sparkalbert.arrays import Int64Array
from sparkalbert.bundle import Bundle
from sparkalbert.inference import BatchingOptions, EncoderSession, SessionOptions
from sparkalbert.inference.batching import pad, plan_batches
from sparkalbert.inference.pooling import layer_weights
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.text import PieceTokenizer

__all__ = ["BareSystem", "Split"]

_FIRST_PIECES_PER_BATCH: Final = 512
_OTHER_PIECES_PER_BATCH: Final = (256, 1024)
_TRIAL_PIECES_PER_CORE: Final = 1024


@dataclass(frozen=True)
class Split:
    """How the cores are divided.

    Attributes
    ----------
    processes, threads
        Number of processes, and of threads in each.
    pieces_per_batch
        Largest number of pieces in a batch, padding included.

    Examples
    --------
    >>> str(Split(2, 1, 512))
    'processes: 2, threads in each: 1, pieces per batch: 512'
    """

    processes: int
    threads: int
    pieces_per_batch: int

    def __str__(self) -> str:
        return (
            f"processes: {self.processes}, threads in each: {self.threads}, pieces per batch: {self.pieces_per_batch}"
        )


class BareSystem:
    """ONNX Runtime at its best.

    Parameters
    ----------
    bundle
        Folder of the model.
    texts, warm_up_texts
        The texts to embed, and a small part of them.
    cores
        Number of cores to use.
    split
        ``[processes, threads, pieces_per_batch]``; None to search for the fastest.
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
        self._sequences, self._warm_up = (encode_texts(opened, some).sequences for some in (texts, warm_up_texts))
        self._cores = cores
        self._split = None if split is None else Split(*split)
        self._measurements: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """Find the fastest split and open its sessions."""
        split = self._split or self._fastest_split()
        self._pool = _SessionPool(self._bundle, split)
        load_s = self._pool.load()
        return {"settings": str(split), "load_s": load_s}

    def warm_up(self) -> None:
        """Run a few sequences on every process; there are no words to count."""
        for _ in range(self._pool.split.processes):
            self._pool.run(self._warm_up)

    def embed(self) -> None:
        """Run every sequence."""
        self._measurements = self._pool.run(self._sequences)

    def measurements(self) -> dict[str, Any]:
        """Return the number of batches, and of pieces with and without padding."""
        return self._measurements

    def _fastest_split(self) -> Split:
        """Try divisions of the cores, then batch sizes; each on the same part of the text."""
        splits = dict.fromkeys(
            (Split(self._cores, 1, _FIRST_PIECES_PER_BATCH), Split(1, self._cores, _FIRST_PIECES_PER_BATCH))
        )
        seconds = {split: self._trial_s(split) for split in splits}
        best = min(seconds, key=seconds.__getitem__)
        for pieces_per_batch in _OTHER_PIECES_PER_BATCH:
            split = Split(best.processes, best.threads, pieces_per_batch)
            seconds[split] = self._trial_s(split)
        return min(seconds, key=seconds.__getitem__)

    def _trial_s(self, split: Split) -> float:
        pool = _SessionPool(self._bundle, split)
        try:
            pool.load()
            lengths = np.cumsum([len(sequence) for sequence in self._sequences])
            count = int(np.searchsorted(lengths, _TRIAL_PIECES_PER_CORE * self._cores)) + 1
            started_s = time.perf_counter()
            pool.run(self._sequences[:count])
            return time.perf_counter() - started_s
        finally:
            pool.close()


class _SessionPool:
    """Processes with one session each. A batch goes to any process that is free, long sequences first."""

    def __init__(self, bundle: str, split: Split) -> None:
        self.split = split
        self._pad_id = PieceTokenizer.load(Bundle.open(bundle).path).pad_id
        self._pool = ProcessPoolExecutor(split.processes, get_context("spawn"), _open_session, (bundle, split.threads))

    def load(self) -> float:
        """Wait until every session is open and return the seconds that the slowest one took."""
        return max(self._pool.map(_load_s, range(self.split.processes)))

    def run(self, sequences: Sequence[Int64Array]) -> dict[str, Any]:
        """Run sequences and return what was counted."""
        if not sequences:
            return {"batches": 0, "pieces": 0, "slots": 0}
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        planned = list(plan_batches(lengths, BatchingOptions(self._pieces_per_batch(lengths))))
        batches = [pad([sequences[index] for index in batch], self._pad_id) for batch in reversed(planned)]
        list(self._pool.map(_run, batches))
        slots = sum(ids.size for ids, _ in batches)
        return {"batches": len(batches), "pieces": int(lengths.sum()), "slots": slots}

    def _pieces_per_batch(self, lengths: Int64Array) -> int:
        """Return a batch size that gives every process equally many batches, because a short text has few."""
        total, limit = int(lengths.sum()), self.split.pieces_per_batch
        batches = self.split.processes * math.ceil(total / (self.split.processes * limit))
        return min(limit, math.ceil(total / batches) + int(lengths.max()))

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
    time.sleep(0.2)  # so that each of the other processes gets a task too
    return float(_process["load_s"])


def _run(batch: tuple[Int64Array, Int64Array]) -> None:
    _process["session"].run(*batch, _process["weights"])
