"""Measures the limit: ONNX Runtime alone, given the same pieces in batches of the size that is fastest for it.

Sequences are encoded beforehand, sorted by length and cut into batches; nothing is pooled or kept. What is fastest on
this machine is measured: which graph of the same weights, one process with a thread per core or one process per core,
and the number of pieces per batch. The lone product (:mod:`sparkalbert.convert.lone_product`) runs in the same way.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
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
_MAX_CHARACTERS_PER_PIECE: Final = 8
"""More than a piece has on average, so that enough text is encoded for a trial."""

Batch = tuple[Int64Array, Int64Array]
"""``input_ids`` and ``attention_mask``."""


@dataclass(frozen=True)
class Split:
    """Describes how the cores are divided.

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
    """Runs ONNX Runtime with its fastest graph and split.

    Parameters
    ----------
    bundles
        Folders of the same model with different graphs, by the name of the graph; the fastest graph is used.
    texts, warm_up_texts
        The texts to embed, and a small part of them.
    cores
        Number of cores to use.
    split
        ``[processes, threads, pieces_per_batch]``; None to search for the fastest.
    trial_s
        Seconds of each trial of the search, at least.
    """

    def __init__(
        self,
        bundles: Mapping[str, str],
        texts: Sequence[str],
        warm_up_texts: Sequence[str],
        cores: int,
        split: Sequence[int] | None = None,
        trial_s: float = 1.0,
    ) -> None:
        self._bundles = bundles
        self._tokenizer = Bundle.open(next(iter(bundles.values())))
        self._texts = texts
        self._warm_up = encode_texts(self._tokenizer, warm_up_texts).sequences
        self._cores = cores
        self._trial_s = trial_s
        self._batches: list[Batch] = []
        self._taken: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        splits = None if split is None else [Split(*split)]
        self._graph, self._split = self._fastest(splits)

    def load(self) -> dict[str, Any]:
        """Open the sessions."""
        self._pool = _SessionPool(self._bundles[self._graph], self._split)
        self._pool.run_on_each_process([])
        graph = f"graph: {self._graph}, " if len(self._bundles) > 1 else ""
        return {"settings": f"{graph}{self._split}"}

    def warm_up(self) -> None:
        """Run a few sequences on each process; there are no words to count."""
        self._pool.run_on_each_process(self._pool.batches(self._warm_up))
        self._counts = Counter()

    def take(self, rows: int) -> None:
        """Encode the first texts and arrange them in batches."""
        sequences = encode_texts(self._tokenizer, self._texts[:rows]).sequences
        self._batches = self._pool.batches(sequences)
        self._taken = Counter(
            batches=len(self._batches),
            pieces=sum(map(len, sequences)),
            slots=sum(ids.size for ids, _ in self._batches),
        )

    def embed(self) -> None:
        """Run every batch."""
        self._pool.run(self._batches)
        self._counts.update(self._taken)

    def measurements(self) -> dict[str, Any]:
        """Return the number of batches since the warm-up, and of pieces with and without padding."""
        return dict(self._counts)

    def _fastest(self, splits: Sequence[Split] | None) -> tuple[str, Split]:
        """Try graphs and divisions of the cores, then batch sizes; each on the same part of the text."""
        divisions = dict.fromkeys([(self._cores, 1), (1, self._cores)])
        first = splits or [Split(*division, _FIRST_PIECES_PER_BATCH) for division in divisions]
        trials = [(graph, split) for graph in self._bundles for split in first]
        if splits is not None and len(trials) == 1:
            return trials[0]
        sequences = self._trial_sequences()
        seconds = {trial: self._trial_time_s(*trial, sequences) for trial in trials}
        graph, best = min(seconds, key=seconds.__getitem__)
        for pieces_per_batch in _OTHER_PIECES_PER_BATCH if splits is None else ():
            split = Split(best.processes, best.threads, pieces_per_batch)
            seconds[graph, split] = self._trial_time_s(graph, split, sequences)
        return min(seconds, key=seconds.__getitem__)

    def _trial_sequences(self) -> list[Int64Array]:
        """Return the first sequences of the text, enough for a trial."""
        enough = _TRIAL_PIECES_PER_CORE * self._cores
        characters = np.cumsum([len(text) for text in self._texts])
        rows = int(np.searchsorted(characters, _MAX_CHARACTERS_PER_PIECE * enough)) + 1
        sequences = encode_texts(self._tokenizer, self._texts[:rows]).sequences
        lengths = np.cumsum([len(sequence) for sequence in sequences])
        return sequences[: int(np.searchsorted(lengths, enough)) + 1]

    def _trial_time_s(self, graph: str, split: Split, sequences: Sequence[Int64Array]) -> float:
        """Return the seconds that the sequences take with one setting."""
        pool = _SessionPool(self._bundles[graph], split)
        try:
            pool.run_on_each_process(pool.batches(self._warm_up))
            batches = pool.batches(sequences)
            return _shortest_s(lambda: pool.run(batches), self._trial_s)
        finally:
            pool.close()


def _shortest_s(run: Callable[[], None], enough_s: float) -> float:
    """Repeat `run` until all repetitions together took `enough_s`, and return the seconds of the fastest one.

    The sequences of a trial take a small model some tens of milliseconds, in which one interruption would decide.
    """
    seconds: list[float] = []
    while not seconds or sum(seconds) < enough_s:
        started_s = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started_s)
    return min(seconds)


class _SessionPool:
    """Processes with one session each. A batch goes to any process that is free, long sequences first."""

    def __init__(self, bundle: str, split: Split) -> None:
        self.split = split
        self._pad_id = PieceTokenizer.load(Bundle.open(bundle).path).pad_id
        spawn = get_context("spawn")
        arguments = (bundle, split.threads, spawn.Barrier(split.processes))
        self._pool = ProcessPoolExecutor(split.processes, spawn, _open_session, arguments)

    def run_on_each_process(self, batches: Sequence[Batch]) -> None:
        """Run the same batches on each process, once all of them have opened their session."""
        list(self._pool.map(_run_after_all_arrived, [batches] * self.split.processes))

    def batches(self, sequences: Sequence[Int64Array]) -> list[Batch]:
        """Return sequences as padded batches, those of long sequences first."""
        if not sequences:
            return []
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        planned = list(plan_batches(lengths, BatchingOptions(self._pieces_per_batch(lengths))))
        return [pad([sequences[index] for index in batch], self._pad_id) for batch in reversed(planned)]

    def run(self, batches: Sequence[Batch]) -> None:
        """Run batches."""
        list(self._pool.map(_run, batches))

    def _pieces_per_batch(self, lengths: Int64Array) -> int:
        """Return a batch size that gives every process equally many batches, because a short text has few."""
        total, limit = int(lengths.sum()), self.split.pieces_per_batch
        batches = self.split.processes * math.ceil(total / (self.split.processes * limit))
        return min(limit, math.ceil(total / batches) + int(lengths.max()))

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


_process: dict[str, Any] = {}
"""The session of a process of the pool, and the barrier at which all processes meet."""


def _open_session(bundle: str, threads: int, all_arrived: Barrier) -> None:
    opened = Bundle.open(bundle)
    _process["session"] = EncoderSession(opened, SessionOptions(threads=threads))
    _process["weights"] = layer_weights([-1], opened.manifest.num_layers)
    _process["all_arrived"] = all_arrived


def _run_after_all_arrived(batches: Sequence[Batch]) -> None:
    _process["all_arrived"].wait()  # so that no process gets two of these tasks
    for batch in batches:
        _run(batch)


def _run(batch: Batch) -> None:
    _process["session"].run(*batch, _process["weights"])
