"""Runs the system without Spark: WordEmbedder in one process, with one thread per core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sparkalbert.timings import TIMINGS, Timings
from sparkalbert.word_embedder import WordEmbedder

__all__ = ["EmbedderSystem"]


class EmbedderSystem:
    """``WordEmbedder.embed`` on many texts at once.

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
        self._taken: Sequence[str] = ()
        self._before = Timings()

    def load(self) -> dict[str, Any]:
        """Load the model."""
        self._embedder = WordEmbedder.load(self._bundle, threads=self._cores)
        return {"settings": f"processes: 1, threads: {self._cores}, defaults"}

    def warm_up(self) -> int:
        """Embed a few texts and return the number of vectors."""
        embedded = self._embedder.embed(self._warm_up_texts)
        self._before = Timings(**asdict(TIMINGS))
        return sum(map(len, embedded))

    def take(self, rows: int) -> None:
        """Choose the first texts."""
        self._taken = self._texts[:rows]

    def embed(self) -> None:
        """Embed the texts."""
        self._embedder.embed(self._taken)

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
