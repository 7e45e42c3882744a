"""The system without Spark: WordEmbedder in one process, with one thread per core."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sparkalbert.timings import TIMINGS, Timings
from sparkalbert.word_embedder import WordEmbedder

__all__ = ["EmbedderSystem"]


class EmbedderSystem:
    """``WordEmbedder.embed`` on all texts at once.

    Parameters
    ----------
    bundle
        Folder of the model.
    texts, warm_up_texts
        The texts to embed, and a small part of them.
    cores
        Number of threads of a forward pass.
    """

    def __init__(self, bundle: str, texts: Sequence[str], warm_up_texts: Sequence[str], cores: int) -> None:
        self._bundle = bundle
        self._texts, self._warm_up_texts = texts, warm_up_texts
        self._cores = cores
        self._before = Timings()

    def load(self) -> dict[str, Any]:
        """Load the model."""
        started_s = time.perf_counter()
        self._embedder = WordEmbedder.load(self._bundle, threads=self._cores)
        return {
            "settings": f"processes: 1, threads: {self._cores}, defaults",
            "load_s": time.perf_counter() - started_s,
        }

    def warm_up(self) -> int:
        """Embed a few texts and return the number of vectors."""
        embedded = self._embedder.embed(self._warm_up_texts)
        self._before = Timings(**asdict(TIMINGS))
        return sum(map(len, embedded))

    def embed(self) -> None:
        """Embed all texts."""
        self._embedder.embed(self._texts)

    def measurements(self) -> dict[str, Any]:
        """Return what was counted since the warm-up."""
        before, after = self._before, TIMINGS
        return {
            "seconds": {phase: after.seconds[phase] - before.seconds[phase] for phase in after.seconds},
            "batches": after.batches - before.batches,
            "pieces": after.pieces - before.pieces,
            "slots": after.slots - before.slots,
            "phase_cores": 1,
        }
