"""Computes the word vectors of encoded sentences: windows, batches, pooling, in the order of the input.

A sentence's vectors depend on its own pieces alone; the other sentences of a batch only affect speed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.inference.batching import BatchingOptions, distinct, pad, plan_batches
from sparkalbert.inference.pooling import VectorOptions, layer_weights, pieces_needed, pool
from sparkalbert.inference.session import EncoderSession
from sparkalbert.inference.windows import best_window, window_starts
from sparkalbert.text.pieces.encoding import EncodedSentence
from sparkalbert.timings import TIMINGS

__all__ = ["Engine", "SpecialPieces"]

_LOGGER: Final = logging.getLogger("sparkalbert")

_GPU_THREADS: Final = 3
"""Threads that feed a GPU. 60,000 pieces of xlarge with one, two and three: 90,700, 94,100 and 98,800 pieces per second
(NVIDIA H100, measured with only the forward pass in the threads, without the copy of its vectors)."""


@dataclass(frozen=True)
class SpecialPieces:
    """Ids of the pieces that frame and pad a sequence."""

    cls_id: int
    sep_id: int
    pad_id: int


@dataclass
class _Request:
    """The sequences to run, and the rows of their hidden states that are needed."""

    sequences: list[Int64Array] = field(default_factory=list)
    sequence_of_row: list[Int64Array] = field(default_factory=list)
    rows: list[Int64Array] = field(default_factory=list)
    counts: list[Int64Array] = field(default_factory=list)


@dataclass(frozen=True)
class _ForwardPass:
    """The input of one forward pass, which of its rows are needed, and where their vectors go."""

    ids: Int64Array
    mask: Int64Array
    rows: Int64Array
    targets: Int64Array


class Engine:
    """Computes word vectors of encoded sentences.

    Parameters
    ----------
    session
        The loaded graph.
    special
        Ids of ``[CLS]``, ``[SEP]`` and padding.
    vectors
        What a vector is.
    batching
        The size of a batch.

    Attributes
    ----------
    dimension
        Width of a word vector.

    Raises
    ------
    ParamError
        If a layer does not exist or a window exceeds the model's positions.
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
        self._batching = (batching or BatchingOptions()).for_model(manifest, on_cpu=session.options.on_cpu)
        self.options.check(manifest)
        self._layer_weights = layer_weights(self.options.layers, manifest.num_layers)
        self.dimension = self.options.dimension(manifest)
        _LOGGER.info(
            "Embedding with %s (%s): at most %d pieces per batch and %d per window",
            manifest.name, manifest.precision, self._batching.pieces_per_batch, self.options.max_sentence_length,
        )  # fmt: skip

    def embed(self, sentences: Sequence[EncodedSentence]) -> Float32Array:
        """Return the vectors of all words of all sentences, in order.

        Parameters
        ----------
        sentences
            Any number of encoded sentences of any length.

        Returns
        -------
        ndarray
            float32 ``[words, dimension]``; zeros for words without a piece.

        Raises
        ------
        InferenceError
            If ONNX Runtime fails.
        """
        request = _Request()
        with TIMINGS.measure("batch"):
            for sentence in sentences:
                self._add_sentence(request, sentence)
        rows = self._run(request)
        with TIMINGS.measure("pool"):
            counts = np.concatenate(request.counts) if request.counts else np.zeros(0, dtype=np.int64)
            return pool(rows, counts, self.options.pooling)

    def _add_sentence(self, request: _Request, sentence: EncodedSentence) -> None:
        """Cut a sentence into windows and note where the vector of each needed piece will be."""
        pieces, counts = pieces_needed(sentence.ranges, self.options.pooling)
        request.counts.append(counts)
        if not len(pieces):
            return
        capacity = self.options.max_sentence_length - 2
        num_pieces = len(sentence.ids)
        starts = window_starts(num_pieces, capacity)
        # A range may point one past the last piece, at [SEP] (see `truncate`); use the window of the last piece.
        first, last = np.minimum(sentence.ranges.T - [[0], [1]], num_pieces - 1)
        window = np.repeat(best_window(first, last, num_pieces, capacity), counts)
        # A word longer than a window fits into none: each of its pieces gets its own best window.
        alone = window < 0
        single = np.minimum(pieces[alone], num_pieces - 1)
        window[alone] = best_window(single, single, num_pieces, capacity)
        request.rows.append(pieces - starts[window] + 1)
        if len(starts) > 1:  # when only some words are requested, skip windows that contain none of them
            needed, window = np.unique(window, return_inverse=True)
            starts = starts[needed]
        request.sequence_of_row.append(window + len(request.sequences))
        request.sequences += [self._framed(sentence.ids[start : start + capacity]) for start in starts]

    def _framed(self, ids: Int64Array) -> Int64Array:
        return np.concatenate([[self._special.cls_id], ids, [self._special.sep_id]])

    def _run(self, request: _Request) -> Float32Array:
        """Return the needed rows of hidden states, float32 ``[rows, hidden]``."""
        hidden_size = self.session.bundle.manifest.dimension
        if not request.rows:
            return np.zeros((0, hidden_size), dtype=np.float32)
        with TIMINGS.measure("batch"):
            unique, index = distinct(request.sequences)
            needed_sequence = index[np.concatenate(request.sequence_of_row)]
            needed_row = np.concatenate(request.rows)
            by_sequence = np.argsort(needed_sequence, kind="stable")
            bounds = np.searchsorted(needed_sequence[by_sequence], np.arange(len(unique) + 1))
            out = np.empty((len(needed_row), hidden_size), dtype=np.float32)
            lengths = np.array([len(sequence) for sequence in unique], dtype=np.int64)
            batches = list(plan_batches(lengths, self._batching))
        passes = (self._forward_pass(unique, batch, needed_row, by_sequence, bounds) for batch in batches)
        if self.session.options.on_cpu:
            for one in passes:
                with TIMINGS.measure("run"):
                    vectors = self._compute(one)
                with TIMINGS.measure("pool"):
                    out[one.targets] = vectors
        else:
            self._fill_from_gpu(out, list(passes))
        return out

    def _forward_pass(
        self,
        sequences: Sequence[Int64Array],
        batch: Int64Array,
        needed_row: Int64Array,
        by_sequence: Int64Array,
        bounds: Int64Array,
    ) -> _ForwardPass:
        """Pad the sequences of a batch and find their needed rows, which `by_sequence` lists within `bounds`."""
        with TIMINGS.measure("batch"):
            ids, mask = pad([sequences[sequence] for sequence in batch], self._special.pad_id)
            targets = np.concatenate([by_sequence[bounds[sequence] : bounds[sequence + 1]] for sequence in batch])
            positions = np.repeat(np.arange(len(batch)), bounds[batch + 1] - bounds[batch])
        TIMINGS.count_batch(pieces=int(mask.sum()), slots=ids.size)
        return _ForwardPass(ids, mask, positions * ids.shape[1] + needed_row[targets], targets)

    def _compute(self, one: _ForwardPass) -> Float32Array:
        return self.session.run_rows(one.ids, one.mask, self._layer_weights, one.rows)

    def _fill_from_gpu(self, out: Float32Array, passes: Sequence[_ForwardPass]) -> None:
        """Run forward passes in several threads, so that the GPU computes while the host copies vectors."""

        def fill(one: _ForwardPass) -> None:
            out[one.targets] = self._compute(one)

        with TIMINGS.measure("run"), ThreadPoolExecutor(_GPU_THREADS) as executor:
            list(executor.map(fill, passes))
