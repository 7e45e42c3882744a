"""The contender without Spark: WordEmbedder in one process, with a thread for each core."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sparkalbert.inference import WordEmbedder
from sparkalbert.stage_times import STAGE_TIMES, StageTimes

__all__ = ["EmbedderContender"]


class EmbedderContender:
    """``WordEmbedder.embed`` on all texts at once.

    Parameters
    ----------
    bundle
        Folder of the model.
    texts, warm_up_texts
        What is embedded, and a little of it.
    cores
        Threads of a call.
    """

    def __init__(self, bundle: str, texts: Sequence[str], warm_up_texts: Sequence[str], cores: int) -> None:
        self._bundle = bundle
        self._texts, self._warm_up_texts = texts, warm_up_texts
        self._cores = cores
        self._before = StageTimes()

    def load(self) -> dict[str, Any]:
        """Load the model."""
        started_s = time.perf_counter()
        self._embedder = WordEmbedder.load(self._bundle, threads=self._cores)
        return {
            "settings": f"1 process, {self._cores} threads, defaults",
            "load_s": time.perf_counter() - started_s,
        }

    def warm_up(self) -> int:
        """Embed a few texts."""
        words = self._embedder.embed(self._warm_up_texts)
        self._before = StageTimes(**asdict(STAGE_TIMES))
        return sum(len(text.tokens) for text in words)

    def embed(self) -> None:
        """Embed all texts."""
        self._embedder.embed(self._texts)

    def facts(self) -> dict[str, Any]:
        """Return what was counted since the warm-up."""
        before, after = self._before, STAGE_TIMES
        return {
            "seconds": {stage: after.seconds[stage] - before.seconds[stage] for stage in after.seconds},
            "calls": after.calls - before.calls,
            "pieces": after.pieces - before.pieces,
            "slots": after.slots - before.slots,
            "stage_cores": 1,
        }
