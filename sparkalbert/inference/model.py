"""Caches the models loaded in this process: tokenizer and ONNX Runtime session, shared by all their users."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from sparkalbert.bundle import Bundle
from sparkalbert.inference.session import EncoderSession, SessionOptions
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from sparkalbert.timings import TIMINGS

__all__ = ["MODELS", "LoadedModel", "ModelCache"]

_Key = tuple[str, SessionOptions]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A tokenizer and a session of one bundle."""

    bundle: Bundle
    tokenizer: PieceTokenizer
    session: EncoderSession

    @classmethod
    def load(cls, bundle: Bundle, options: SessionOptions) -> LoadedModel:
        """Load a bundle whose bytes have been verified; raises BundleError if a file was written to since then."""
        model = cls(bundle, PieceTokenizer.load(bundle.path), EncoderSession(bundle, options))
        bundle.check_unchanged()
        return model


class ModelCache:
    """Loaded models by the content of their bundle and the options of their session.

    The models used last are kept, so that a reused Spark worker finds the model that the task before it loaded. A
    model that is still held elsewhere is shared, never loaded again, unless its files were written to. The device is
    part of the key: Spark may give the same worker another GPU from task to task. Models that are no longer kept are
    released before another one is loaded.

    Parameters
    ----------
    max_kept
        Largest number of models that are kept although nothing else holds them.
    """

    def __init__(self, max_kept: int = 2) -> None:
        self._max_kept = max_kept
        self._kept: OrderedDict[_Key, LoadedModel] = OrderedDict()
        self._alive: WeakValueDictionary[_Key, LoadedModel] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._loading: defaultdict[_Key, threading.Lock] = defaultdict(threading.Lock)

    def get(
        self, digest: str, options: SessionOptions, locate: Callable[[], Bundle], *, max_kept: int | None = None
    ) -> LoadedModel:
        """Return a loaded model. While one is being loaded, only callers that want the same model wait.

        Parameters
        ----------
        digest
            Identity of the bundle.
        options
            Threads and device.
        locate
            Returns the bundle with every byte verified; called if the model has to be loaded.
        max_kept
            Largest number of models that are kept now, this one included; None for that of the cache. A memory budget
            of a worker has room for one.
        """
        key = (digest, options)
        limit = self._max_kept if max_kept is None else max_kept
        with self._lock:
            loading = self._loading[key]
        with loading:
            with self._lock:
                model = self._alive.get(key)
            if model is not None and model.session.is_changed:
                model = None
            self._make_room(key, limit)
            if model is None:
                with TIMINGS.measure("load"):
                    model = LoadedModel.load(locate(), options)
            with self._lock:
                self._alive[key] = self._kept[key] = model
                while len(self._kept) > limit:
                    self._kept.popitem(last=False)
            return model

    def _make_room(self, key: _Key, limit: int) -> None:
        """Release models until one more may be kept, and those on other GPUs: Spark has given this worker another."""
        with self._lock:
            self._kept.pop(key, None)
            for other in [other for other in self._kept if _is_on_another_gpu(other[1], key[1])]:
                del self._kept[other]
            while len(self._kept) >= max(limit, 1):
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Release every model that is kept; models that are held elsewhere are loaded again when needed."""
        with self._lock:
            self._kept.clear()
            self._alive.clear()


def _is_on_another_gpu(kept: SessionOptions, wanted: SessionOptions) -> bool:
    return not kept.on_cpu and not wanted.on_cpu and kept.device != wanted.device


MODELS: Final = ModelCache()
"""The models of this process."""
