"""Encoded sentences to word vectors: windows, calls, pooling, and everything back in its order.

It knows piece ids, nothing about strings or Spark. A sentence's vectors depend on its own pieces
alone; its neighbours only decide how fast they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle import Manifest
from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import BatchingOptions, distinct, pad, plan_calls
from sparkalbert.inference.layers import layer_weights
from sparkalbert.inference.pooling import Pooling, check_pooling, pieces_needed, pool, vectors_per_word
from sparkalbert.inference.session import EncoderSession
from sparkalbert.inference.windows import best_window, window_starts
from sparkalbert.stage_times import STAGE_TIMES
from sparkalbert.text.encoding import EncodedSentence

__all__ = ["SMALLEST_MAX_SENTENCE_LENGTH", "Engine", "SpecialPieces", "VectorOptions"]

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

SMALLEST_MAX_SENTENCE_LENGTH = 3
"""``[CLS]``, one piece, ``[SEP]``."""


@dataclass(frozen=True)
class VectorOptions:
    """What a word's vector is.

    Attributes
    ----------
    pooling
        Which of a word's pieces count.
    layers
        Layers whose mean is taken, see :func:`sparkalbert.inference.layers.layer_weights`.
    max_sentence_length
        Most pieces in one window, ``[CLS]`` and ``[SEP]`` included. Longer sentences are covered by
        overlapping windows; no word is ever cut off.
    """

    pooling: Pooling = "first"
    layers: tuple[int, ...] = (-1,)
    max_sentence_length: int = 128

    def __post_init__(self) -> None:
        check_pooling(self.pooling)
        if self.max_sentence_length < SMALLEST_MAX_SENTENCE_LENGTH:
            msg = (
                f"maxSentenceLength is {self.max_sentence_length}, expected at least "
                f"{SMALLEST_MAX_SENTENCE_LENGTH}: [CLS], one piece, [SEP]."
            )
            raise ParamError(msg)

    def check(self, manifest: Manifest) -> None:
        """Check the options against a model, on the driver, before anything runs.

        Raises
        ------
        ParamError
            When a layer does not exist or a window exceeds the model's positions.
        """
        layer_weights(self.layers, manifest.num_layers)
        if self.max_sentence_length > manifest.max_pieces:
            msg = (
                f"maxSentenceLength is {self.max_sentence_length}, but model {manifest.name!r} "
                f"has positions for {manifest.max_pieces} pieces."
            )
            raise ParamError(msg)

    def dimension(self, manifest: Manifest) -> int:
        """Return the width of a word vector of a model."""
        return manifest.dimension * vectors_per_word(self.pooling)


@dataclass(frozen=True)
class SpecialPieces:
    """Ids of the pieces that frame and pad a sequence."""

    cls_id: int
    sep_id: int
    pad_id: int


@dataclass
class _Request:
    """Sequences to run, and which rows of which sequence are wanted."""

    sequences: list[Int64Array] = field(default_factory=list)
    sequence_of_row: list[Int64Array] = field(default_factory=list)
    rows: list[Int64Array] = field(default_factory=list)
    counts: list[Int64Array] = field(default_factory=list)


class Engine:
    """Computes word vectors of encoded sentences.

    Parameters
    ----------
    session
        The loaded model.
    special
        Ids of ``[CLS]``, ``[SEP]`` and padding.
    vectors
        What a vector is.
    batching
        How calls are filled.

    Attributes
    ----------
    dimension
        Width of a word vector.

    Raises
    ------
    ParamError
        When a layer does not exist or a window exceeds the model's positions.
    """

    def __init__(
        self,
        session: EncoderSession,
        special: SpecialPieces,
        vectors: VectorOptions | None = None,
        batching: BatchingOptions | None = None,
    ) -> None:
        self.session = session
        self.options = vectors or VectorOptions()
        self._special = special
        manifest = session.bundle.manifest
        self._batching = (batching or BatchingOptions()).of_model(manifest)
        self.options.check(manifest)
        self._layer_weights = layer_weights(self.options.layers, manifest.num_layers)
        self.dimension = self.options.dimension(manifest)

    def embed(self, sentences: Sequence[EncodedSentence]) -> Float32Array:
        """Return the vectors of all words of all sentences, in order.

        Parameters
        ----------
        sentences
            Any number of encoded sentences, long ones included.

        Returns
        -------
        ndarray
            float32 ``[words, dimension]``; zeros for words without a piece.

        Raises
        ------
        InferenceError
            When ONNX Runtime fails.
        """
        request = _Request()
        with STAGE_TIMES.measure("batch"):
            for sentence in sentences:
                self._add_sentence(request, sentence)
        rows = self._run(request)
        with STAGE_TIMES.measure("pool"):
            counts = np.concatenate(request.counts) if request.counts else np.zeros(0, dtype=np.int64)
            return pool(rows, counts, self.options.pooling)

    def _add_sentence(self, request: _Request, sentence: EncodedSentence) -> None:
        """Cut a sentence into windows and note for each needed piece where its vector will be."""
        pieces, counts = pieces_needed(sentence.ranges, self.options.pooling)
        request.counts.append(counts)
        if not len(pieces):
            return
        capacity = self.options.max_sentence_length - 2
        num_pieces = len(sentence.ids)
        starts = window_starts(num_pieces, capacity)
        # [SEP], one past the last piece, is where that piece is.
        first, last = np.minimum(sentence.ranges.T - [[0], [1]], num_pieces - 1)
        window = np.repeat(best_window(first, last, num_pieces, capacity), counts)
        # A word longer than a window has none of its own: each of its pieces finds its best one.
        alone = window < 0
        single = np.minimum(pieces[alone], num_pieces - 1)
        window[alone] = best_window(single, single, num_pieces, capacity)
        request.rows.append(pieces - starts[window] + 1)
        if len(starts) > 1:  # of a part of a sentence's words, some windows hold none
            needed, window = np.unique(window, return_inverse=True)
            starts = starts[needed]
        request.sequence_of_row.append(window + len(request.sequences))
        request.sequences += [self._framed(sentence.ids[start : start + capacity]) for start in starts]

    def _framed(self, ids: Int64Array) -> Int64Array:
        return np.concatenate([[self._special.cls_id], ids, [self._special.sep_id]])

    def _run(self, request: _Request) -> Float32Array:
        """Return the wanted rows of hidden states, float32 ``[rows, hidden]``."""
        hidden_size = self.session.bundle.manifest.dimension
        if not request.rows:
            return np.zeros((0, hidden_size), dtype=np.float32)
        with STAGE_TIMES.measure("batch"):
            unique, index = distinct(request.sequences)
            wanted_sequence = index[np.concatenate(request.sequence_of_row)]
            wanted_row = np.concatenate(request.rows)
            by_sequence = np.argsort(wanted_sequence, kind="stable")
            bounds = np.searchsorted(wanted_sequence[by_sequence], np.arange(len(unique) + 1))
            out = np.empty((len(wanted_row), hidden_size), dtype=np.float32)
            lengths = np.array([len(sequence) for sequence in unique], dtype=np.int64)
            calls = list(plan_calls(lengths, self._batching))
        for call in calls:
            with STAGE_TIMES.measure("batch"):
                ids, mask = pad([unique[sequence] for sequence in call], self._special.pad_id)
            with STAGE_TIMES.measure("run"):
                hidden = self.session.run(ids, mask, self._layer_weights)
            STAGE_TIMES.count_call(pieces=int(lengths[call].sum()), slots=ids.size)
            with STAGE_TIMES.measure("pool"):
                for position, sequence in enumerate(call):
                    targets = by_sequence[bounds[sequence] : bounds[sequence + 1]]
                    out[targets] = hidden[position, wanted_row[targets]]
        return out
